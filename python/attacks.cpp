// SPDX-License-Identifier: Apache-2.0
#include "namid/attacks/attack.h"

#include "namid/attacks/norms.h"
#include "namid/attacks/registry.h"
#include "namid/attacks/targets.h"
#include "namid/attacks/transfer.h"
#include "python/bindings.h"
#include "python/hooks.h"

namespace namid::python {
namespace {

py::list describe_attacks() {
  py::list rows;
  for (const auto& info : attacks::attack_table()) {
    py::list norms;
    for (const auto norm : info.norms) norms.append(std::string(to_string(norm)));
    py::dict row;
    row["name"] = std::string(info.name);
    row["summary"] = std::string(info.summary);
    row["paper"] = std::string(info.paper);
    row["norms"] = norms;
    row["targeted"] = info.targeted;
    row["gradient"] = info.gradient;
    row["own_loss"] = info.own_loss;
    row["min_classes"] = info.min_classes;
    rows.append(row);
  }
  return rows;
}

py::list describe_attack_options(const std::string& name) {
  attacks::NamedAttack attack(name);
  OptionSet set;
  attack.add_options(set, "");
  return describe(set);
}

attacks::Context context_of(const py::dict& request, const std::string& name) {
  attacks::Context context{.random =
                               Random(request["seed"].cast<std::uint64_t>(), "python/" + name)};
  add_hooks(context, request);
  return context;
}

py::dict result_dict(const attacks::AttackResult& result, const at::Tensor& x) {
  py::dict norms;
  using enum attacks::Norm;
  for (const auto norm : {linf, l2, l1, l0})
    norms[py::str(std::string(to_string(norm)))] =
        attacks::perturbation_norms(result.x_adv, x, norm);
  py::dict out;
  out["adv"] = result.x_adv;
  out["success"] = result.success;
  out["step"] = result.step;
  out["loss"] = result.loss;
  out["norms"] = norms;
  out["plan"] = result.plan.defined() ? py::cast(result.plan) : py::none();
  out["forwards"] = result.passes.forwards;
  out["backwards"] = result.passes.backwards;
  return out;
}

attacks::TargetedResult attack_through(const attacks::NamedAttack& attack,
                                       const models::Classifier& surrogate,
                                       const models::Classifier& model, const at::Tensor& x,
                                       const at::Tensor& y, std::optional<attacks::Targets> targets,
                                       const attacks::Context& context) {
  if (!targets) return {attacks::transfer(attack, surrogate, model, x, y, context), {}};
  attacks::check_surrogate(surrogate, model, attack.info().name);
  auto result = attacks::attack_targets(attack, surrogate, x, y, *targets, context);
  attacks::judge_on(result.attack, model, result.target, true);
  return result;
}

/// `request`: num_classes, options ({path: value}), loss, gradient (callables or None), seed,
/// targets (text or None), surrogate (model or None) and its surrogate_classes.
py::dict run_attack(const std::string& name, const py::object& model, const at::Tensor& x,
                    const at::Tensor& y, const py::dict& request) {
  if (x.dim() < 2) throw OptionError(str("[", name, "] x: expected a batch (N, ...)"));
  attacks::NamedAttack attack(name);
  OptionSet set;
  attack.add_options(set, "");
  set_options(set, request["options"]);
  const auto shape = x.sizes().slice(1).vec();
  const FrozenModel target(model, shape, request["num_classes"].cast<std::int64_t>());
  std::optional<FrozenModel> surrogate;
  if (const py::object given = request["surrogate"]; !given.is_none())
    surrogate.emplace(given, shape, request["surrogate_classes"].cast<std::int64_t>());
  const auto context = context_of(request, name);
  std::optional<attacks::Targets> targets;
  if (!request["targets"].is_none())
    targets = namid::detail::parse_value<attacks::Targets>(request["targets"].cast<std::string>());
  attacks::TargetedResult result;
  {
    const py::gil_scoped_release no_gil;
    if (surrogate)
      result = attack_through(attack, surrogate->classifier(), target.classifier(), x, y, targets,
                              context);
    else if (targets)
      result = attacks::attack_targets(attack, target.classifier(), x, y, *targets, context);
    else
      result.attack = attack(target.classifier(), x, y, context);
  }
  auto out = result_dict(result.attack, x);
  out["target"] = targets ? py::cast(result.target) : py::none();
  return out;
}

}  // namespace

void bind_attacks(py::module_& module) {
  module.def("attack_table", &describe_attacks);
  module.def("attack_options", &describe_attack_options);
  module.def("run_attack", &run_attack);
}

}  // namespace namid::python
