// SPDX-License-Identifier: Apache-2.0
#include "attacks/contract.h"

#include "namid/run/stop_token.h"

namespace namid::attacks {
namespace {

/// Counts the rows that the classifier gets to see.
Classifier counted(const Classifier& inner, std::int64_t& rows) {
  return Classifier(
      [inner, &rows](const at::Tensor& x) {
        rows += x.size(0);
        return inner(x);
      },
      inner.info(), inner.parameters());
}

/// Each row by itself: LibTorch's products of one row and of several may differ in the last bit,
/// which steps such as those of Frank-Wolfe may part on.
Classifier row_by_row(const Classifier& inner) {
  return Classifier(
      [inner](const at::Tensor& x) {
        std::vector<at::Tensor> rows;
        for (std::int64_t i = 0; i < x.size(0); ++i) rows.push_back(inner(x.slice(0, i, i + 1)));
        return rows.empty() ? inner(x) : at::cat(rows);
      },
      inner.info(), inner.parameters());
}

at::Tensor wrong(const Classifier& model, const at::Tensor& x, const at::Tensor& y) {
  return model(x).argmax(1) != y;
}

TEST_P(AttackContract, StaysInsideBallAndBox) {
  for (const double size : {1e-7, 1e-3, 0.05, 0.9}) {
    const Budget budget{norm, norm == Norm::l0 ? std::floor(1 + 10 * size) : size};
    expect_inside(contracted(GetParam().contract, budget)(model, x, y), x, budget);
  }
}

TEST_P(AttackContract, ReportsSuccessOfTheReturnedPoints) {
  const auto result = attack();
  EXPECT_TRUE(at::equal(result.success, wrong(model, result.x_adv, y)));
  EXPECT_TRUE(at::isfinite(result.loss).all().item<bool>());
  EXPECT_EQ(result.step.scalar_type(), at::kLong);
  for (const auto& column : {result.step, result.round, result.forwards, result.backwards})
    EXPECT_EQ(column.sizes(), y.sizes());
}

TEST_P(AttackContract, IsNotWeakerThanTheCleanPoint) {
  EXPECT_GE(attack().success.sum().item<std::int64_t>(),
            wrong(model, x, y).sum().item<std::int64_t>());
}

TEST_P(AttackContract, SameSeedSameResult) {
  EXPECT_TRUE(same_bits(attack().x_adv, attack().x_adv));
}

TEST_P(AttackContract, EpsilonZeroReturnsTheInputBitForBit) {
  const auto result = contracted(GetParam().contract, {norm, 0})(model, x, y);
  EXPECT_TRUE(same_bits(result.x_adv, x));
  EXPECT_TRUE(at::equal(result.success, wrong(model, x, y))) << "clean accuracy";
}

TEST_P(AttackContract, ASampleAloneIsAttackedAsInItsBatch) {
  const auto rowwise = row_by_row(model);
  const auto attacked = contracted(GetParam().contract, budget());
  const Context context{.random = Random(0, "contract")};
  const auto together = attacked(rowwise, x, y, context);
  for (std::int64_t i = 0; i < count; ++i) {
    const auto alone = attacked(rowwise, x.slice(0, i, i + 1), y.slice(0, i, i + 1), context);
    EXPECT_TRUE(at::allclose(alone.x_adv[0], together.x_adv[i], 0, 2e-5)) << "sample " << i;
    EXPECT_EQ(alone.success[0].item<bool>(), together.success[i].item<bool>());
    EXPECT_EQ(alone.forwards[0].item<std::int64_t>(), together.forwards[i].item<std::int64_t>());
  }
}

TEST_P(AttackContract, RowsThatAreDoneMayStayOrLeave) {
  const auto leaving = attack();
  const auto staying = attack({.random = Random(0, "contract"), .compact = false});
  EXPECT_TRUE(at::allclose(staying.x_adv, leaving.x_adv, 0, 2e-5));
  EXPECT_TRUE(at::equal(staying.success, leaving.success));
  EXPECT_TRUE(at::equal(staying.forwards, leaving.forwards));
}

TEST_P(AttackContract, InAFixedBatchNoRowHeedsTheVerdictsOnOthers) {
  Context context{.random = Random(0, "contract"), .round = 0, .compact = false};
  for (std::int64_t i = 0; i < count; ++i) context.ids.push_back(static_cast<std::uint64_t>(i));
  const auto before = attack(context);
  const auto first = y.slice(0, 0, 1).clone();
  y = (y + 1) % GetParam().classes;
  y.slice(0, 0, 1).copy_(first);
  EXPECT_TRUE(same_bits(attack(context).x_adv[0], before.x_adv[0]));
}

TEST_P(AttackContract, RoundsOneByOneAreTheWhole) {
  const auto whole = attack();
  const auto attack_alone = contracted(GetParam().contract, budget());
  const auto ids = hash_sample_ids(x, y);
  auto success = at::zeros_like(y, at::kBool);
  for (int round = 0; round < attack_alone.rounds(GetParam().classes); ++round)
    success |=
        attack_alone(model, x, y, {.random = Random(0, "contract"), .ids = ids, .round = round})
            .success;
  EXPECT_TRUE(at::equal(success, whole.success));
}

TEST_P(AttackContract, CountsEveryPass) {
  std::int64_t rows = 0;
  Passes passes{.forwards = 1000, .backwards = 2000};
  model = counted(model, rows);
  const auto result = attack({.random = Random(0, "contract"), .passes = &passes});
  EXPECT_EQ(result.passes.forwards, rows);
  EXPECT_EQ(passes.forwards, 1000 + rows) << "the caller's counter is added to";
  EXPECT_EQ(passes.backwards, 2000 + result.passes.backwards);
  EXPECT_LE(result.forwards.sum().item<std::int64_t>(), rows);
}

TEST_P(AttackContract, LeavesItsArgumentsAndTheModelAlone) {
  const auto kept_x = x.clone(), kept_y = y.clone();
  for (auto& parameter : model.parameters()) parameter.requires_grad_(true);
  model.train();
  EXPECT_FALSE(attack().x_adv.requires_grad());
  EXPECT_TRUE(same_bits(x, kept_x));
  EXPECT_TRUE(at::equal(y, kept_y));
  EXPECT_TRUE(model.is_training());
  for (const auto& parameter : model.parameters()) {
    EXPECT_TRUE(parameter.requires_grad());
    EXPECT_FALSE(parameter.grad().defined()) << "no weight gradient is computed";
  }
}

TEST_P(AttackContract, AFlatModelGivesNoNaN) {
  const Classifier flat([](const at::Tensor& at) { return at.flatten(1).slice(1, 0, 4) * 0; },
                        {.name = "flat", .num_classes = 4, .input_shape = shape});
  const auto result = contracted(GetParam().contract, budget())(flat, x, y);
  expect_inside(result, x, budget());
  EXPECT_TRUE(at::isfinite(result.loss).all().item<bool>());
  EXPECT_TRUE(at::equal(result.success, y != 0));
}

/// Distance from an image to the nearest class of a linear model: min_c (z_y − z_c) / ‖w_c − w_y‖
/// in the dual norm; in l0 the fewest entries that close the gap, each moved to the end of the box.
/// For Wasserstein attacks: transport_contract_test.cpp.
double distance_to_a_class(const at::Tensor& image, const at::Tensor& logits,
                           const at::Tensor& weight, std::int64_t label, Norm norm) {
  const auto gaps = (logits[label] - logits).to(at::kDouble), slopes = weight - weight[label];
  const auto others = at::arange(gaps.size(0)) != label;
  if (norm == Norm::l0) {
    const auto room = at::where(slopes > 0, 1 - image.flatten(), -image.flatten());
    const auto gains = std::get<0>((slopes * room).to(at::kDouble).sort(1, true)).cumsum(1);
    const auto fewest = (gains <= gaps.unsqueeze(1)).sum(1) + 1;
    return fewest.index({others}).min().item<double>();
  }
  const Norm dual = norm == Norm::linf ? Norm::l1 : norm == Norm::l1 ? Norm::linf : Norm::l2;
  return (gaps / sample_norms(slopes, dual)).index({others}).min().item<double>();
}

TEST_P(AttackContract, FoolsALinearModelBeyondTheDistanceAndNotBelow) {
  if (norm == Norm::wasserstein) return;
  const auto weight = wave({4, entries(shape)}, 1, 0.7, 0.3);
  model = linear(weight, at::zeros({4}), shape);
  x = images(count, shape, 0.1);
  y = model(x).argmax(1);
  for (std::int64_t i = 0; i < count; ++i) {
    const double distance =
        distance_to_a_class(x[i], model(x)[i], weight, y[i].item<std::int64_t>(), norm);
    const auto at_times = [&](double factor) {
      return contracted(GetParam().contract, {norm, distance * factor})(model, x.slice(0, i, i + 1),
                                                                        y.slice(0, i, i + 1))
          .success.item<bool>();
    };
    const double below = norm == Norm::l0 ? (distance - 1) / distance : 0.99;
    EXPECT_FALSE(at_times(below)) << "sample " << i;
    const double reach = GetParam().contract.reach;
    if (reach > 0) {
      EXPECT_TRUE(at_times(reach)) << "sample " << i << ", distance " << distance;
    }
  }
}

TEST_P(AttackContract, StopsWhenAsked) {
  run::StopToken stop;
  stop.request(15);
  EXPECT_THROW(attack({.stop = &stop}), run::Interrupted);
}

TEST_P(AttackContractOfClasses, WorksOrIsRefusedBeforeTheFirstPass) {
  Passes passes;
  if (GetParam().classes < GetParam().contract.classes) {
    EXPECT_THROW(attack({.passes = &passes}), OptionError);
    EXPECT_EQ(passes.forwards, 0);
  } else {
    const auto result = attack({.passes = &passes});
    expect_inside(result, x, budget());
    EXPECT_TRUE(at::equal(result.success, wrong(model, result.x_adv, y)));
  }
}

NAMID_ATTACK_CONTRACT(Pgd, {.attack = "pgd", .options = {{"steps", "5"}}, .reach = 2});

}  // namespace
}  // namespace namid::attacks
