// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "apps/namid/command.h"
#include "apps/namid/evaluate_command.h"
#include "apps/namid/train_command.h"

namespace namid::app {

/// `namid demo`: natural training, standard adversarial training, estimators on the standard model
/// (Eq. 5), NAMID, fresh estimators on the NAMID model, PGD-40 on all three; one run folder with a
/// child per stage. A stage that is done is not run again, so an interrupted demo can be resumed.
class DemoCommand : public RunCommand {
 public:
  std::string command() const override { return "demo"; }
  std::string default_name() const override { return "demo"; }
  OptionSet options() override;
  void prepare() override;
  json run(const run::RunFolder& folder, bool resume) override;
  std::string summary(const json& result, const run::RunFolder& folder) const override;
  json record() const override;
  json document(const json& result, const run::RunFolder& folder) const override;

  /// Sized for a few minutes on two cores.
  struct DemoOptions {
    std::uint64_t seed = 0;
    double epsilon = 0.1;
    int epochs = 6;
    std::vector<int> milestones = {6};
    double lr = 0.05;
    int batch_size = 128;
    int estimator_epochs = 3;
    std::vector<int> estimator_milestones = {3};
    int units = 128;
    double alpha = 5;
    double lambda = 0.1;
    int width = 16;
    std::int64_t train_limit = 0;
    std::int64_t test_limit = 0;
    static constexpr auto fields() {
      using T = DemoOptions;
      return std::tuple{
          field("seed", &T::seed, "seed of every draw"),
          field("epsilon", &T::epsilon, "L-inf radius of training and evaluation", between(0, 1)),
          field("epochs", &T::epochs, "training epochs of each model", at_least(1)),
          field("milestones", &T::milestones, "epochs from which on the rate is divided by 10",
                at_least(1)),
          field("lr", &T::lr, "SGD learning rate", above(0)),
          field("batch_size", &T::batch_size, "images per step", at_least(2)),
          field("estimator_epochs", &T::estimator_epochs, "epochs of the estimators", at_least(1)),
          field("estimator_milestones", &T::estimator_milestones,
                "epochs from which on their rate is divided by 10", at_least(1)),
          field("units", &T::units, "width U of the estimators", at_least(1)),
          field("alpha", &T::alpha, "weight of L_mi (Eq. 9)", at_least(0)),
          field("lambda", &T::lambda, "weight of the score difference (Eq. 8)", at_least(0)),
          field("width", &T::width, "first channel count of small_cnn; 0: its own", at_least(0)),
          field("train_limit", &T::train_limit, "use only the first this many images; 0: all",
                at_least(0)),
          field("test_limit", &T::test_limit, "use only the first this many images; 0: all",
                at_least(0))};
    }
  };
  DemoOptions demo;

 private:
  json stage(RunCommand& command, const run::RunFolder& parent, const std::string& name) const;
  TrainCommand training(defenses::Defense defense) const;
  EstimateCommand estimation(const std::filesystem::path& target) const;
  EvaluateCommand evaluation(const std::filesystem::path& model) const;
  json row(const run::RunFolder& folder, const std::string& name, TrainCommand command) const;
};
NAMID_CHECK_FIELDS(DemoCommand::DemoOptions);

}  // namespace namid::app
