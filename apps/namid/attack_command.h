// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>

#include "apps/namid/command.h"
#include "apps/namid/precision.h"
#include "namid/attacks/registry.h"
#include "namid/data/dataset.h"
#include "namid/eval/attack_set.h"
#include "namid/models/classifier.h"
#include "namid/models/import_weights.h"

namespace namid::app {

/// `namid attack`: one attack on the test images; the run folder gets adversarial.npz. Which
/// options lie in section "attack" depends on the attack's name, its selector.
class AttackCommand : public RunCommand {
 public:
  std::string command() const override { return "attack"; }
  std::string default_name() const override { return choice.name; }
  OptionSet options() override;
  std::string selector() const override { return "attack.name"; }
  void prepare() override;
  json run(const run::RunFolder& folder, bool resume) override;
  std::string summary(const json& result, const run::RunFolder& folder) const override;
  json record() const override;

  /// The options that do not depend on the attack.
  OptionSet common_options();

  struct Inputs {
    std::string model;
    std::string surrogate;
    static constexpr auto fields() {
      return std::tuple{field("model", &Inputs::model, "model run or file that is attacked"),
                        field("surrogate", &Inputs::surrogate,
                              "model run or file that the attack sees instead (transfer); the "
                              "attacked model judges; empty: none")};
    }
  };
  struct Choice {
    std::string name = "pgd";
    static constexpr auto fields() {
      return std::tuple{
          field("name", &Choice::name,
                "the attack, also --attack NAME (namid list attacks); it decides on the "
                "section's other options")};
    }
  };
  Inputs inputs;
  models::ImportOptions imported;
  eval::AttackSetOptions attack;
  data::DataOptions data;
  PrecisionOptions precision;
  Choice choice;

 private:
  attacks::NamedAttack attack_{Choice{}.name};
  data::Dataset test_;
  models::Classifier classifier_;
  engine::Compiled compiled_;  // of what the attack sees: the model, or the surrogate
  std::optional<models::Classifier> surrogate_;
};

}  // namespace namid::app
