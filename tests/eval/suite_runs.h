// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "eval/toy.h"
#include "support/temp_folder.h"

namespace namid::eval {

/// Evaluations of one model on one data set, each in a folder of its own.
class SuiteRuns : public ::testing::Test {
 protected:
  /// gallery: images that a ledger keeps.
  SuiteRuns(models::Classifier model, data::Dataset dataset, int gallery = 0)
      : model_(std::move(model)), dataset_(std::move(dataset)), gallery_(gallery) {}

  nlohmann::json run(const Suite& suite, const std::string& folder, bool resume = false,
                     const run::StopToken* stop = nullptr, int compute_batch = 16) {
    std::filesystem::create_directories(temp_ / folder);
    return evaluate_with({.model = model_,
                          .dataset = dataset_,
                          .options = {.compute_batch = compute_batch, .gallery = gallery_},
                          .folder = temp_ / folder,
                          .resume = resume,
                          .stop = stop},
                         suite);
  }
  Ledger ledger(const std::string& folder) {
    return Ledger::open(temp_ / folder / "ledger.sqlite");
  }
  std::vector<AttemptRow> attempts(const std::string& folder, const std::string& attack) {
    return timeless(ledger(folder).attempts(attack));
  }

  testing::TempFolder temp_;
  models::Classifier model_;
  data::Dataset dataset_;
  int gallery_;
};

}  // namespace namid::eval
