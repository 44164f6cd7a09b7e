// SPDX-License-Identifier: Apache-2.0
// What every attack of the registry keeps whatever it is given: more than 100,000 samples with
// models, images, labels, radii and options all drawn at random.
#include <ATen/CPUGeneratorImpl.h>

#include <cmath>
#include <map>

#include "attacks/contract.h"
#include "namid/eval/verifier.h"

namespace namid::attacks {
namespace {

constexpr std::int64_t kBatchSize = 64;
constexpr int kBatches = 42;  // of each pair of attack and norm
constexpr std::int64_t kSearches = 2, kBisections = 3;

struct PropertyCase {
  std::string attack;
  Norm norm = Norm::linf;
};

class Dice {
 public:
  explicit Dice(std::uint64_t seed) : generator_(at::detail::createCPUGenerator(seed)) {}
  at::Tensor uniform(const Shape& shape) { return at::rand(shape, generator_); }
  at::Tensor normal(const Shape& shape) { return at::randn(shape, generator_); }
  double uniform() { return uniform(Shape{1}).item<double>(); }
  std::int64_t from(std::int64_t low, std::int64_t high) {
    return low + static_cast<std::int64_t>(uniform() * static_cast<double>(high - low + 1));
  }
  at::Tensor below(std::int64_t end, const Shape& shape) {
    return (uniform(shape) * static_cast<double>(end)).floor().to(at::kLong);
  }

 private:
  at::Generator generator_;
};

/// x Wᵀ, each row summed on its own: the same bits in a batch of any size.
at::Tensor times(const at::Tensor& x, const at::Tensor& weight) {
  return (x.unsqueeze(1) * weight).sum(2);
}

/// Linear or with a hidden layer, of any scale; one in eight is flat.
Classifier random_model(Dice& dice, const Shape& shape, std::int64_t classes) {
  const bool is_linear = dice.uniform() < 0.5;
  const double scale = dice.uniform() < 0.125 ? 0 : std::pow(10.0, 4 * dice.uniform() - 2);
  const auto first = dice.normal({5, entries(shape)}),
             last = dice.normal({classes, is_linear ? entries(shape) : 5}) * scale,
             bias = dice.normal({classes}) * (0.1 * scale);
  return Classifier(
      [=](const at::Tensor& x) {
        const auto centred = x.flatten(1) - 0.5;
        return times(is_linear ? centred : at::tanh(times(centred, first)), last) + bias;
      },
      {.name = "random", .num_classes = classes, .input_shape = shape});
}

/// A third of the pixels are exactly 0 or 1.
at::Tensor random_images(Dice& dice, Shape shape) {
  shape.insert(shape.begin(), kBatchSize);
  return (dice.uniform(shape) * 1.5 - 0.25).clamp(0, 1);
}

/// 0, less than a float32 can add, tiny, or up to what reaches across the box.
double random_epsilon(Dice& dice, Norm norm, std::int64_t size) {
  const auto d = static_cast<double>(size);
  if (norm == Norm::l0) return static_cast<double>(dice.from(0, size));
  const double widest = norm == Norm::linf          ? 1
                        : norm == Norm::l2          ? std::sqrt(d)
                        : norm == Norm::wasserstein ? 3
                                                    : d;
  switch (dice.from(0, 7)) {
    case 0:
      return 0;
    case 1:
      return 1e-9;
    case 2:
      return 1e-5;
    case 3:
      return widest;
    default:
      return widest * std::pow(dice.uniform(), 2);
  }
}

/// The most passes that a sample's own result may take, by the headers.
Passes bound(const std::string& attack, Norm norm, std::int64_t steps, std::int64_t rounds,
             std::int64_t classes) {
  if (attack == "square") return {steps * rounds, 0};
  if (attack == "fab") return {(2 * steps + 2) * rounds, (classes - 1) * steps * rounds};
  if (attack == "fab-t") return {(2 * steps + 2) * rounds, steps * rounds};
  if (attack == "fgsm") return {2, 1};
  if (attack == "noise") return {rounds, 0};
  if (attack == "a3") return {(steps + 8) * rounds, (steps + 7) * rounds};
  if (attack == "random-search") return {(steps + 1) * rounds, 0};
  if (attack == "cw") return {kSearches * steps + 2, kSearches * steps};
  if (attack == "deepfool") return {2 * steps + kBisections + 2, (classes - 1) * steps};
  if (norm == Norm::wasserstein || attack == "ddn" || attack == "fmn" || attack == "ti-dim" ||
      attack.ends_with("i-fgsm"))
    return {steps + 1, steps};
  if (attack == "pgd") return {(steps + 1) * rounds, steps * rounds};
  const std::int64_t stages = norm == Norm::l1 && steps >= 3 ? 3 : 1;
  const std::int64_t ranking = attack == "apgd-t" ? 1 : attack == "malt" ? 2 : 0;
  const std::int64_t slopes = attack == "malt" ? classes - 1 : 0;
  return {(steps + stages + ranking) * rounds, (steps + slopes) * rounds};
}

/// Those of the options that the attack has.
std::vector<std::pair<std::string, std::string>> options_of(const std::string& attack,
                                                            std::int64_t steps,
                                                            std::int64_t restarts) {
  NamedAttack named(attack);
  OptionSet set;
  named.add_options(set, "");
  const std::map<std::string, std::int64_t> wanted = {
      {"queries", steps},         {"draws", steps},        {"steps", steps},
      {"restarts", restarts},     {"searches", kSearches}, {"bisections", kBisections},
      {"sinkhorn_iterations", 50}};
  std::vector<std::pair<std::string, std::string>> options;
  for (const auto& entry : set.entries())
    if (const auto found = wanted.find(entry.key); found != wanted.end())
      options.emplace_back(entry.key, str(found->second));
  return options;
}

class AttackPropertySlow : public ::testing::TestWithParam<PropertyCase> {
 protected:
  void expect_kept(int batch);

