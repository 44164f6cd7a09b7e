// SPDX-License-Identifier: Apache-2.0
#include "namid/train/profile.h"

#include "train/workbench.h"

namespace namid::train {
namespace {

using defenses::Defense;
using testing::message_of;

struct TrainProfile : ::testing::Test {
  TrainOptions options;
  attacks::PgdOptions attack;
  defenses::TradesOptions trades;
  defenses::NamidOptions namid;

  void apply(Defense defense, Profile profile = Profile::reference) {
    options.defense = defense;
    options.profile = profile;
    apply_profile(options, {attack, trades, namid});
  }
};

TEST_F(TrainProfile, OfPaperChangesNothing) {
  apply(Defense::namid, Profile::paper);
  EXPECT_EQ(options.batch_size, 1024);
  EXPECT_EQ(options.clip_grad, 5);
  EXPECT_EQ(namid.lambda, 0.1);
  EXPECT_EQ(attack.start, attacks::Start::uniform);
}

TEST_F(TrainProfile, OfReferenceTrainsAsTheReleasedAdversarialTraining) {
  apply(Defense::standard);
  EXPECT_EQ(options.batch_size, 256);
  EXPECT_EQ(options.epochs, 100);
  EXPECT_EQ(options.milestones, (std::vector<int>{75, 90}));
  EXPECT_EQ(options.clip_grad, 0);
  EXPECT_EQ(options.warmup_epochs, 0);
  EXPECT_EQ(options.select, Select::last);
  EXPECT_EQ(options.bn_updates, defenses::BnUpdates::reference);
  EXPECT_EQ(attack.steps, 10);
  EXPECT_EQ(attack.step_size.value_or(0), 0.007);
  EXPECT_EQ(attack.start, attacks::Start::gauss);
  EXPECT_EQ(attack.budget.epsilon, 8.0 / 255);
  EXPECT_EQ(trades.beta, 1);
}

TEST_F(TrainProfile, OfReferenceTrainsNamidAsTheReleasedScript) {
  apply(Defense::namid);
  EXPECT_EQ(attack.steps, 40);
  EXPECT_EQ(options.warmup_epochs, 2);
  EXPECT_EQ(options.epochs - options.warmup_epochs, 100);
  for (const int milestone : {75, 90})
    EXPECT_NE(std::find(options.milestones.begin(), options.milestones.end(), milestone + 2),
              options.milestones.end());
  EXPECT_EQ(options.select, Select::test);
  EXPECT_EQ(options.validation_steps, 40);
  EXPECT_EQ(options.allow_estimator_mismatch, mi::EstimatorMismatch::norm);
  EXPECT_EQ(namid.alpha, 5);
  EXPECT_EQ(namid.lambda, 0);
  EXPECT_EQ(namid.selection, mi::SelectionRule::batch_softmax);
  EXPECT_EQ(namid.dv_mask, mi::DvMask::multiply);
  EXPECT_EQ(namid.mi_warmup, 0);
  EXPECT_TRUE(namid.mi_partial_batch);
}

TEST_F(TrainProfile, InL2TheStepFollowsRadiusAndSteps) {
  attack.budget.norm = attacks::Norm::l2;
  apply(Defense::standard);
  EXPECT_EQ(attack.budget.epsilon, 0.5);
  EXPECT_NEAR(attack.step_size.value_or(0), 0.1, 1e-15);
  EXPECT_EQ(attack.l2_order, attacks::L2Order::box_first);
  attack = {.budget = {attacks::Norm::l2, 0.25}, .steps = 5};  // as given by flags
  apply(Defense::namid);
  EXPECT_EQ(attack.budget.epsilon, 0.25);
  EXPECT_NEAR(attack.step_size.value_or(0), 0.1, 1e-15);
}

TEST_F(TrainProfile, RefusesWhatTheReleasedCodeDoesNotHave) {
  options.profile = Profile::reference;
  for (const auto defense : {Defense::mma, Defense::at_mim, Defense::namid_t, Defense::namid_m}) {
    options.defense = defense;
    EXPECT_NE(message_of<OptionError>([&] {
                check_profile(options, attack);
              }).find("[train] profile: the released code has no"),
              std::string::npos)
        << to_string(defense);
  }
  options.defense = Defense::mma_reference;
  EXPECT_NO_THROW(check_profile(options, attack));
  attack.budget.norm = attacks::Norm::l2;
  EXPECT_THROW(check_profile(options, attack), OptionError);
}

}  // namespace
}  // namespace namid::train
