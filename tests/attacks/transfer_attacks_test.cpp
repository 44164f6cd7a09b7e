// SPDX-License-Identifier: Apache-2.0
// FGSM with and without momentum, diversity and smoothing.
#include "attacks/contract.h"
#include "namid/attacks/di_fgsm.h"
#include "namid/attacks/fgsm.h"
#include "namid/attacks/losses.h"
#include "namid/attacks/mi_fgsm.h"
#include "namid/attacks/norms.h"
#include "namid/attacks/pgd.h"
#include "namid/attacks/ti_dim.h"
#include "namid/attacks/ti_fgsm.h"

namespace namid::attacks {
namespace {

/// The model, images and labels of the golden values.
struct GoldenBatch {
  Classifier model = golden_linear();
  at::Tensor x = images(2, {3, 8, 8});
  at::Tensor y = at::zeros({2}, at::kLong);

  void expect(const at::Tensor& x_adv, const std::vector<double>& loss,
              const std::vector<double>& mean) const {
    expect_values(attack_loss(AttackLoss::cross_entropy, model(x_adv), y), loss, 2e-4);
    expect_values((x_adv - x).abs().flatten(1).mean(1), mean, 5e-4);
  }
};

TEST(TransferGolden, MiFgsmIsTheReferences) {
  const GoldenBatch golden;
  const auto result = mi_fgsm(golden.model, golden.x, golden.y, {.judge = Judge::last});
  golden.expect(result.x_adv, {2.641556, 2.690107}, {.029384, .028628});
}

TEST(TransferGolden, SmoothedGradientsWithMomentumAreTheReferences) {
  const GoldenBatch golden;
  const auto at_size = [&](int size) {
    return ti_fgsm(golden.model, golden.x, golden.y, {.smoothing = {.kernel_size = size}}).x_adv;
  };
  golden.expect(at_size(15), {2.022, 2.064725}, {.028734, .028893});
  expect_values(attack_loss(AttackLoss::cross_entropy, golden.model(at_size(7)), golden.y),
                {2.281207, 2.325085}, 2e-4);
}

TEST(TransferGolden, TiDimOfTheReleasedCodeIsTheReferences) {
  const GoldenBatch golden;
  const auto result = ti_dim(
      golden.model, golden.x, golden.y,
      {.momentum = {.steps = 10, .step_size = 0.007, .decay = 0.1}, .compat = Compat::reference});
  golden.expect(result.x_adv, {2.08282, 2.11335}, {.02505, .0239});
}

TEST(TransferGolden, APlacedImageIsTheReferences) {
  const GoldenBatch golden;
  const std::vector<Placement> placements(2, {.rows = 7, .columns = 7, .top = 1, .left = 0});
  const auto image = placed(golden.x, placements, {8, 8});
  expect_values(image.flatten(1).sum(1), {73.581421, 73.671951}, 1e-6);
  expect_values(attack_loss(AttackLoss::cross_entropy, golden.model(image), golden.y),
                {2.185061, 2.121349}, 1e-5);
}

TEST(TransferGolden, TheGaussianKernelIsTheReferences) {
  expect_values(
      kernel_of(Smoothing{}, "ti-dim")[7].slice(0, 0, 8),
      {.00032552, .00107418, .00294988, .00674159, .01282188, .02029424, .02673162, .02930283},
      2e-5);
  EXPECT_NEAR(kernel_of(Smoothing{}, "ti-dim")[0][0].item<double>(), 3.6163e-6, 1e-10);
}

TEST(Smoothing, KernelsSumToOneAndAreSymmetric) {
  for (const auto kernel : {Kernel::gaussian, Kernel::linear, Kernel::uniform}) {
    for (const int size : {1, 3, 15}) {
      const auto made = kernel_of({.kernel = kernel, .kernel_size = size}, "ti-fgsm");
      EXPECT_NEAR(made.sum().item<double>(), 1, 1e-6);
      EXPECT_TRUE(at::allclose(made, made.t()));
      EXPECT_TRUE(at::allclose(made, made.flip({0, 1})));
    }
  }
  EXPECT_EQ(message_of([] { kernel_of({.kernel_size = 4}, "ti-dim"); }),
            "[ti-dim] kernel_size: expected an odd number, got 4");
}

TEST(Diversity, PlacedAsTorchInterpolatesForEverySize) {
  const auto x = images(3, {2, 9, 12});
  for (const std::int64_t rows : {5, 9, 11}) {
    for (const std::int64_t columns : {7, 12, 14}) {
      const auto resized = at::upsample_bilinear2d(x, {rows, columns}, false);
      const std::vector<Placement> at(3, {rows, columns, 1, 0});
      const auto expected = at::constant_pad_nd(resized, {0, 15 - columns, 1, 13 - 1 - rows}, 0);
      EXPECT_TRUE(at::allclose(placed(x, at, {13, 15}), expected, 1e-5, 1e-6));
    }
  }
}

TEST(Diversity, EverySampleDrawsItsOwnAndReachesTheLastOffset) {
  const auto x = at::ones({400, 1, 10, 10});
  SampleIds ids;
  for (std::uint64_t i = 0; i < 400; ++i) ids.push_back(i);
  const Context context{.random = Random(0, "diversity")};
  const Draws draws(context, ids, 0);
  const auto image = diversified(x, {.probability = 1, .resize = 0.8}, draws, 3);
  const auto sums = image.flatten(1).sum(1).round();
  EXPECT_TRUE((sums == 64).any().item<bool>()) << "r = 8";
  EXPECT_TRUE((sums == 100).any().item<bool>()) << "r = 10";
  const auto last_row = image.select(2, 9).sum({1, 2});
  EXPECT_TRUE(((sums == 64) & (last_row > 0)).any().item<bool>()) << "the last offset is drawn";
  const auto alone =
      diversified(x.slice(0, 7, 8), {.probability = 1, .resize = 0.8}, Draws(context, {7}, 0), 3);
  EXPECT_TRUE(at::allclose(alone[0], image[7]));
  const auto never = diversified(x, {.probability = 0, .resize = 0.8}, draws, 3);
  EXPECT_TRUE(same_bits(never, x));
}

TEST(Diversity, TheRateFollowsTheModelUnlessItIsGiven) {
  const Classifier flexible(
      [](const at::Tensor& x) {
        return x.mean({2, 3}).slice(1, 0, 2);
      },
      {.name = "pooled", .num_classes = 2, .input_shape = {3, 10, 10}});
  const Classifier rigid = linear(wave({4, 300}, 1, 0.3), at::zeros({4}), {3, 10, 10});
  const auto x = images(1, {3, 10, 10});
  Passes passes;
  EXPECT_EQ(resize_rate(flexible, x, {}, "di-fgsm", passes), 1.1);
  EXPECT_EQ(resize_rate(rigid, x, {}, "di-fgsm", passes), 0.9);
  EXPECT_EQ(passes.forwards, 2);
  EXPECT_EQ(resize_rate(rigid, x, {.resize = 0.7}, "di-fgsm", passes), 0.7);
  EXPECT_NE(message_of([&] {
              resize_rate(rigid, x, {.resize = 1.5}, "di-fgsm", passes);
            }).find("give a rate below 1"),
            std::string::npos);
}

TEST(MiFgsm, AVanishingGradientDoesNotFreezeASampleForGood) {
  // Pitfall 6: 0 / 0 in the momentum. The model is flat at the start, and only there.
  const Shape shape{4};
  const auto x = at::full({1, 4}, 0.5);
  const Classifier model(
      [&](const at::Tensor& at) {
        const auto away = (at - 0.5).relu().sum(1, true);
        return at::cat({away * 0, away}, 1);
      },
      {.name = "flat start", .num_classes = 2, .input_shape = shape});
  const auto y = at::zeros({1}, at::kLong);
  Context nudge{.random = Random(0, "mi")};
  int calls = 0;
  nudge.gradient = [&](const at::Tensor& x_adv, const at::Tensor&) {
    return calls++ == 0 ? at::zeros_like(x_adv) : at::ones_like(x_adv);
  };
  const MiFgsmOptions options{.budget = {Norm::linf, 0.1}};
  EXPECT_GT((mi_fgsm(model, x, y, options, nudge).x_adv - x).sum().item<float>(), 0.3);
  calls = 0;
  auto frozen = options;
  frozen.compat = Compat::torchattacks;
  EXPECT_TRUE(same_bits(mi_fgsm(model, x, y, frozen, nudge).x_adv, x));
}

TEST(MiFgsm, NesterovLooksAhead) {
  const auto model = curved({1, 8, 8});
  const auto x = images(3, {1, 8, 8});
  const auto y = model(x).argmax(1);
  const auto step = [&](bool nesterov) {
    return mi_fgsm(model, x, y,
                   {.budget = {Norm::l2, 0.5}, .nesterov = nesterov, .judge = Judge::last})
        .x_adv;
  };
  EXPECT_FALSE(at::allclose(step(true), step(false), 0, 1e-4));
}

TEST(MiFgsm, WithoutMomentumItIsPgdFromX) {
  const auto model = curved({1, 8, 8});
  const auto x = images(3, {1, 8, 8});
  const auto y = labels(3, 4);
  for (const auto norm : {Norm::linf, Norm::l2}) {
    const Budget budget{norm, usual_radius(norm)};
    const auto ours = mi_fgsm(model, x, y, {.budget = budget, .momentum = {.decay = 0}});
    const auto theirs = pgd(model, x, y, {.budget = budget, .steps = 10, .start = Start::none});
    EXPECT_TRUE(at::allclose(ours.x_adv, theirs.x_adv, 0, 1e-6)) << to_string(norm);
    EXPECT_TRUE(at::equal(ours.step, theirs.step));
  }
}

TEST(TransferAttacks, SayWhatTheyDoNotKnow) {
  const auto model = golden_linear();
  const auto x = images(2, {3, 8, 8});
  const auto y = at::zeros({2}, at::kLong);
  EXPECT_EQ(message_of([&] {
              mi_fgsm(model, x, y, {.budget = {Norm::l1, 1}});
            }),
            "[mi-fgsm] norm: expected linf or l2, got l1");
  EXPECT_EQ(message_of([&] {
              mi_fgsm(model, x, y, {.budget = {Norm::l2, 1}, .compat = Compat::torchattacks});
            }),
            "[mi-fgsm, torchattacks] norm: expected linf, got l2");
  EXPECT_EQ(message_of([&] { ti_dim(model, x, y, {.compat = Compat::foolbox}); }),
            "[ti-dim] compat: expected none or reference, got foolbox");
  EXPECT_EQ(message_of([&] { fgsm(model, x, y, {.loss = AttackLoss::kl}); }),
            "[fgsm] loss: kl has no gradient at x; use cross_entropy, margin or dlr");
  const auto flat = curved({12});
  for (const auto& attack : {"di-fgsm", "ti-fgsm", "ti-dim"})
    EXPECT_EQ(message_of([&] { NamedAttack{attack}(flat, images(2, {12}), y); }),
              str("[", attack, "] x: expected images (N, C, H, W), got shape [2, 12]"));
}

NAMID_ATTACK_CONTRACT(Fgsm, {.attack = "fgsm", .reach = 0});
NAMID_ATTACK_CONTRACT(MiFgsm, {.attack = "mi-fgsm", .options = {{"steps", "5"}}, .reach = 2});
NAMID_ATTACK_CONTRACT(
    DiFgsm, {.attack = "di-fgsm", .options = {{"steps", "5"}}, .images_only = true, .reach = 0});
NAMID_ATTACK_CONTRACT(
    TiFgsm, {.attack = "ti-fgsm", .options = {{"steps", "5"}}, .images_only = true, .reach = 0});
NAMID_ATTACK_CONTRACT(
    TiDim, {.attack = "ti-dim", .options = {{"steps", "5"}}, .images_only = true, .reach = 0});

}  // namespace
}  // namespace namid::attacks
