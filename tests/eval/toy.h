// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <vector>

#include "namid/eval/evaluation.h"
#include "namid/eval/runner.h"
#include "support/errors.h"

namespace namid::eval {

using testing::message_of;

/// `count` images (1, 2, 3) with values from 64 to 191 (so that no small ball meets the box),
/// labels 0, 1, ..., ids 1000, 1001, ...
inline data::Dataset toy_data(std::int64_t count, std::int64_t classes = 2) {
  const auto k = at::arange(count * 6, at::kLong);
  data::Dataset dataset{.name = "toy",
                        .images = ((k * k * 7 + k * 29) % 128 + 64).to(at::kByte),
                        .labels = at::arange(count, at::kLong) % classes,
                        .num_classes = classes};
  dataset.images = dataset.images.view({count, 1, 2, 3});
  for (std::int64_t i = 0; i < count; ++i)
    dataset.ids.push_back(static_cast<std::uint64_t>(1000 + i));
  for (std::int64_t c = 0; c < classes; ++c) dataset.class_names.push_back(str("class-", c));
  return dataset;
}

inline at::Tensor toy_weight() {
  return at::tensor({0.9f, -1.1f, 0.4f, -0.3f, 0.8f, -0.6f}, at::kFloat);
}
constexpr double kToyBias = -0.05;

/// Two classes, z = (0, w·x + b), each row summed on its own whatever the batch.
inline models::Classifier toy_model() {
  return models::Classifier(
      [w = toy_weight()](const at::Tensor& x) {
        const auto z = (x.flatten(1) * w).sum(1) + kToyBias;
        return at::stack({at::zeros_like(z), z}, 1);
      },
      {.name = "toy", .num_classes = 2, .input_shape = {1, 2, 3}});
}

/// A model of two classes around `function`.
inline models::Classifier model_of(models::Classifier::Function function,
                                   std::int64_t classes = 2) {
  return models::Classifier(std::move(function),
                            {.name = "odd", .num_classes = classes, .input_shape = {1, 2, 3}});
}

/// Uniform noise in the ball by the sample's own draws, no gradients: cheap, and different for each
/// sample, seed and name.
inline AttackEntry noise_attack(double epsilon, std::string name = "noise") {
  return {.name = std::move(name),
          .budget = {.norm = attacks::Norm::linf, .epsilon = epsilon},
          .options = str("epsilon=", epsilon),
          .run = [epsilon](const auto& model, const auto& x, const auto& y, const auto& context) {
            const auto noise = random_uniform(context.random, context.ids, x) * 2 - 1;
            const auto x_adv = (x + noise * epsilon).clamp(0, 1);
            const auto success = model(x_adv).argmax(1).ne(y);
            return attacks::AttackResult{.x_adv = x_adv,
                                         .success = success,
                                         .step = at::zeros_like(y),
                                         .loss = at::zeros_like(y).to(at::kFloat),
                                         .passes = {.forwards = x.size(0)}};
          }};
}

/// An attack that returns what `forge` makes of (x, y) and claims `success` everywhere.
inline AttackEntry forged_attack(
    double epsilon, bool success,
    std::function<at::Tensor(const at::Tensor& x, const at::Tensor& y)> forge) {
  return {.name = "forged",
          .budget = {.norm = attacks::Norm::linf, .epsilon = epsilon},
          .options = "",
          .run = [=](const auto&, const auto& x, const auto& y, const auto&) {
            return attacks::AttackResult{.x_adv = forge(x, y),
                                         .success = at::full_like(y, success, at::kBool),
                                         .step = at::zeros_like(y),
                                         .loss = at::zeros_like(y).to(at::kFloat),
                                         .passes = {.forwards = 2 * x.size(0)}};
          }};
}

/// The strongest L∞ move against toy_model: against the sign of the label's margin.
inline at::Tensor strongest(const at::Tensor& x, const at::Tensor& y, double epsilon) {
  const auto away = (1 - 2 * y).to(at::kFloat).view({-1, 1, 1, 1});
  return (x + away * toy_weight().sign().view({1, 1, 2, 3}) * epsilon).clamp(0, 1);
}

/// Rows as they must be for any batching: all but the time.
inline std::vector<AttemptRow> timeless(std::vector<AttemptRow> rows) {
  for (auto& row : rows) row.seconds = 0;
  return rows;
}

#define EXPECT_HAS(text, part) \
  EXPECT_NE(std::string(text).find(part), std::string::npos) << "in: " << (text)

}  // namespace namid::eval
