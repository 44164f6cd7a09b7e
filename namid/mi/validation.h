// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <nlohmann/json.hpp>
#include <vector>

#include "namid/mi/bound.h"
#include "namid/mi/known.h"
#include "namid/run/stop_token.h"

namespace namid::mi {

/// An estimator of mutual information and what it is tried on. The defaults are *the* estimator of
/// docs/mi.md: fixed before the table there was made, the same for every cell.
struct ValidationOptions {
  BoundOptions bound = {};  ///< trained with and reported
  std::uint64_t seed = 0;
  int seeds = 10;
  int steps = 500;        ///< vectors
  int image_steps = 300;  ///< images
  int batch_size = 128;
  double lr = 1e-2;
  int hidden = 128;
  int embedding = 128;
  int units = 64;
  int test_batch = 1024;
  int test_batches = 4;
  std::vector<int> dimensions = {2, 8, 16, 64};
  std::vector<double> information = {0.5, 1, 2, 4, 8};
  bool images = true;
  bool controls = true;
  static constexpr auto fields() {
    using T = ValidationOptions;
    return std::tuple{
        field("bound", &T::bound, ""),
        field("seed", &T::seed, "seed of every draw"),
        field("seeds", &T::seeds, "estimates of each cell, each with draws and weights of its own",
              at_least(1)),
        field("steps", &T::steps, "training steps on vectors", at_least(1)),
        field("image_steps", &T::image_steps, "training steps on images", at_least(1)),
        field("batch_size", &T::batch_size, "training pairs per step, new ones each time",
              at_least(2)),
        field("lr", &T::lr, "Adam learning rate, falling to 0 as half a cosine", above(0)),
        field("hidden", &T::hidden, "hidden units of the vector critic", at_least(1)),
        field("embedding", &T::embedding, "size E of its inner product", at_least(1)),
        field("units", &T::units, "units U of the image estimator", at_least(1)),
        field("test_batch", &T::test_batch, "held-out pairs read together; N of the bound",
              at_least(2)),
        field("test_batches", &T::test_batches, "such batches", at_least(1)),
        field("dimensions", &T::dimensions, "dimensions of the vectors", at_least(1)),
        field("information", &T::information, "true mutual information of the cells, nats",
              above(0)),
        field("images", &T::images, "also read images, by the networks of the MI estimators"),
        field("controls", &T::controls, "also shuffled pairs, data processing and additivity")};
  }
};
NAMID_CHECK_FIELDS(ValidationOptions);

/// Where it runs and who is told.
struct ValidationHooks {
  at::Device device = at::kCPU;
  const run::StopToken* stop = nullptr;
  /// Before each estimate: the cell's name, estimates done, of all; may be empty.
  std::function<void(const std::string& cell, std::int64_t done, std::int64_t total)> progress = {};
};

/// One estimate: a critic is trained on pairs drawn anew at each step, then the bound is read, nets
/// in eval mode, on `test_batches` held-out batches. Vectors: `VectorCritic` on `NormalScores` of
/// 4,096 training pairs; images: `Estimator` with the one-channel image as local input and y as
/// "logits". Draws belong to (seed, index, cell). NumericError where the estimate is not finite.
double estimate_known(const Known& known, const ValidationOptions& options, int index,
                      const ValidationHooks& hooks = {});

/// An estimate counts as right within 10 % of the truth or 0.1 nat, whichever is more.
constexpr double kRelativeTolerance = 0.1, kAbsoluteTolerance = 0.1;
/// Cells up to this many nats are asked to be right; above it the table shows what happens.
constexpr double kAskedUpTo = 2;
/// Estimates above this share of log N are flagged as saturated.
constexpr double kSaturation = 0.95;

/// All cells: `dimensions` × `information` as gaussian and cubed; with images also image (d 8) and
/// label (10 classes) where they exist; controls. Returns
///   {"bound", "kind", "n", "log_n", "cells": [C...], "controls": [K...],
///    "asked", "right", "failed": [names]}
///   C: {"name", "family", "dimension", "truth", "mean", "sd", "error" = mean − truth, "estimates",
///       "saturated", "asked", "right"}
///   K: {"name", "says", "right"}: shuffled pairs are within 0.1 of 0; I after a noisy step is not
///       above I before it; two independent copies carry twice I, within the tolerance.
/// sd: sample standard deviation over seeds, 0 for one. Runs of the same options give equal values.
nlohmann::json validate_estimator(const ValidationOptions& options,
                                  const ValidationHooks& hooks = {});

/// OptionError for options out of range and for bounds that do not read a score tensor.
void check(const ValidationOptions& options);

/// Tables of the cells and the controls, in Markdown that is aligned to be read as it is.
std::string validation_text(const nlohmann::json& result);

}  // namespace namid::mi
