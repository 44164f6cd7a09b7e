// SPDX-License-Identifier: Apache-2.0
//
// One epoch of standard adversarial training on the data set inside the library, then its
// accuracies.
#include <torch/types.h>

#include <cstdio>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "namid/namid.h"

int main() {
  using namespace namid;
  const auto root = std::filesystem::temp_directory_path() / "namid-example";
  const auto training = data::load_dataset({.train_limit = 512}, data::Part::train);
  const auto test = data::load_dataset({.test_limit = 100}, data::Part::test);
  auto model = models::create({.model = "small_cnn", .width = 8}, training.shape(),
                              training.num_classes, /*seed=*/0);

  const attacks::PgdOptions attack{.budget = {.epsilon = 0.1}, .steps = 3};
  const auto objective = defenses::make_objective(defenses::Defense::standard, {.attack = attack});
  const auto folder = run::RunFolder::create(root, "train", "example");
  const train::TrainOptions options{.epochs = 1, .batch_size = 64, .lr = 0.05};
  train::train(model, training, /*validation=*/{}, /*augment=*/false, objective, attack, options,
               {.folder = folder, .show_progress = false});

  const auto result = eval::evaluate(model, test, {.budget = {.epsilon = 0.1}, .steps = 10}, {},
                                     run::RunFolder::create(root, "evaluate", "example"), nullptr,
                                     /*resume=*/false, /*show_progress=*/false);
  std::printf("natural %.1f %%, robust %.1f %% of %d images\n",
              100 * result["natural"]["accuracy"].get<double>(),
              100 * result["robust"]["accuracy"].get<double>(), result["n"].get<int>());
  std::filesystem::remove_all(root);
  return 0;
}
