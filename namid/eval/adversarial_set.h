// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "namid/attacks/attack.h"

namespace namid::eval {

/// Adversarial images that somebody claims, an .npz file (docs/adversarial_sets.md):
///   x_adv         float32 (N, ...)   the images, in [0,1]
///   y             int64 (N)          labels of the natural images
///   index         int64 (N)          their sample ids, positions in the data set; default 0, 1,
///   ... success       bool (N)           which rows are claimed to fool the model; default all
///   target        int64 (N)          what the model is claimed to say; default: anything but y
///   norm, epsilon text, float64      the ball: norm(x_adv − x) ≤ epsilon
///   plan          float32 (N, C, H, W, K²)  for norm wasserstein: the plans that make the images
///                                    (coupling.h); without them no claim holds
///   attack, options, model_sha256, data_sha256   texts, "" or left out where not known
/// Integers may be of any integer type, texts U or S. Only x_adv and y must be there; other arrays
/// are passed over.
struct AdversarialSet {
  std::string file;                 ///< for messages
  std::string dtype = "float32";    ///< of x_adv in the file, numpy's name
  std::vector<std::int64_t> shape;  ///< of x_adv in the file, N first
  at::Tensor x_adv;                 ///< float32 or float64 on the CPU; undefined for other dtypes
  at::Tensor y, index;              ///< int64 (N)
  at::Tensor success;               ///< bool (N)
  at::Tensor target = {};           ///< int64 (N), or undefined
  at::Tensor plan = {};             ///< float32 (N, ...), or undefined
  std::optional<attacks::Norm> norm = {};
  std::optional<double> epsilon = {};
  std::string attack = {}, options = {};
  std::string model_sha256 = {};  ///< of the weights, as in run.json
  std::string data_sha256 = {};   ///< Dataset::sha256 of the rows `index`, in their order

  std::int64_t size() const { return y.size(0); }
};

/// DataError with file, array and expectation for anything unreadable, missing or of another shape.
/// An x_adv of another dtype is read: it is the claims that fail then.
AdversarialSet read_adversarial_set(const std::filesystem::path& path);

/// Writes the set, atomically; equal sets give equal bytes. x_adv must be float32. ResourceError.
void write_adversarial_set(const std::filesystem::path& path, const AdversarialSet& set);

}  // namespace namid::eval
