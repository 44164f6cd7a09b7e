// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "apps/namid/command.h"
#include "namid/data/dataset.h"
#include "namid/eval/curve.h"
#include "namid/eval/evaluate.h"
#include "namid/eval/suite.h"
#include "namid/models/classifier.h"
#include "namid/models/import_weights.h"

namespace namid::app {

/// `namid curve`: robust accuracy as a function of epsilon, from searches of the smallest norm, a
/// sweep of fixed budgets, or runs that are there.
class CurveCommand : public RunCommand {
 public:
  CurveCommand();
  std::string command() const override { return "curve"; }
  std::string default_name() const override;
  OptionSet options() override;
  void prepare() override;
  json run(const run::RunFolder& folder, bool resume) override;
  std::string summary(const json& result, const run::RunFolder& folder) const override;
  json record() const override;
  int exit_status(const json& result) const override;

  struct Inputs {
    std::string model;
    static constexpr auto fields() {
      return std::tuple{field("model", &Inputs::model, "model run or file that is attacked")};
    }
  };
  struct Threat {
    attacks::Norm norm = attacks::Norm::linf;
    static constexpr auto fields() {
      return std::tuple{field("norm", &Threat::norm, "norm of the perturbations: linf, l2, l1")};
    }
  };
  Inputs inputs;
  Threat attack;
  models::ImportOptions imported;
  eval::CurveOptions curve;
  eval::SuiteOptions suite;
  eval::EvaluateOptions evaluate;
  data::DataOptions data;

 private:
  void check_modes() const;
  json evaluated(const run::RunFolder& folder, bool resume) const;

  eval::Suite attacks_;
  data::Dataset test_;
  models::Classifier classifier_;
  engine::Compiled compiled_;  // what the attacks see
};

void add_curve(CLI::App& app);

}  // namespace namid::app
