// SPDX-License-Identifier: Apache-2.0
#pragma once

// What every attack of the registry promises, for norm x batch x shape. An attack joins with
//   NAMID_ATTACK_CONTRACT(Pgd, {.attack = "pgd", .options = {{"steps", "5"}}});
// in a test file of its own; the promises are in contract_test.cpp.

#include <algorithm>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "attacks/toy.h"
#include "namid/attacks/norms.h"
#include "namid/attacks/registry.h"
#include "namid/attacks/transport.h"

namespace namid::attacks {

struct Contract {
  std::string attack;                                          ///< name in the registry
  std::vector<std::pair<std::string, std::string>> options{};  ///< "steps" → "5": to be quick
  std::int64_t classes = 2;                                    ///< fewest that it takes
  bool images_only = false;                                    ///< needs channels, rows and columns
  /// Times the distance of the nearest class at which it fools every linear model; 0: not promised.
  double reach = 1.5;
};

/// The attack under its contract's options.
inline NamedAttack contracted(const Contract& contract, const Budget& budget) {
  NamedAttack attack(contract.attack);
  OptionSet set;
  attack.add_options(set, "attack");
  for (const auto& [key, text] : contract.options) set.set("attack." + key, text);
  attack.budget() = budget;
  return attack;
}

constexpr double usual_radius(Norm norm) {
  return norm == Norm::linf ? 0.1 : norm == Norm::l0 ? 3 : 0.7;
}

struct ContractCase {
  Contract contract;
  Norm norm = Norm::linf;
  std::int64_t count = 3;
  Shape shape;
  std::int64_t classes = 4;
};

/// How far each sample went: the norm of the perturbation, or the mean cost of a plan, which must
/// then make x_adv of x.
inline at::Tensor distances(const AttackResult& result, const at::Tensor& x, Norm norm) {
  if (norm != Norm::wasserstein) return perturbation_norms(result.x_adv, x, norm);
  const int kernel = kernel_of(result.plan);
  EXPECT_GE(result.plan.min().item<float>(), 0);
  EXPECT_TRUE(at::allclose(result.plan.sum(-1), x, 0, 5e-6)) << "row sums";
  EXPECT_TRUE(at::allclose(arrived(result.plan, kernel), result.x_adv, 0, 5e-6)) << "column sums";
  const auto costs = move_costs(x.size(2), x.size(3), kernel);
  return transport_cost(result.plan, costs) / mass_of(x).clamp_min(1e-30);
}

/// Inside ball and box, float32, of x's shape.
inline void expect_inside(const AttackResult& result, const at::Tensor& x, const Budget& budget) {
  const auto& x_adv = result.x_adv;
  const auto farthest = distances(result, x, budget.norm).max().item<double>();
  EXPECT_LE(farthest,
            budget.norm == Norm::linf ? budget.epsilon + 1e-6 : budget.epsilon * (1 + 1e-5));
  EXPECT_GE(x_adv.min().item<float>(), 0);
  EXPECT_LE(x_adv.max().item<float>(), 1);
  EXPECT_EQ(x_adv.sizes(), x.sizes());
  EXPECT_EQ(x_adv.scalar_type(), at::kFloat);
}

/// A small curved model and its batch, for what a single attack promises besides.
class ShapedBatch : public ::testing::TestWithParam<std::tuple<Norm, std::int64_t, Shape>> {
 protected:
  Budget budget() const { return {norm, usual_radius(norm)}; }

  Norm norm = std::get<0>(GetParam());
  std::int64_t count = std::get<1>(GetParam());
  Shape shape = std::get<2>(GetParam());
  Classifier model = curved(shape);
  at::Tensor x = images(count, shape);
  at::Tensor y = labels(count, 4);
};

inline std::string shaped_name(const ::testing::TestParamInfo<ShapedBatch::ParamType>& info) {
  const auto& [norm, count, shape] = info.param;
  std::string name = str(to_string(norm), "_batch", count);
  for (const auto size : shape) name += str("_", size);
  return name;
}

class AttackContract : public ::testing::TestWithParam<ContractCase> {
 protected:
  Budget budget() const { return {norm, usual_radius(norm)}; }
  AttackResult attack(const Context& context = {.random = Random(0, "contract")}) const {
    return contracted(GetParam().contract, budget())(model, x, y, context);
  }

  Norm norm = GetParam().norm;
  std::int64_t count = GetParam().count;
  Shape shape = GetParam().shape;
  Classifier model = curved(shape, GetParam().classes);
  at::Tensor x = images(count, shape);
  at::Tensor y = labels(count, GetParam().classes);
};

/// The same with 2, 3 and 10 classes.
class AttackContractOfClasses : public AttackContract {};

inline std::vector<Norm> norms_of(const Contract& contract) {
  return NamedAttack(contract.attack).info().norms;
}

inline std::vector<ContractCase> contract_cases(const std::vector<Contract>& contracts) {
  std::vector<ContractCase> cases;
  for (const auto& contract : contracts)
    for (const auto norm : norms_of(contract))
      for (const std::int64_t count : {1, 3, 8})
        for (const auto& shape : {Shape{12}, Shape{1, 8, 8}, Shape{3, 5, 7}})
          if (!contract.images_only || shape.size() == 3)
            cases.push_back({contract, norm, count, shape});
  return cases;
}

inline std::vector<ContractCase> contract_cases_of_classes(const std::vector<Contract>& contracts) {
  std::vector<ContractCase> cases;
  for (const auto& contract : contracts)
    for (const auto norm : norms_of(contract))
      for (const std::int64_t classes : {2, 3, 10})
        cases.push_back({contract, norm, 5, {1, 8, 8}, classes});
  return cases;
}

inline std::string contract_name(const ::testing::TestParamInfo<ContractCase>& info) {
  const auto& of = info.param;
  auto name = str(info.index, "_", of.contract.attack, "_", to_string(of.norm), "_batch", of.count);
  for (const auto size : of.shape) name += str("_", size);
  name += str("_classes", of.classes);
  std::replace(name.begin(), name.end(), '-', '_');
  return name;
}

}  // namespace namid::attacks

#define NAMID_ATTACK_CONTRACT(name, ...)                                                       \
  INSTANTIATE_TEST_SUITE_P(name, AttackContract,                                               \
                           ::testing::ValuesIn(contract_cases({__VA_ARGS__})), contract_name); \
  INSTANTIATE_TEST_SUITE_P(name, AttackContractOfClasses,                                      \
                           ::testing::ValuesIn(contract_cases_of_classes({__VA_ARGS__})),      \
                           contract_name)
