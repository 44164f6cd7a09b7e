// SPDX-License-Identifier: Apache-2.0
#include "namid/eval/runner.h"

#include <limits>
#include <map>

#include "eval/toy.h"
#include "namid/core/error.h"

namespace namid::eval {
namespace {

constexpr double kEpsilon = 0.1;

std::vector<std::int64_t> range(std::int64_t begin, std::int64_t end) {
  std::vector<std::int64_t> rows;
  for (auto row = begin; row < end; ++row) rows.push_back(row);
  return rows;
}

/// Attempts of `rows` by sample id, for one compute batch.
std::map<std::uint64_t, AttemptRow> attacked(const data::Dataset& dataset,
                                             const AttackEntry& attack,
                                             const std::vector<std::int64_t>& rows,
                                             std::int64_t compute_batch) {
  const auto model = toy_model();
  const Bench bench{model, dataset, 5, compute_batch};
  std::map<std::uint64_t, AttemptRow> out;
  for (const auto piece : split_rows(rows, compute_batch))
    for (const auto& row : timeless(attack_rows(bench, attack, piece).attempts))
      out[row.sample] = row;
  return out;
}

TEST(ComputeBatch, SplitsInOrderAndPadsWithTheFirst) {
  const auto rows = range(0, 7);
  const auto pieces = split_rows(rows, 3);
  ASSERT_EQ(pieces.size(), 3u);
  EXPECT_EQ(pieces[2].size(), 1u);
  EXPECT_EQ(pieces[1][0], 3);
  EXPECT_TRUE(split_rows({}, 3).empty());

  const auto dataset = toy_data(7);
  const auto batch = padded_batch(dataset, pieces[1].first(2), 4, at::kCPU);
  EXPECT_EQ(batch.ids, (SampleIds{1003, 1004, 1003, 1003}));
  EXPECT_TRUE(at::equal(batch.x[3], batch.x[0]));
  EXPECT_FALSE(at::equal(batch.x[1], batch.x[0]));
}

TEST(Runner, VerdictsDoNotDependOnTheComputeBatch) {
  const auto dataset = toy_data(60);
  const auto rows = range(0, 60);
  const auto pgd = pgd_entry({.budget = {.epsilon = kEpsilon}, .steps = 4});
  for (const auto& attack : {noise_attack(kEpsilon), pgd}) {
    const auto expected = attacked(dataset, attack, rows, 7);
    ASSERT_EQ(expected.size(), 60u);
    EXPECT_EQ(attacked(dataset, attack, rows, 1), expected);
    EXPECT_EQ(attacked(dataset, attack, rows, 64), expected);
  }
}

TEST(Runner, VerdictsDoNotDependOnOrderOrNeighbours) {
  const auto dataset = toy_data(40);
  auto reversed = range(0, 40);
  std::reverse(reversed.begin(), reversed.end());
  const auto attack = noise_attack(kEpsilon);
  const auto expected = attacked(dataset, attack, range(0, 40), 8);
  EXPECT_EQ(attacked(dataset, attack, reversed, 8), expected);
  EXPECT_EQ(attacked(dataset.rows(reversed), attack, range(0, 40), 8), expected);
  for (const auto& [id, row] : attacked(dataset, attack, {3, 17, 39}, 8))
    EXPECT_EQ(row, expected.at(id));
}

TEST(Runner, DrawsBelongToSeedAndAttackName) {
  const auto dataset = toy_data(8);
  const auto model = toy_model();
  const auto hash = [&](std::uint64_t seed, const std::string& name) {
    const Bench bench{model, dataset, seed, 8};
    return attack_rows(bench, noise_attack(kEpsilon, name), range(0, 8)).attempts[0].x_adv_hash;
  };
  EXPECT_EQ(hash(1, "a"), hash(1, "a"));
  EXPECT_NE(hash(1, "a"), hash(2, "a"));
  EXPECT_NE(hash(1, "a"), hash(1, "b"));
  const auto x = data::make_batch(dataset, range(0, 1)).x;
  const auto noise = random_uniform(Random(1, "test/a"), {1000}, x) * 2 - 1;
  const auto x_adv = (x + noise * kEpsilon).clamp(0, 1).contiguous();
  EXPECT_EQ(hash(1, "a"), hash_hex(x_adv.data_ptr<float>(), 6));
}

TEST(Runner, CountsPassesPerSampleWithoutThePadding) {
  const auto pgd = pgd_entry({.budget = {.epsilon = kEpsilon}, .steps = 4});
  EXPECT_EQ(pgd.name, "pgd-4");
  for (const auto& [id, row] : attacked(toy_data(5), pgd, range(0, 5), 8)) {
    EXPECT_EQ(row.forwards, 5);
    EXPECT_EQ(row.backwards, 4);
  }
}

TEST(Runner, RefutesClaimsThatDoNotHold) {
  const auto dataset = toy_data(6);
  const auto refuted = [&](const AttackEntry& attack) {
    const auto rows = attacked(dataset, attack, range(0, 6), 8);
    std::size_t count = 0;
    for (const auto& [id, row] : rows) {
      EXPECT_FALSE(row.success && row.refuted);
      count += row.refuted;
    }
    return count;
  };
  const auto far = [](const at::Tensor& x, const at::Tensor& y) { return strongest(x, y, 0.9); };
  EXPECT_EQ(refuted(forged_attack(kEpsilon, true, far)), 6u);
  EXPECT_EQ(refuted(forged_attack(1.0, true, far)), 0u);
  EXPECT_EQ(refuted(forged_attack(
                1.0, true, [](const auto& x, const auto& y) { return strongest(x, 1 - y, 0.9); })),
            6u);
  EXPECT_EQ(refuted(forged_attack(1.0, true,
                                  [&](const auto& x, const auto& y) { return far(x, y) + 1e-6f; })),
            6u);
}

TEST(Runner, CountsASuccessThatWasNotClaimed) {
  const auto attack =
      forged_attack(1.0, false, [](const auto& x, const auto& y) { return strongest(x, y, 0.9); });
  for (const auto& [id, row] : attacked(toy_data(6), attack, range(0, 6), 8)) {
    EXPECT_TRUE(row.success);
    EXPECT_FALSE(row.refuted);
    EXPECT_LT(row.margin, 0);
  }
}

TEST(Runner, MeasuresFromTheImageEvenIfTheAttackChangesIt) {
  const auto attack = forged_attack(kEpsilon, true, [](const at::Tensor& x, const at::Tensor& y) {
    x.copy_(strongest(x, y, 0.9));
    y.copy_(1 - y);
    return x;
  });
  for (const auto& [id, row] : attacked(toy_data(6), attack, range(0, 6), 8)) {
    EXPECT_FALSE(row.success);
    EXPECT_TRUE(row.refuted);
    EXPECT_GT(row.linf, kEpsilon);
  }
}

TEST(Runner, TakesAnAttackThatIsSilentOnSuccess) {
  const auto last =
      pgd_entry({.budget = {.epsilon = 0.5}, .steps = 4, .judge = attacks::Judge::last});
  std::size_t broken = 0;
  for (const auto& [id, row] : attacked(toy_data(6), last, range(0, 6), 8)) broken += row.success;
  EXPECT_EQ(broken, 6u);
}

TEST(Runner, CallsNothingRobustThatIsNotFinite) {
  const auto dataset = toy_data(6);
  const auto poisoned = [](const at::Tensor& x, const at::Tensor&) {
    auto out = x.clone();
    out[2].fill_(std::numeric_limits<float>::quiet_NaN());
    return out;
  };
  const auto text = message_of<NumericError>(
      [&] { attacked(dataset, forged_attack(kEpsilon, false, poisoned), range(0, 6), 8); });
  EXPECT_HAS(text, "sample 1002");

  const auto broken = model_of([](const at::Tensor& x) {
    return x.flatten(1).narrow(1, 0, 2) * std::numeric_limits<float>::infinity();
  });
  const Bench bench{broken, dataset, 0, 8};
  EXPECT_HAS(message_of<NumericError>([&] { predict(bench, range(0, 6)); }), "sample 1000");
}

TEST(Runner, PredictsAsTheModelDoes) {
  const auto dataset = toy_data(10);
  const auto model = toy_model();
  const auto samples = predict(Bench{model, dataset, 0, 4}, range(6, 9));
  ASSERT_EQ(samples.size(), 3u);
  const auto logits = model(data::make_batch(dataset, range(6, 9)).x);
  for (std::size_t i = 0; i < 3; ++i) {
    const auto row = static_cast<std::int64_t>(i);
    EXPECT_EQ(samples[i].sample, 1006 + i);
    EXPECT_EQ(samples[i].prediction, logits[row].argmax().item<std::int64_t>());
    EXPECT_EQ(samples[i].correct, samples[i].prediction == samples[i].label);
    EXPECT_EQ(samples[i].correct, samples[i].margin > 0);
  }
}

TEST(PgdEntry, RefusesWhatMeasuresNoAccuracy) {
  EXPECT_HAS(message_of<OptionError>([] { pgd_entry({.steps = 0}); }), "steps");
  EXPECT_HAS(message_of<OptionError>([] { pgd_entry({.budget = {.epsilon = 8}}); }), "epsilon");
  EXPECT_HAS(message_of<OptionError>([] { pgd_entry({.targeted = true}); }), "targeted");
}

}  // namespace
}  // namespace namid::eval
