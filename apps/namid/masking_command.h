// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>

#include "apps/namid/command.h"
#include "namid/attacks/pgd.h"
#include "namid/data/dataset.h"
#include "namid/eval/masking.h"
#include "namid/models/classifier.h"
#include "namid/models/import_weights.h"
#include "namid/models/outputs.h"

namespace namid::app {

/// `namid masking`: does the model hide its gradients instead of being robust? Exit code 6 if a
/// check fails.
class MaskingCommand : public RunCommand {
 public:
  MaskingCommand() { attack.steps = 40; }
  std::string command() const override { return "masking"; }
  std::string default_name() const override { return "checks"; }
  OptionSet options() override;
  void prepare() override;
  json run(const run::RunFolder& folder, bool resume) override;
  std::string summary(const json& result, const run::RunFolder& folder) const override;
  json record() const override;
  int exit_status(const json& result) const override;

  /// What is looked at; `surrogate` may be null.
  struct Looked {
    const models::Classifier& model;
    const data::Dataset& dataset;
    const models::Classifier* surrogate = nullptr;
  };
  /// The checks by this object's options (eval::masking_report), its inputs loaded already.
  json report(const Looked& looked) const;

  struct Inputs {
    std::string model;
    std::string surrogate;
    models::Outputs outputs = models::Outputs::logits;
    static constexpr auto fields() {
      return std::tuple{
          field("model", &Inputs::model, "model run or file that is looked at"),
          field("surrogate", &Inputs::surrogate,
                "model run or file, trained alike, for the transfer check; empty: skipped"),
          field("outputs", &Inputs::outputs,
                "what the model gives; probabilities: attacks see their logarithm")};
    }
  };
  struct Work {
    std::uint64_t seed = 0;
    int compute_batch = 100;
    static constexpr auto fields() {
      return std::tuple{field("seed", &Work::seed, "seed of every draw"),
                        field("compute_batch", &Work::compute_batch,
                              "images per pass; every batch is padded to it", at_least(1))};
    }
  };
  Inputs inputs;
  models::ImportOptions imported;
  Work work;
  data::DataOptions data;
  attacks::PgdOptions attack;
  eval::MaskingOptions masking;

 private:
  std::string evaluate_line(const std::string& flags) const;

  data::Dataset test_;
  models::Classifier classifier_;
  std::optional<models::Classifier> surrogate_;
};

/// What a person reads of a result's "masking".
std::string masking_text(const json& masking);

void add_masking(CLI::App& app);

}  // namespace namid::app
