// SPDX-License-Identifier: Apache-2.0
#include "namid/mi/estimator.h"

#include "namid/mi/objectives.h"
#include "python/bindings.h"

namespace namid::python {
namespace {

using mi::Estimator;
using mi::EstimatorPair;

EstimatorPair make_estimators(const py::dict& given, std::uint64_t seed) {
  mi::EstimatorInfo info;
  info.layer = choice<models::Layer>(given["layer"].cast<std::string>(), "layer");
  info.units = given["units"].cast<std::int64_t>();
  info.num_classes = given["num_classes"].cast<std::int64_t>();
  info.input_shape = given["input_shape"].cast<std::vector<std::int64_t>>();
  info.budget.norm = choice<attacks::Norm>(given["norm"].cast<std::string>(), "norm");
  info.budget.epsilon = given["epsilon"].cast<double>();
  info.objective = std::string(to_string(
      choice<mi::EstimationObjective>(given["objective"].cast<std::string>(), "objective")));
  info.layer_channels = given["layer_channels"].cast<std::int64_t>();
  const py::gil_scoped_release no_gil;
  return mi::make_estimators(info, seed);
}

py::dict info_of(const EstimatorPair& pair) {
  py::dict info;
  info["layer"] = std::string(to_string(pair.info.layer));
  info["units"] = pair.info.units;
  info["num_classes"] = pair.info.num_classes;
  info["input_shape"] = pair.info.input_shape;
  info["norm"] = std::string(to_string(pair.info.budget.norm));
  info["epsilon"] = pair.info.budget.epsilon;
  info["objective"] = pair.info.objective;
  info["data"] = pair.info.data;
  info["target_sha256"] = pair.info.target_sha256;
  info["weak"] = pair.info.weak;
  return info;
}

/// A tensor of the batch, undefined for None or where there is none.
at::Tensor tensor_in(const py::dict& tensors, const char* name) {
  if (!tensors.contains(name) || tensors[name].is_none()) return {};
  return tensors[name].cast<at::Tensor>();
}

mi::EstimationBatch batch_of(const py::dict& tensors) {
  return {.x = tensor_in(tensors, "x"),
          .x_adv = tensor_in(tensors, "x_adv"),
          .output_natural = tensor_in(tensors, "output"),
          .output_adversarial = tensor_in(tensors, "output_adv"),
          .logits_natural = tensor_in(tensors, "logits"),
          .logits_adversarial = tensor_in(tensors, "logits_adv"),
          .y = tensor_in(tensors, "y")};
}

mi::EstimationRules rules_of(const py::dict& given) {
  mi::EstimationRules rules;
  OptionSet set;
  set.add("", rules);
  set_options(set, given);
  return rules;
}

py::tuple estimation_loss(const EstimatorPair& pair, const py::dict& tensors,
                          const py::dict& given) {
  const auto rules = rules_of(given);
  const auto batch = batch_of(tensors);
  mi::EstimationLoss loss;
  {
    const py::gil_scoped_release no_gil;
    loss = mi::estimation_loss(pair, batch, rules);
  }
  const auto or_none = [](const at::Tensor& t) { return t.defined() ? py::cast(t) : py::none(); };
  return py::make_tuple(or_none(loss.natural), or_none(loss.adversarial), loss.metrics);
}

Metrics mean_scores(const EstimatorPair& pair, const py::dict& tensors, const py::dict& given) {
  const auto rules = rules_of(given);
  const auto batch = batch_of(tensors);
  const py::gil_scoped_release no_gil;
  return mi::mean_scores(pair, batch, rules.selection, rules.dv_mask);
}

void bind_estimator(py::module_& module) {
  py::class_<Estimator>(module, "Estimator")
      .def_property_readonly("defined", &Estimator::defined)
      .def("local_features", &Estimator::local_features, py::arg("x"),
           py::arg("differentiable") = false, kUnlocked)
      .def("global_vectors", &Estimator::global_vectors, py::arg("output"), kUnlocked)
      .def(
          "loss",
          [](const Estimator& e, const at::Tensor& local, const at::Tensor& output,
             const std::string& mask) {
            return e.loss(local, output, choice<mi::DvMask>(mask, "mask"));
          },
          py::arg("local_features"), py::arg("output"), py::arg("mask") = "exclude", kUnlocked)
      .def("parameters", &Estimator::parameters)
      .def("state", &Estimator::state_dict)
      .def("load_state", &Estimator::load_state_dict, kUnlocked)
      .def(
          "train", [](const Estimator& e, bool on) { e.train(on); }, py::arg("mode") = true)
      .def("eval", [](const Estimator& e) { e.train(false); })
      .def("freeze", &Estimator::freeze)
      .def_property_readonly("frozen", &Estimator::is_frozen)
      .def("to", [](const Estimator& e, const at::Device& device) { e.to(device); });
}

}  // namespace

void bind_estimators(py::module_& module) {
  bind_estimator(module);
  py::class_<EstimatorPair>(module, "EstimatorPair")
      .def_property_readonly("natural", [](const EstimatorPair& pair) { return pair.natural; })
      .def_property_readonly("adversarial",
                             [](const EstimatorPair& pair) { return pair.adversarial; })
      .def_property_readonly("info", &info_of)
      .def(
          "save",
          [](const EstimatorPair& pair, const std::string& path) {
            mi::save_estimators(path, pair);
          },
          kUnlocked);
  module.def("make_estimators", &make_estimators);
  module.def(
      "load_estimators", [](const std::string& path) { return mi::load_estimators(path); },
      kUnlocked);
  module.def("estimation_options", [] {
    mi::EstimationRules rules;
    OptionSet set;
    set.add("", rules);
    return describe(set);
  });
  module.def("estimation_loss", &estimation_loss);
  module.def("mean_scores", &mean_scores);
}

}  // namespace namid::python
