// SPDX-License-Identifier: Apache-2.0
// One training step of each defence equals a plain PyTorch implementation (training_step.py): loss,
// gradients of all parameters, BatchNorm statistics.
#include <gtest/gtest.h>

#include "namid/defenses/mma_reference.h"
#include "namid/defenses/registry.h"
#include "namid/models/registry.h"
#include "support/float64.h"
#include "support/mi_toy.h"
#include "support/reference_step.h"

namespace namid::defenses {
namespace {

using testing::check_steps;
using testing::in_float64;
using testing::keep;
using testing::MiToy;
using testing::small_estimators;
using testing::wave;
using Options = std::map<std::string, std::string>;

const NamidOptions kReferenceTerms{
    .lambda = 0, .selection = mi::SelectionRule::batch_softmax, .dv_mask = mi::DvMask::multiply};

/// Eight 8x8 images, a small network in float64 and train mode that has them right, and PGD
/// examples that partly fool it.
struct Problem {
  Classifier model = models::create({.model = "small_cnn", .width = 4}, {3, 8, 8}, 10, /*seed=*/1);
  Batch batch{(0.5 + 0.5 * wave({8, 3, 8, 8}, 0.013)).to(at::kFloat), {}, {0, 1, 2, 3, 4, 5, 6, 7}};
  at::Tensor x_adv;

  explicit Problem(double epsilon = 0.2) {
    batch.y = model(batch.x).argmax(1);
    const Context context{.random = Random(1, "train/attack"), .epoch = 1};
    x_adv = craft(model, batch, {.budget = {.epsilon = epsilon}, .steps = 3}, context);
    model = in_float64(model);
    batch.x = batch.x.to(at::kDouble);
    x_adv = x_adv.to(at::kDouble);
  }
};

using Step = std::function<ObjectiveResult(const Classifier&, const Batch&, const at::Tensor&)>;

std::string text(BnUpdates updates) {
  return std::string(to_string(updates));
}

/// Collects steps, what went into them and what came out, and has them recomputed together.
struct Check {
  std::vector<testing::StepCase> cases;

