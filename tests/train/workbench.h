// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <ATen/Parallel.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <string>

#include "namid/core/error.h"
#include "namid/defenses/objective.h"
#include "namid/models/registry.h"
#include "namid/models/weights.h"
#include "namid/run/run_folder.h"
#include "namid/train/train.h"
#include "support/temp_folder.h"

namespace namid::train::testing {

using models::weights_sha256;

constexpr std::int64_t kSide = 8;
constexpr std::int64_t kClasses = 3;

/// Images 1x8x8 of three classes: bright on the left, at the top, or in the middle; noise beside.
inline data::Dataset separable(std::int64_t count, std::uint64_t seed = 1) {
  data::Dataset set;
  set.name = "separable";
  set.num_classes = kClasses;
  set.class_names = {"left", "top", "middle"};
  set.images = at::empty({count, 1, kSide, kSide}, at::kByte);
  set.labels = at::empty({count}, at::kLong);
  const Random random(seed, "test/separable");
  for (std::int64_t i = 0; i < count; ++i) {
    const auto label = i % kClasses;
    std::array<float, kSide * kSide> noise{};
    random.uniform({static_cast<std::uint64_t>(i)}, noise.data(), noise.size());
    for (std::int64_t p = 0; p < kSide * kSide; ++p) {
      const auto row = p / kSide, column = p % kSide;
      const bool bright = label == 0   ? column < 3
                          : label == 1 ? row < 3
                                       : row > 2 && row < 6 && column > 2 && column < 6;
      set.images.data_ptr<std::uint8_t>()[i * kSide * kSide + p] =
          static_cast<std::uint8_t>((bright ? 180 : 20) + 50 * noise[static_cast<std::size_t>(p)]);
    }
    set.labels.data_ptr<std::int64_t>()[i] = label;
    set.ids.push_back(static_cast<std::uint64_t>(i));
  }
  return set;
}

inline models::Classifier small_model(const std::string& name = "small_cnn",
                                      std::uint64_t seed = 5) {
  return models::create({.model = name, .width = 4}, {1, kSide, kSide}, kClasses, seed);
}

inline attacks::PgdOptions small_attack() {
  attacks::PgdOptions attack;
  attack.budget.epsilon = 0.1;
  attack.steps = 2;
  return attack;
}

inline TrainOptions small_options() {
  TrainOptions options;
  options.epochs = 3;
  options.batch_size = 8;
  options.lr = 0.05;
  options.milestones = {3};
  options.seed = 11;
  options.alarms.on_collapse = OnAlarm::warn;  // so few images and steps do collapse now and then
  return options;
}

inline defenses::Objective adversarial() {
  return [attack = small_attack()](const auto& model, const auto& batch, const auto& context) {
    return defenses::standard(model, batch, attack, context);
  };
}

/// `objective`, with `action(model)` before its call number `at` (from 1).
inline defenses::Objective acting_at(int at, std::function<void(const models::Classifier&)> action,
                                     defenses::Objective objective = adversarial()) {
  return [=, calls = std::make_shared<int>(0)](const auto& model, const auto& batch,
                                               const auto& context) {
    if (++*calls == at) action(model);
    return objective(model, batch, context);
  };
}

/// A run folder with everything that a training needs.
struct Workbench {
  Workbench() { at::set_num_threads(1); }

  ::namid::testing::TempFolder temp;
  run::RunFolder folder = run::RunFolder::create(temp.path(), "train", "test");
  data::Dataset training = separable(42);
  data::Dataset validation = separable(24, 2);
  TrainOptions options = small_options();
  models::Classifier model = small_model();
  run::StopToken stop;
  bool augment = false;

  nlohmann::json run(const defenses::Objective& objective = adversarial(), bool resume = false) {
    return train(model, training, validation, augment, objective, small_attack(), options,
                 {folder, &stop, resume, false});
  }
  std::string weights() const { return weights_sha256(model.state_dict()); }
};

/// The message of the `Error` that `work` throws; a failure if it throws none.
template <class Error, class Work>
std::string message_of(Work&& work) {
  try {
    work();
  } catch (const Error& error) {
    return error.what();
  }
  ADD_FAILURE() << "nothing of the expected type was thrown";
  return {};
}

}  // namespace namid::train::testing
