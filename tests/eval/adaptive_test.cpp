// SPDX-License-Identifier: Apache-2.0
#include "namid/eval/adaptive.h"

#include <fstream>
#include <numeric>

#include "eval/toy.h"
#include "namid/attacks/draws.h"
#include "namid/attacks/pgd.h"
#include "namid/eval/ledger.h"
#include "namid/mi/donsker_varadhan.h"
#include "namid/mi/reference_bank.h"
#include "namid/models/registry.h"
#include "support/temp_folder.h"

namespace namid::eval {
namespace {

constexpr std::int64_t kImages = 20;
constexpr std::int64_t kClasses = 4;
const attacks::Budget kBudget{attacks::Norm::linf, 0.03};

data::Dataset images() {
  auto dataset = toy_data(kImages, kClasses);
  const auto k = at::arange(kImages * 64, at::kLong);
  dataset.images = ((k * k * 7 + k * 29) % 200 + 20).to(at::kByte).view({kImages, 1, 8, 8});
  return dataset;
}

class AdaptiveTest : public ::testing::Test {
 protected:
  AdaptiveTest() {
    const at::NoGradGuard no_grad;
    model_.train();
    for (int pass = 0; pass < 40; ++pass) model_(everything().x);
    model_.train(false);
    dataset_.labels = model_(everything().x).argmax(1);
    estimators_ = mi::make_estimators(
        {.units = 6, .num_classes = kClasses, .input_shape = {1, 8, 8}, .objective = "selected"},
        3);
    for (const auto* one : {&estimators_.natural, &estimators_.adversarial}) {
      for (const auto& parameter : one->parameters()) parameter.detach().mul_(1.5);
      one->freeze();
    }
  }
  data::Batch everything() const {
    std::vector<std::int64_t> all(kImages);
    std::iota(all.begin(), all.end(), 0);
    return data::make_batch(dataset_, all);
  }
  std::vector<AttackEntry> attacks(AdaptiveOptions options = {.steps = 5, .bank = 7}) const {
    return adaptive_attacks(estimators_, dataset_, kBudget, 3, options);
  }
  attacks::AttackResult run(const AttackEntry& attack, const data::Batch& batch) const {
    return attack.run(model_, batch.x, batch.y,
                      {.random = Random(3, "test/" + attack.name), .ids = batch.ids});
  }
  /// Scores at x_adv with the bank of the attacks above.
  AdaptiveScores scores(const data::Batch& batch, const at::Tensor& x_adv) const {
    const auto bank = make_bank(model_, estimators_,
                                data::make_batch(dataset_, bank_rows(dataset_, 7, 3)), kBudget, 3);
    const at::NoGradGuard no_grad;
    return adaptive_scores(
        estimators_, bank,
        {batch.x, model_(batch.x), mi::same_samples(batch.ids, bank.ids, at::kCPU)}, x_adv,
        model_(x_adv));
  }

