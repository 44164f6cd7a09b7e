// SPDX-License-Identifier: Apache-2.0
#include "namid/attacks/attack.h"

#include "namid/attacks/norms.h"
#include "namid/attacks/registry.h"
#include "namid/core/option_set.h"
#include "python/bindings.h"

namespace namid::python {
namespace {

py::list describe_options(const std::string& name) {
  attacks::NamedAttack attack(name);
  OptionSet set;
  attack.add_options(set, "");
  py::list rows;
  for (const auto& entry : set.entries()) {
    py::dict row;
    row["name"] = entry.key;
    row["type"] = entry.type;
    row["help"] = entry.help;
    row["range"] = entry.range;
    row["choices"] = entry.choices;
    row["default"] = entry.get();
    rows.append(row);
  }
  return rows;
}

/// The caller's model as a Classifier: each forward takes the GIL, everything else runs without it.
models::Classifier wrap(py::function model, const at::Tensor& x, std::int64_t num_classes) {
  const auto shared =
      std::shared_ptr<py::function>(new py::function(std::move(model)), [](auto* f) {
        const py::gil_scoped_acquire gil;
        delete f;
      });
  const auto forward = [shared](const at::Tensor& batch) {
    const py::gil_scoped_acquire gil;
    return (*shared)(batch).template cast<at::Tensor>();
  };
  return models::Classifier(forward, {.name = "python model",
                                      .num_classes = num_classes,
                                      .input_shape = x.sizes().slice(1).vec()});
}

py::dict run_attack(const std::string& name, py::function model, const at::Tensor& x,
                    const at::Tensor& y, std::int64_t num_classes, const py::dict& options,
                    std::uint64_t seed) {
  if (x.dim() < 2) throw OptionError(str("[", name, "] x: expected a batch (N, ...)"));
  attacks::NamedAttack attack(name);
  OptionSet set;
  attack.add_options(set, "");
  for (const auto& [key, value] : options)
    set.set(py::str(key).cast<std::string>(), option_text(value));
  const auto classifier = wrap(std::move(model), x, num_classes);
  attacks::AttackResult result;
  at::Tensor linf, l2;
  {
    const py::gil_scoped_release no_gil;
    result = attack(classifier, x, y, {.random = Random(seed, "python/" + name)});
    linf = attacks::perturbation_norms(result.x_adv, x, attacks::Norm::linf);
    l2 = attacks::perturbation_norms(result.x_adv, x, attacks::Norm::l2);
  }
  py::dict norms;
  norms["linf"] = linf;
  norms["l2"] = l2;
  py::dict out;
  out["adv"] = result.x_adv;
  out["success"] = result.success;
  out["step"] = result.step;
  out["loss"] = result.loss;
  out["norms"] = norms;
  out["forwards"] = result.passes.forwards;
  out["backwards"] = result.passes.backwards;
  return out;
}

}  // namespace

void bind_attacks(py::module_& module) {
  module.def("attack_table", [] {
    py::list rows;
    for (const auto& info : attacks::attack_table()) {
      py::dict row;
      row["name"] = std::string(info.name);
      row["summary"] = std::string(info.summary);
      row["paper"] = std::string(info.paper);
      rows.append(row);
    }
    return rows;
  });
  module.def("attack_options", &describe_options);
  module.def("run_attack", &run_attack);
}

}  // namespace namid::python