  /// Makes the step. `inputs` and `options`: what the script needs besides the problem.
  Metrics add(const Problem& problem, const Step& step, Options options, TensorMap inputs = {}) {
    const auto& [model, batch, x_adv] = problem;
    TensorMap tensors{{"x", batch.x}, {"x_adv", x_adv}, {"y", batch.y}};
    tensors.insert(tensors.end(), inputs.begin(), inputs.end());
    keep(tensors, "model", model.state_dict());
    const auto result = step(model, batch, x_adv);
    result.loss.backward();
    tensors.emplace_back("loss", result.loss);
    const auto state = model.state_dict();
    keep(tensors, "after", state);
    std::size_t next = 0;
    const auto parameters = model.parameters();
    for (const auto& [name, tensor] : state)
      if (name.find("running_") == std::string::npos && !name.ends_with("num_batches_tracked"))
        tensors.emplace_back("grad." + name, parameters[next++].grad());
    options.try_emplace("bn_updates", "once");
    options.try_emplace("beta", "6");
    options.try_emplace("title", options.at("defense") + ", bn_updates " + options["bn_updates"]);
    cases.push_back({str("case-", cases.size()), tensors, options});
    return result.metrics;
  }
  void finish() const { check_steps("defenses/training_step.py", cases); }
};

TEST(TrainingStep, OfEachBaseLossEqualsPlainPyTorch) {
  Check check;
  for (const auto updates : {BnUpdates::once, BnUpdates::reference})
    for (const auto& [name, base] :
         std::vector<std::pair<std::string, BaseLoss>>{{"standard", cross_entropy_base()},
                                                       {"trades", trades_base()},
                                                       {"mart", mart_base()},
                                                       {"mma-reference", mma_reference_base()}}) {
      const auto step = [&](const Classifier& model, const Batch& batch, const at::Tensor& x_adv) {
        return base_loss_on(model, batch, x_adv, base, updates);
      };
      check.add(Problem(), step, {{"defense", name}, {"bn_updates", text(updates)}});
    }
  check.finish();
}

TEST(TrainingStep, OfMmaEqualsPlainPyTorch) {
  Problem problem;
  problem.batch.y[6] = (problem.batch.y[6] + 1) % 10;
  for (const auto& last : {8, 9}) problem.model.parameters()[last].data().mul_(40);
  const auto inside =
      soft_logit_margin(problem.model.clone()(problem.batch.x), problem.batch.y) < 0;
  const auto margins =
      at::where(inside, torch::tensor({.02, .2, .05, .01, .3, .04, .1, .08}, at::kDouble), 0.0);
  ASSERT_GT(inside.logical_and(margins < .15).sum().item<std::int64_t>(), 0);
  ASSERT_GT(inside.logical_and(margins > .15).sum().item<std::int64_t>(), 0);
  ASSERT_LT(inside.sum().item<std::int64_t>(), 8);
  Check check;
  check.add(
      problem,
      [&](const Classifier& model, const Batch& batch, const at::Tensor& x_adv) {
        const auto natural = model(batch.x);
        return ObjectiveResult{mma_loss(natural, model(x_adv), batch.y, margins, .15, 1.0 / 3), {}};
      },
      {{"defense", "mma"}, {"d_max", "0.15"}, {"clean_weight", str(1.0 / 3)}},
      {{"margins", margins}});
  check.finish();
}

TensorMap estimator_tensors(const mi::EstimatorPair& pair) {
  TensorMap tensors;
  keep(tensors, "natural", pair.natural.state_dict());
  if (pair.adversarial.defined()) keep(tensors, "adversarial", pair.adversarial.state_dict());
  return tensors;
}

Options texts(const NamidOptions& options, const std::string& base) {
  return {{"base", base},
          {"alpha", str(options.alpha)},
          {"lambda", str(options.lambda)},
          {"lambda_clamp", std::string(to_string(options.lambda_clamp))},
          {"selection", std::string(to_string(options.selection))},
          {"dv_mask", std::string(to_string(options.dv_mask))}};
}

Metrics add_namid(Check& check, const Problem& problem, const std::string& defense,
                  const std::string& base, const NamidSetting& setting,
                  BnUpdates updates = BnUpdates::once) {
  auto options = texts(setting.options, base);
  options["defense"] = defense;
  options["bn_updates"] = text(updates);
  options["title"] = str(defense, ", bn_updates ", text(updates), ", clamp ",
                         options["lambda_clamp"], ", selection ", options["selection"]);
  const auto step = [&](const Classifier& model, const Batch& batch, const at::Tensor& x_adv) {
    return namid_loss(model, batch, x_adv, setting, updates);
  };
  return check.add(problem, step, options, estimator_tensors(setting.estimators));
}

TEST(TrainingStep, OfNamidOnEachBaseLossEqualsPlainPyTorch) {
  Check check;
  for (const auto clamp : {LambdaClamp::both, LambdaClamp::one_sided, LambdaClamp::off}) {
    const NamidOptions options{.lambda_clamp = clamp};
    const auto pair = small_estimators();
    const auto metrics =
        add_namid(check, Problem(), "namid", "standard", {.estimators = pair, .options = options});
    EXPECT_GE(metrics.at("selected"), 2);
    EXPECT_LT(metrics.at("selected"), 8);
    add_namid(check, Problem(), "namid-t", "trades",
              {.estimators = pair, .options = options, .base = trades_base()});
    add_namid(check, Problem(), "namid-m", "mart",
              {.estimators = pair, .options = options, .base = mart_base()});
  }
  check.finish();
}

TEST(TrainingStep, OfNamidInTheReferenceProfileEqualsTheReleasedOrder) {
  Check check;
  const NamidSetting setting{.estimators = small_estimators(), .options = kReferenceTerms};
  const auto full = add_namid(check, Problem(), "namid", "standard", setting, BnUpdates::reference);
  EXPECT_GE(full.at("selected"), 2) << "seven forwards";
  const auto empty =
      add_namid(check, Problem(0), "namid", "standard", setting, BnUpdates::reference);
  EXPECT_EQ(empty.at("mi_empty"), 1) << "three forwards";
  check.finish();
}

TEST(TrainingStep, OfAtMimEqualsPlainPyTorch) {
  auto pair = small_estimators();
  pair.adversarial = {};
  const AtMimSetting setting{.estimators = pair};
  const auto step = [&](const Classifier& model, const Batch& batch, const at::Tensor& x_adv) {
    return at_mim_loss(model, batch, x_adv, setting);
  };
  Check check;
  check.add(Problem(), step, {{"defense", "at-mim"}, {"alpha", "0.1"}, {"dv_mask", "exclude"}},
            estimator_tensors(pair));
  check.finish();
}

TensorMap dv_vectors(const MiToy& toy, mi::DvMask mask) {
  const auto& [natural, adversarial, info] = toy.estimators;
  const auto local_n = natural.local_features(toy.x);
  const auto local_a = adversarial.local_features(toy.x_adv - toy.x);
  const auto z = toy.model(toy.x), z_adv = toy.model(toy.x_adv);
  return {{"dv.natural", natural.loss(local_n, z, mask).mean(1)},
          {"dv.natural_other", natural.loss(local_n, z_adv, mask).mean(1)},
          {"dv.adversarial", adversarial.loss(local_a, z_adv, mask).mean(1)},
          {"dv.adversarial_other", adversarial.loss(local_a, z, mask).mean(1)}};
}

TEST(TrainingStep, OnTheToyProblemEqualsPlainPyTorchInBothProfiles) {
  Check check;
  for (const auto& options : {NamidOptions(), kReferenceTerms}) {
    MiToy toy;
    if (options.lambda > 0) toy.y = toy.model(toy.x).argmax(1);  // else argmax selects nothing
    TensorMap tensors{{"x", toy.x}, {"x_adv", toy.x_adv}, {"y", toy.y}};
    keep(tensors, "model", {{"weight", toy.weight}});
    for (const auto& more : {estimator_tensors(toy.estimators), dv_vectors(toy, options.dv_mask)})
      tensors.insert(tensors.end(), more.begin(), more.end());
    const auto result = namid_loss(toy.model, {toy.x, toy.y, {}}, toy.x_adv,
                                   {.estimators = toy.estimators, .options = options});
    EXPECT_GE(result.metrics.at("selected"), 2);
    tensors.emplace_back("loss", result.loss);
    tensors.emplace_back("grad.weight", torch::autograd::grad({result.loss}, {toy.weight})[0]);
    auto texts_of_case = texts(options, "standard");
    texts_of_case.merge(Options{{"defense", "namid"},
                                {"beta", "6"},
                                {"bn_updates", "once"},
                                {"title", options.lambda > 0 ? "toy, paper" : "toy, reference"}});
    check.cases.push_back({str("case-", check.cases.size()), tensors, texts_of_case});
  }
  check.finish();
}

/// Printed by a float32 run of the released code.
TEST(GoldenToy, DvVectors) {
  const MiToy toy;
  const std::vector<at::Tensor> printed{
      torch::tensor({-.380903, 1.223064, .147614, .654112, -.358967, -.05555}, at::kDouble),
      torch::tensor({-.316538, .535355, .704414, .421766, -.171015, -.192652}, at::kDouble),
      torch::tensor({.010805, -.000381, -.040342, .012739, .007107, -.006367}, at::kDouble),
      torch::tensor({.019291, -.000298, -.009832, .018372, .018145, -.00103}, at::kDouble)};
  const auto got = dv_vectors(toy, mi::DvMask::multiply);
  double largest = 0;
  for (std::size_t i = 0; i < printed.size(); ++i)
    largest = std::max(largest, testing::deviation(got[i].second, printed[i]));
  std::printf("DV vectors of the toy problem: largest deviation %.1e\n", largest);
  EXPECT_LT(largest, 3e-5);
}

TEST(GoldenToy, LossAndGradient) {
  const MiToy toy;
  const auto result = namid_loss(toy.model, {toy.x, toy.y, {}}, toy.x_adv,
                                 {.estimators = toy.estimators, .options = kReferenceTerms});
  const auto gradient =
      torch::autograd::grad({result.loss}, {toy.weight})[0].abs().sum().item<double>();
  const std::vector<std::tuple<const char*, double, double, double>> rows{
      {"CE", result.metrics.at("base_loss"), 2.607493, 1e-6},
      {"L_all", result.metrics.at("loss"), 5.710791, 3e-3 * 5.710791},
      {"sum of |gradient|", gradient, 3218.49292, 3e-3 * 3218.49292}};
  for (const auto& [name, got, printed, tolerance] : rows) {
    std::printf("%s of the toy problem: deviation %.1e\n", name, std::abs(got - printed));
    EXPECT_NEAR(got, printed, tolerance) << name;
  }
}

}  // namespace
}  // namespace namid::defenses
