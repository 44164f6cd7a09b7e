// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "apps/namid/command.h"
#include "namid/attacks/pgd.h"
#include "namid/data/dataset.h"
#include "namid/eval/score_study.h"
#include "namid/mi/estimator.h"
#include "namid/mi/validation.h"
#include "namid/models/classifier.h"
#include "namid/models/import_weights.h"

namespace namid::app {

/// `namid mi MODEL --estimators A,B`: DV scores of a model under one or several pairs of estimators
/// (the frozen critics it was trained with beside fresh ones): the quantities of the paper's Fig. 2
/// and 4, selection counts and a table per class. `namid mi --validate`: the mutual-information
/// estimator on distributions whose mutual information is known.
class MiCommand : public RunCommand {
 public:
  struct MiOptions {
    std::string model;
    std::string estimators;
    std::string attacks = "pgd-10,pgd-40";
    std::int64_t images = 1000;
    static constexpr auto fields() {
      using T = MiOptions;
      return std::tuple{
          field("model", &T::model, "model run or file that is scored"),
          field("estimators", &T::estimators,
                "estimator runs or files, separated by commas: each is a column of its own"),
          field("attacks", &T::attacks,
                "pgd-N (PGD of N steps), attacks or suites (`namid list suites`), separated by "
                "commas"),
          field("images", &T::images, "test images, drawn by the seed; 0: all", at_least(0))};
    }
  };

  struct Task {
    bool validate = false;
    static constexpr auto fields() {
      return std::tuple{field("validate", &Task::validate,
                              "try the estimator on distributions of known mutual information")};
    }
  };

  MiCommand();
  std::string command() const override { return "mi"; }
  std::string default_name() const override { return task.validate ? "validate" : "scores"; }
  std::string selector() const override { return "validate"; }
  OptionSet options() override;
  void prepare() override;
  json run(const run::RunFolder& folder, bool resume) override;
  std::string summary(const json& result, const run::RunFolder& folder) const override;
  json record() const override;
  /// 6 where a cell or control that is asked to be right is not.
  int exit_status(const json& result) const override;

  Task task;
  mi::ValidationOptions validation;
  MiOptions mi;
  models::ImportOptions imported;
  eval::StudyOptions study;
  data::DataOptions data;
  attacks::PgdOptions attack;

 private:
  json validate_estimator(bool resume) const;
  json score();

  data::Dataset test_;
  models::Classifier model_;
  engine::Compiled compiled_;  // what the attacks see
  std::vector<std::pair<std::string, eval::Suite>> attacks_;
  std::vector<std::pair<std::string, mi::EstimatorPair>> estimators_;
};
NAMID_CHECK_FIELDS(MiCommand::MiOptions);
NAMID_CHECK_FIELDS(MiCommand::Task);

}  // namespace namid::app
