// SPDX-License-Identifier: Apache-2.0
#include "namid/attacks/attack.h"

#include "attacks/toy.h"
#include "namid/attacks/attack_scope.h"
#include "namid/attacks/pgd.h"

namespace namid::attacks {
namespace {

std::string refusal(const at::Tensor& x, const at::Tensor& y) {
  return message_of([&] { check_batch(curved({1, 4, 4}), x, y, "pgd"); });
}

TEST(CheckBatch, AcceptsWhatFits) {
  EXPECT_EQ(refusal(images(3, {1, 4, 4}), labels(3, 4)), "no such error");
  EXPECT_EQ(refusal(at::ones({1, 1, 4, 4}), labels(1, 4)), "no such error");
}

TEST(CheckBatch, NamesWrongTypes) {
  const auto x = images(2, {1, 4, 4});
  EXPECT_EQ(
      refusal((x * 255).to(at::kByte), labels(2, 4)),
      "[pgd] x: expected float32 images in [0, 1], got Byte; convert to float32 and divide by "
      "255");
  EXPECT_EQ(refusal(x.to(at::kDouble), labels(2, 4)),
            "[pgd] x: expected float32 images in [0, 1], got Double; convert to float32");
  EXPECT_EQ(refusal(x, labels(2, 4).to(at::kInt)),
            "[pgd] y: expected int64 labels, got Int; convert to int64");
  EXPECT_EQ(refusal({}, labels(2, 4)),
            "[pgd] x: expected a batch of images, got an undefined tensor");
  EXPECT_EQ(refusal(x, {}), "[pgd] y: expected one label per image, got an undefined tensor");
}

TEST(CheckBatch, NamesWrongShapes) {
  const auto x = images(2, {1, 4, 4});
  EXPECT_EQ(refusal(x.squeeze(1), labels(2, 4)),
            "[pgd] x: expected shape (N, 1, 4, 4), got (2, 4, 4)");
  EXPECT_EQ(refusal(x[0], labels(1, 4)), "[pgd] x: expected shape (N, 1, 4, 4), got (1, 4, 4)");
  EXPECT_EQ(refusal(at::scalar_tensor(0.5f), labels(1, 4)),
            "[pgd] x: expected shape (N, 1, 4, 4), got ()");
  EXPECT_EQ(refusal(x.slice(0, 0, 0), labels(0, 4)),
            "[pgd] x: expected at least one image, got an empty batch");
  EXPECT_EQ(refusal(x, labels(3, 4)), "[pgd] y: expected one label per image, shape (2), got (3)");
  EXPECT_EQ(refusal(x, labels(2, 4).view({2, 1})),
            "[pgd] y: expected one label per image, shape (2), got (2, 1)");
}

TEST(CheckBatch, NamesWrongValues) {
  const auto x = images(2, {1, 4, 4}) * 0 + 0.5;
  const auto with = [&](float value) {
    auto changed = x.clone();
    changed[1][0][2][3] = value;
    return refusal(changed, labels(2, 4));
  };
  EXPECT_EQ(with(255),
            "[pgd] x: expected values in [0, 1], got 0.5 to 255; images in 0..255? divide "
            "by 255");
  EXPECT_EQ(with(1.25), "[pgd] x: expected values in [0, 1], got 0.5 to 1.25");
  EXPECT_EQ(with(-2),
            "[pgd] x: expected values in [0, 1], got -2 to 0.5; give images as they are "
            "before normalisation, which belongs into the model");
  const std::string not_finite = "[pgd] x: expected finite values in [0, 1], got NaN or infinity";
  EXPECT_EQ(with(std::numeric_limits<float>::quiet_NaN()), not_finite);
  EXPECT_EQ(with(-std::numeric_limits<float>::infinity()), not_finite);
  EXPECT_EQ(refusal(x, at::tensor({0, 4}, at::kLong)), "[pgd] y: expected labels in 0..3, got 4");
  EXPECT_EQ(refusal(x, at::tensor({-100, 4}, at::kLong)),
            "[pgd] y: expected labels in 0..3, got -100");
}

TEST(ValidateBudget, NamesTheRangeAndTheUnit) {
  const auto refused = [](Budget budget) {
    return message_of([&] { validate_budget(budget, "pgd"); });
  };
  EXPECT_EQ(refused({Norm::linf, 1}), "no such error");
  EXPECT_EQ(refused({Norm::l2, 300}), "no such error");
  EXPECT_EQ(refused({Norm::linf, 8}),
            "[pgd] epsilon: expected a number in [0, 1] for linf, got 8; in "
            "units of 0..255? write 8/255");
  EXPECT_EQ(refused({Norm::linf, 256}),
            "[pgd] epsilon: expected a number in [0, 1] for linf, got 256");
  EXPECT_EQ(refused({Norm::l2, -1}), "[pgd] epsilon: expected ≥ 0, got -1");
  EXPECT_EQ(refused({Norm::l2, std::nan("")}), "[pgd] epsilon: expected ≥ 0, got nan");
  EXPECT_EQ(refused({Norm::l0, 3}), "[pgd] norm: expected linf or l2 or l1, got l0");
  const auto sparse = [](double epsilon) {
    return message_of([&] { validate_budget({Norm::l0, epsilon}, "fmn", {Norm::l0}); });
  };
  EXPECT_EQ(sparse(0), "no such error");
  EXPECT_EQ(sparse(1), "no such error");
  EXPECT_EQ(
      sparse(0.5),
      "[fmn] epsilon: expected 0 or a number of entries from 1 for l0, got 0.5; l0 counts the "
      "entries that change");
}

TEST(Pgd, RefusesUnfitArgumentsBeforeTheFirstPass) {
  const auto model = curved({12});
  const auto x = images(2, {12}), y = labels(2, 4);
  Passes passes;
  const auto refused = [&](const PgdOptions& options, SampleIds ids = {}) {
    return message_of(
        [&] { pgd(model, x, y, options, {.ids = std::move(ids), .passes = &passes}); });
  };
  EXPECT_EQ(refused({.steps = 0}), "[pgd] steps: expected ≥ 1, got 0");
  EXPECT_EQ(refused({.step_size = -1.0}), "[pgd] step_size: expected ≥ 0, got -1");
  EXPECT_EQ(refused({.restarts = 0}), "[pgd] restarts: expected ≥ 1, got 0");
  EXPECT_EQ(refused({.budget = {Norm::linf, 4}}).substr(0, 14), "[pgd] epsilon:");
  EXPECT_EQ(refused({}, {1, 2, 3}), "[random] expected 2 sample ids, got 3");
  EXPECT_EQ(passes.forwards, 0);
}

TEST(AttackScope, RestoresModesAndFlagsOnAnyExit) {
  auto weight = wave({4, 12}, 1, 0.4).set_requires_grad(true), fixed = at::zeros({4});
  bool fail = false, trained = true, needed = true;
  Classifier model;
  model = Classifier(
      [&](const at::Tensor& x) {
        trained = model.is_training();
        needed = weight.requires_grad();
        if (fail) throw std::runtime_error("the model's own error");
        return at::linear(x, weight, fixed);
      },
      {.name = "probe", .num_classes = 4, .input_shape = {12}}, {weight, fixed});
  const auto x = images(2, {12}), y = labels(2, 4);
  for (const bool mode : {true, false}) {
    model.train(mode);
    for (const bool fails : {false, true}) {
      fail = fails;
      if (fails) {
        EXPECT_THROW(pgd(model, x, y), std::runtime_error);
      } else {
        pgd(model, x, y);
      }
      EXPECT_FALSE(trained) << "eval mode inside";
      EXPECT_FALSE(needed) << "no weight gradients inside";
      EXPECT_EQ(model.is_training(), mode);
      EXPECT_TRUE(weight.requires_grad());
      EXPECT_FALSE(fixed.requires_grad());
      EXPECT_FALSE(weight.grad().defined());
      EXPECT_TRUE(c10::GradMode::is_enabled());
    }
  }
  model = Classifier();  // the callable holds a reference to it
}

TEST(AttackScope, WorksInEveryGradientModeOfTheCaller) {
  const auto model = curved({12});
  const auto y = labels(3, 4);
  const auto expected = pgd(model, images(3, {12}), y).x_adv;
  {
    const c10::AutoGradMode without(false);
    EXPECT_TRUE(same_bits(pgd(model, images(3, {12}), y).x_adv, expected));
    EXPECT_FALSE(c10::GradMode::is_enabled());
  }
  {
    const c10::InferenceMode inference;
    EXPECT_TRUE(same_bits(pgd(model, images(3, {12}), y).x_adv, expected));
    EXPECT_TRUE(c10::InferenceMode::is_enabled());
  }
  const auto graph = images(3, {12}).requires_grad_();
  const auto x_adv = pgd(model, graph * 1, y).x_adv;
  EXPECT_TRUE(same_bits(x_adv, expected));
  EXPECT_FALSE(x_adv.requires_grad());
}

}  // namespace
}  // namespace namid::attacks