  const std::string attack = GetParam().attack;
  const Norm norm = GetParam().norm;
};

void AttackPropertySlow::expect_kept(int batch) {
  Dice dice(static_cast<std::uint64_t>(batch));
  const bool images_only =
      attack == "ti-dim" || attack == "di-fgsm" || attack == "ti-fgsm" || norm == Norm::wasserstein;
  const Shape shape = std::vector<Shape>{
      {7}, {1, 3, 4}, {2, 3, 2}}[static_cast<std::size_t>(dice.from(images_only ? 1 : 0, 2))];
  const auto classes = dice.from(NamedAttack(attack).info().min_classes, 5);
  const auto model = random_model(dice, shape, classes);
  const auto x = random_images(dice, shape);
  const auto y = at::where(dice.uniform({kBatchSize}) < 0.7, model(x).argmax(1),
                           dice.below(classes, {kBatchSize}));
  const auto steps = dice.from(attack == "square" ? 2 : 1, attack == "square" ? 12 : 4);
  const Budget budget{norm, random_epsilon(dice, norm, entries(shape))};
  const auto named =
      contracted({.attack = attack, .options = options_of(attack, steps, dice.from(1, 2))}, budget);
  const auto result = named(
      model, x, y,
      {.random = Random(static_cast<std::uint64_t>(batch), attack), .compact = batch % 2 == 0});

  const auto x_adv = result.x_adv;
  ASSERT_EQ(x_adv.sizes(), x.sizes());
  EXPECT_TRUE(at::isfinite(x_adv).all().item<bool>());
  EXPECT_TRUE(at::isfinite(result.loss).all().item<bool>());
  EXPECT_GE(x_adv.min().item<float>(), 0);
  EXPECT_LE(x_adv.max().item<float>(), 1);
  if (budget.epsilon == 0) {
    EXPECT_TRUE(same_bits(x_adv, x));
  }
  const auto verdicts = eval::verify(model, x, {x_adv, result.plan}, y, budget);
  const auto most = bound(attack, norm, steps, named.rounds(classes), classes);
  for (std::int64_t i = 0; i < kBatchSize; ++i) {
    const auto& verdict = verdicts[static_cast<std::size_t>(i)];
    EXPECT_TRUE(verdict.in_ball) << eval::refusal_text(verdict, budget);
    EXPECT_EQ(result.success[i].item<bool>(), verdict.misclassified) << "sample " << i;
    const auto forwards = result.forwards[i].item<std::int64_t>();
    EXPECT_GE(forwards, 1);
    EXPECT_LE(forwards, most.forwards);
    EXPECT_LE(result.backwards[i].item<std::int64_t>(), most.backwards);
  }
}

TEST_P(AttackPropertySlow, RandomSamplesStayInsideAndAreJudgedAndCountedAsTheyAre) {
  for (int batch = 0; batch < kBatches; ++batch) {
    SCOPED_TRACE(str("batch ", batch));
    expect_kept(batch);
    if (HasFailure()) break;
  }
}

std::vector<PropertyCase> all_pairs() {
  std::vector<PropertyCase> cases;
  for (const auto& info : attack_table())
    for (const auto norm : info.norms) cases.push_back({std::string(info.name), norm});
  return cases;
}

INSTANTIATE_TEST_SUITE_P(All, AttackPropertySlow, ::testing::ValuesIn(all_pairs()),
                         [](const auto& info) {
                           auto name = str(info.param.attack, "_", to_string(info.param.norm));
                           std::replace(name.begin(), name.end(), '-', '_');
                           return name;
                         });

}  // namespace
}  // namespace namid::attacks
