// SPDX-License-Identifier: Apache-2.0
#include "namid/engine/compile.h"
#include "namid/models/registry.h"

#include "namid/mi/estimator.h"  // names of the layers
#include "namid/models/model_file.h"
#include "namid/models/network.h"
#include "namid/models/weights.h"
#include "python/bindings.h"

namespace namid::python {
namespace {

using models::Classifier;

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
      .def("parameters", &Classifier::parameters)
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