  data::Dataset dataset_ = images();
  models::Classifier model_ =
      models::create({.model = "small_cnn", .width = 4}, {1, 8, 8}, kClasses, 1);
  mi::EstimatorPair estimators_;
};

TEST_F(AdaptiveTest, ScoresAreThoseOfTheDefenceWhereTheBankIsTheBatch) {
  const at::NoGradGuard no_grad;
  const auto batch = everything();
  const auto x_adv = (batch.x + 0.02 * at::sin(100 * batch.x)).clamp(0, 1);
  const ReferenceBank bank{estimators_.natural.local_features(batch.x),
                           estimators_.adversarial.local_features(x_adv - batch.x), batch.ids};
  const auto logits = model_(batch.x), logits_adv = model_(x_adv);
  const auto got = adaptive_scores(
      estimators_, bank, {batch.x, logits, mi::same_samples(batch.ids, batch.ids, at::kCPU)}, x_adv,
      logits_adv);
  const auto expect = [](const at::Tensor& score, const mi::Estimator& estimator,
                         const at::Tensor& local, const at::Tensor& output) {
    const auto expected = -estimator.loss(local, output).mean(1);
    EXPECT_TRUE(at::allclose(score, expected, 1e-4, 1e-5)) << score - expected;
  };
  expect(got.natural_on_natural, estimators_.natural, bank.natural, logits);
  expect(got.natural_on_adversarial, estimators_.natural, bank.natural, logits_adv);
  expect(got.adversarial_on_natural, estimators_.adversarial, bank.adversarial, logits);
  expect(got.adversarial_on_adversarial, estimators_.adversarial, bank.adversarial, logits_adv);
}

TEST_F(AdaptiveTest, TheGradientIsThatOfFiniteDifferencesInDoublePrecision) {
  for (const auto* one : {&estimators_.natural, &estimators_.adversarial}) one->to(at::kDouble);
  const auto weight = at::sin(at::arange(64 * kClasses, at::kDouble)).view({64, kClasses}) / 4;
  const auto logits_of = [&](const at::Tensor& x) { return at::tanh(x.flatten(1).matmul(weight)); };
  const auto batch = everything();
  const auto x = batch.x.narrow(0, 0, 3).to(at::kDouble), y = batch.y.narrow(0, 0, 3);
  const auto images = batch.x.narrow(0, 3, 6).to(at::kDouble);
  const ReferenceBank bank{estimators_.natural.local_features(images),
                           estimators_.adversarial.local_features(0.02 * at::cos(50 * images)),
                           {}};
  const AdaptiveBatch seen{x, logits_of(x), at::zeros({3, 6}, at::kBool)};
  const auto start = x + 0.02 * at::sin(90 * x);
  for (const auto kind :
       {AdaptiveLoss::all, AdaptiveLoss::natural_score, AdaptiveLoss::adversarial_score}) {
    const auto loss = [&](const at::Tensor& x_adv) {
      const auto logits = logits_of(x_adv);
      return adaptive_loss(kind, adaptive_scores(estimators_, bank, seen, x_adv, logits),
                           attacks::attack_loss(attacks::AttackLoss::cross_entropy, logits, y), {});
    };
    const auto leaf = start.clone().requires_grad_(true);
    const auto gradient = torch::autograd::grad({loss(leaf).sum()}, {leaf}).front();
    EXPECT_GT(gradient.abs().min().item<double>(), 0);
    const at::NoGradGuard no_grad;
    constexpr double kStep = 1e-6;
    for (const std::int64_t pixel : {0, 17, 42, 63}) {
      auto up = start.clone(), down = start.clone();
      up.view({3, 64}).select(1, pixel).add_(kStep);
      down.view({3, 64}).select(1, pixel).sub_(kStep);
      const auto difference = (loss(up) - loss(down)) / (2 * kStep);
      const auto expected = gradient.view({3, 64}).select(1, pixel);
      EXPECT_TRUE(at::allclose(difference, expected, 1e-5, 1e-8))
          << to_string(kind) << " pixel " << pixel << "\n"
          << difference << expected;
    }
  }
}

TEST_F(AdaptiveTest, ResultsStayInsideTheBallAndAreNotWeakerThanTheStart) {
  const auto batch = everything();
  const auto attack = attacks().front();
  ASSERT_EQ(attack.name, "adaptive-pgd");
  const attacks::Context context{.random = Random(3, "test/adaptive-pgd"), .ids = batch.ids};
  const auto start = attacks::start_point(batch.x, attacks::Start::uniform, kBudget,
                                          attacks::Draws(context, batch.ids, 0));
  const auto result = run(attack, batch);
  EXPECT_LE((result.x_adv - batch.x).abs().max().item<double>(), kBudget.epsilon + 1e-6);
  EXPECT_GE(result.x_adv.min().item<double>(), 0);
  EXPECT_LE(result.x_adv.max().item<double>(), 1);
  const at::NoGradGuard no_grad;
  const auto logits = model_(start);
  const auto fooled = logits.argmax(1).ne(batch.y);
  EXPECT_TRUE(fooled.logical_not().logical_or(result.success).all().item<bool>());
  const auto before =
      adaptive_loss(AdaptiveLoss::all, scores(batch, start),
                    attacks::attack_loss(attacks::AttackLoss::cross_entropy, logits, batch.y), {});
  const auto weaker = (result.loss < before - 1e-4).logical_and(result.success.logical_not());
  EXPECT_FALSE(weaker.any().item<bool>()) << result.loss - before;
  EXPECT_GT((result.loss - before).mean().item<double>(), 0.01);
}

TEST_F(AdaptiveTest, EachScoreIsDrivenItsOwnWay) {
  const auto batch = everything();
  const auto all = attacks({.steps = 10, .bank = 7});
  ASSERT_EQ(all.size(), 4U);
  const auto clean = scores(batch, batch.x);
  const auto natural = scores(batch, run(all[2], batch).x_adv);
  EXPECT_LT(natural.natural_on_adversarial.mean().item<double>(),
            clean.natural_on_adversarial.mean().item<double>() - 0.01);
  const auto adversarial = scores(batch, run(all[3], batch).x_adv);
  EXPECT_GT(adversarial.adversarial_on_adversarial.mean().item<double>(),
            clean.adversarial_on_adversarial.mean().item<double>() + 0.01);
}

TEST_F(AdaptiveTest, CountsTheForwardOfTheNaturalImages) {
  const auto batch = everything();
  const auto all = attacks();
  EXPECT_EQ(run(all[0], batch).passes.forwards, kImages * (5 + 1 + 1));
  EXPECT_EQ(run(all[0], batch).passes.backwards, kImages * 5);
  EXPECT_EQ(run(all[1], batch).passes.forwards, kImages * (5 + 1 + 1));
}

TEST_F(AdaptiveTest, LedgersAreByteEqualForAnyBatchSizeAndOrder) {
  const testing::TempFolder temp;
  const auto ledger = [&](const std::string& name, const data::Dataset& dataset, int batch_size) {
    auto suite = make_suite({.suite = "pgd"}, {.budget = kBudget, .steps = 3});
    for (auto& entry : adaptive_attacks(estimators_, dataset, kBudget, 3, {.steps = 3, .bank = 7}))
      suite.attacks.push_back(std::move(entry));
    const auto folder = temp / name;
    std::filesystem::create_directories(folder);
    const EvaluateOptions options{
        .seed = 3, .compute_batch = 16, .batch_size = batch_size, .gallery = 0};
    const auto result = evaluate_with(
        {.model = model_, .dataset = dataset, .options = options, .folder = folder}, suite);
    EXPECT_EQ(result.at("attacks").size(), 5U) << "rows of their own";
    double least = 1;
    for (const auto& row : result.at("attacks"))
      least = std::min(least, row.at("robust").at("accuracy").get<double>());
    EXPECT_LE(result.at("robust").at("accuracy").get<double>(), least) << "and of the worst case";
    std::ifstream file(folder / "ledger.sqlite", std::ios::binary);
    return std::string{std::istreambuf_iterator<char>(file), {}};
  };
  const auto expected = ledger("whole", dataset_, 256);
  EXPECT_EQ(ledger("seven", dataset_, 7), expected);
  std::vector<std::int64_t> reversed(kImages);
  std::iota(reversed.rbegin(), reversed.rend(), 0);
  EXPECT_EQ(ledger("reversed", dataset_.rows(reversed), 256), expected);
}

TEST_F(AdaptiveTest, TheBankFollowsTheSeedNotTheOrderOfTheData) {
  std::vector<std::int64_t> reversed(kImages);
  std::iota(reversed.rbegin(), reversed.rend(), 0);
  const auto turned = dataset_.rows(reversed);
  const auto ids = [](const data::Dataset& dataset, std::uint64_t seed) {
    SampleIds found;
    for (const auto row : bank_rows(dataset, 7, seed))
      found.push_back(dataset.ids[static_cast<std::size_t>(row)]);
    return found;
  };
  EXPECT_EQ(ids(dataset_, 3), ids(turned, 3));
  EXPECT_NE(ids(dataset_, 3), ids(dataset_, 4));
  EXPECT_EQ(ids(dataset_, 3).size(), 7U);
  EXPECT_EQ(bank_rows(dataset_, 999, 3).size(), static_cast<std::size_t>(kImages));
}

TEST_F(AdaptiveTest, OptionsTextNamesEstimatorsAndRefusalsSayWhatIsMissing) {
  const auto before = attacks().front().options;
  EXPECT_HAS(before, "loss=all alpha=5 lambda=0.1 steps=5 bank=7 estimators=");
  estimators_.adversarial.parameters().front().detach().add_(1);
  EXPECT_NE(attacks().front().options, before);
  estimators_.adversarial = {};
  estimators_.info.objective = "standard";
  EXPECT_HAS(message_of<OptionError>([&] { attacks(); }), "got those of objective 'standard'");
  EXPECT_HAS(message_of<OptionError>([&] { attacks({.bank = 1}); }), "bank: expected ≥ 2, got 1");
}

}  // namespace
}  // namespace namid::eval
