// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "apps/namid/certify_command.h"
#include "apps/namid/command.h"
#include "apps/namid/precision.h"
#include "namid/attacks/pgd.h"
#include "namid/data/dataset.h"
#include "namid/eval/adaptive.h"
#include "namid/eval/evaluate.h"
#include "namid/eval/masking.h"
#include "namid/eval/suite.h"
#include "namid/models/classifier.h"
#include "namid/models/import_weights.h"
#include "namid/models/outputs.h"

namespace namid::app {

/// `namid evaluate`: natural accuracy and accuracy under a suite of attacks, with a ledger.
class EvaluateCommand : public RunCommand {
 public:
  EvaluateCommand();
  std::string command() const override { return "evaluate"; }
  std::string default_name() const override;
  OptionSet options() override;
  void prepare() override;
  json run(const run::RunFolder& folder, bool resume) override;
  std::string summary(const json& result, const run::RunFolder& folder) const override;
  json record() const override;
  int exit_status(const json& result) const override;

  struct Inputs {
    std::string model;
    std::string surrogate;
    models::Outputs outputs = models::Outputs::logits;
    static constexpr auto fields() {
      return std::tuple{field("model", &Inputs::model, "model run or file that is attacked"),
                        field("surrogate", &Inputs::surrogate,
                              "model run or file that the attacks see instead (transfer); the "
                              "attacked model judges; empty: none"),
                        field("outputs", &Inputs::outputs,
                              "what the model gives; probabilities: attacks see their logarithm")};
    }
  };
  struct Masked {
    bool checks = false;
    static constexpr auto fields() {
      return std::tuple{field("checks", &Masked::checks,
                              "look for masked gradients too (namid masking), on PGD by "
                              "--attack-...")};
    }
  };
  Inputs inputs;
  models::ImportOptions imported;
  eval::SuiteOptions suite;
  eval::EvaluateOptions evaluate;
  CertifyAfterwards certified;
  data::DataOptions data;
  PrecisionOptions precision;
  attacks::PgdOptions attack;
  eval::AdaptiveOptions adaptive;
  Masked masked;
  eval::MaskingOptions masking;

 protected:
  /// Options checked, the suite made; what needs no model.
  void prepare_attacks();
  /// With a surrogate: the suite becomes a transfer attack on classifier_.
  void see_surrogate();

  eval::Suite attacks_;
  eval::Suite plain_;  // before anything is shown to its attacks
  data::Dataset test_;
  models::Classifier classifier_;
  engine::Compiled compiled_;  // of what the attacks see: the model, or the surrogate
  std::optional<eval::PrecisionTaken> taken_;  // of float32 attacks and cells known beforehand

 private:
  std::string suite_name() const;
  void check_precision();
  eval::Suite suite_as_seen(const run::RunFolder& folder, bool resume);
  void add_adaptive_attacks();
  json masking_result() const;
  void check_certificates() const;
  void add_certificates(json& result, const run::RunFolder& folder) const;
};

/// What a person reads of an evaluation's result.
std::string evaluation_summary(const json& result, const run::RunFolder& folder);

}  // namespace namid::app
