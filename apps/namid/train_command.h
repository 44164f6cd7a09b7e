// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>

#include "apps/namid/command.h"
#include "namid/attacks/pgd.h"
#include "namid/data/dataset.h"
#include "namid/defenses/registry.h"
#include "namid/mi/estimator.h"
#include "namid/models/import_weights.h"
#include "namid/models/registry.h"
#include "namid/train/options.h"

namespace namid::app {

/// `namid train`: a classifier with any defence.
class TrainCommand : public RunCommand {
 public:
  TrainCommand();
  std::string command() const override { return "train"; }
  std::string default_name() const override;
  OptionSet options() override;
  void apply_profile() override;
  void prepare() override;
  json run(const run::RunFolder& folder, bool resume) override;
  std::string summary(const json& result, const run::RunFolder& folder) const override;
  json record() const override;

  train::TrainOptions train;
  data::DataOptions data;
  models::ModelOptions model;
  attacks::PgdOptions attack;
  defenses::TradesOptions trades;
  defenses::MartOptions mart;
  defenses::MmaOptions mma;
  defenses::AtMimOptions at_mim;
  defenses::NamidOptions namid;
  train::EstimateOptions estimate;  ///< of refreshed estimators

 private:
  defenses::DefenseOptions defense_options() const;
  void check_refresh() const;
  void load_data();
  void load_estimators();
  void make_model();
  void check_estimators() const;

  data::Dataset training_, validation_;  ///< validation_: the test set with --select test
  models::Classifier classifier_;
  engine::Compiled compiled_;  // a handle on classifier_
  std::optional<mi::EstimatorPair> estimators_;
};

/// `namid estimate`: the estimators of stage 2 on a frozen target.
class EstimateCommand : public RunCommand {
 public:
  EstimateCommand();
  std::string command() const override { return "estimate"; }
  std::string default_name() const override;
  OptionSet options() override;
  void apply_profile() override;
  void prepare() override;
  json run(const run::RunFolder& folder, bool resume) override;
  std::string summary(const json& result, const run::RunFolder& folder) const override;
  json record() const override;

  /// Recorded with the options, so that a run can be resumed from its folder alone.
  struct Inputs {
    std::string target;
    static constexpr auto fields() {
      return std::tuple{field("target", &Inputs::target, "model run or file that is scored")};
    }
  };
  Inputs inputs;
  models::ImportOptions imported;
  train::EstimateOptions estimate;
  data::DataOptions data;
  attacks::PgdOptions attack;

 private:
  data::Dataset training_, validation_;
  models::Classifier target_;
  engine::Compiled compiled_;  // a handle on target_
};

}  // namespace namid::app
