// SPDX-License-Identifier: Apache-2.0
#include "namid/engine/compile.h"
#include "namid/models/registry.h"

#include <torch/csrc/autograd/python_variable.h>
#include "namid/mi/estimator.h"  // names of the layers
#include "namid/models/model_file.h"
#include "namid/models/network.h"
#include "namid/models/weights.h"
#include "python/bindings.h"

namespace namid::python {
namespace {

using models::Classifier;

/// What a forward into Python needs; the classifier tells whether an attack has frozen it.
struct Callee {
  py::object call, switch_mode;
  const Classifier* classifier = nullptr;
  bool frozen = false;
};

at::Tensor call_python(Callee& callee, const at::Tensor& batch) {
  const py::gil_scoped_acquire gil;
  if (PyErr_CheckSignals() != 0) throw py::error_already_set();
  const bool frozen = !callee.classifier->is_training();
  if (frozen != callee.frozen && !callee.switch_mode.is_none()) callee.switch_mode(frozen);
  callee.frozen = frozen;
  const py::object logits = callee.call(batch);
  if (!THPVariable_Check(logits.ptr()))
    throw OptionError(str("model: expected a tensor of logits (N, classes), got ",
                          py::str(py::type::handle_of(logits)).cast<std::string>()));
  return logits.cast<at::Tensor>();
}

using NamedTensors = std::vector<std::pair<std::string, at::Tensor>>;

template <class List>
NamedTensors named(const List& list) {
  NamedTensors all;
  for (const auto& item : list) all.emplace_back(item.key(), item.value());
  return all;
}

/// The modules of a built-in network; OptionError for a model that has none.
std::shared_ptr<models::Network> network_of(const Classifier& model) {
  auto network = model.network();
  if (!network)
    throw OptionError(str("[model] ", model.info().name,
                          " is no built-in network: it has a state_dict(), but no modules"));
  return network;
}

Classifier create(const py::dict& given, const std::vector<std::int64_t>& input_shape,
                  std::int64_t num_classes, std::uint64_t seed) {
  models::ModelOptions options;
  OptionSet set;
  set.add("", options);
  set_options(set, given);
  const py::gil_scoped_release no_gil;
  return models::create(options, input_shape, num_classes, seed);
}

py::list describe_models() {
  py::list rows;
  for (const auto& info : models::list_models()) {
    py::dict row;
    row["name"] = info.name;
    row["description"] = info.description;
    row["paper"] = info.paper;
    rows.append(row);
  }
  return rows;
}

void bind_state(py::class_<Classifier>& model) {
  const auto no_gil = py::call_guard<py::gil_scoped_release>();
  model
      .def("named_parameters",
           [](const Classifier& model) { return named(network_of(model)->named_parameters()); })
      .def("named_buffers",
           [](const Classifier& model) { return named(network_of(model)->named_buffers()); })
      .def("state", &Classifier::state_dict)
      .def("load_state", &Classifier::load_state_dict, no_gil)
      .def("set_training", &Classifier::train)
      .def("move", &Classifier::to, no_gil)
      .def("copy", &Classifier::clone, no_gil)
      .def("use_channels_last", &Classifier::use_channels_last, no_gil)
      .def(
          "save", [](const Classifier& m, const std::string& path) { models::save_model(path, m); },
          no_gil)
      .def(
          "load_weights",
          [](const Classifier& m, const std::string& path) { models::load_weights(path, m); },
          no_gil)
      .def("weights_sha256",
           [](const Classifier& m) { return models::weights_sha256(m.state_dict()); });
}

void bind_class(py::module_& module) {
  const auto no_gil = py::call_guard<py::gil_scoped_release>();
  py::class_<Classifier> model(module, "Model");
  model
      .def(
          "forward",
          [](const Classifier& model, const at::Tensor& x, const std::string& layer) {
            return model(x, choice<models::Layer>(layer, "layer"));
          },
          no_gil)
      .def("has_layer",
           [](const Classifier& model, const std::string& layer) {
             return model.has_layer(choice<models::Layer>(layer, "layer"));
           })
      .def_property_readonly("name", [](const Classifier& m) { return m.info().name; })
      .def_property_readonly("num_classes",
                             [](const Classifier& m) { return m.info().num_classes; })
      .def_property_readonly("input_shape",
                             [](const Classifier& m) { return m.info().input_shape; })
      .def_property_readonly("mean", [](const Classifier& m) { return m.info().mean; })
      .def_property_readonly("std", [](const Classifier& m) { return m.info().std; })
      .def_property_readonly("training", &Classifier::is_training)
      .def_property_readonly("device", &Classifier::device);
  bind_state(model);
}

}  // namespace

BorrowedModel::BorrowedModel(py::object model, const ModelUse& use) {
  models::ClassifierInfo info{
      .name = use.name, .num_classes = use.num_classes, .input_shape = use.input_shape};
  if (const auto* own = built_in(model)) {
    const auto forward = [own = *own](const at::Tensor& batch) {
      check_interrupts();
      return own(batch);
    };
    classifier_ = Classifier(forward, std::move(info), use.parameters);
    return;
  }
  const std::shared_ptr<Callee> callee(new Callee{std::move(model), use.switch_mode, &classifier_},
                                       [](Callee* done) {
                                         const py::gil_scoped_acquire gil;
                                         delete done;
                                       });
  const auto forward = [callee](const at::Tensor& batch) { return call_python(*callee, batch); };
  classifier_ = Classifier(forward, std::move(info), use.parameters);
}

const Classifier* built_in(const py::object& model) {
  return py::isinstance<Classifier>(model) ? model.cast<const Classifier*>() : nullptr;
}

void bind_models(py::module_& module) {
  bind_class(module);
  module.def("create_model", &create);
  module.def(
      "load_model",
      [](const std::string& path) {
        return models::model_file_kind(path) == models::ModelFile::pt2 ? models::load_program(path)
                                                                       : models::load_model(path);
      },
      py::call_guard<py::gil_scoped_release>());
  module.def("compile", [](const Classifier& model) {
    auto compiled = [&] {
      const py::gil_scoped_release no_gil;
      return engine::try_compile(model);
    }();
    return py::make_tuple(compiled.model, compiled.kernels, compiled.refusal);
  });
  module.def("model_table", &describe_models);
  module.def("model_options", [] {
    models::ModelOptions options;
    OptionSet set;
    set.add("", options);
    return describe(set);
  });
}

}  // namespace namid::python
