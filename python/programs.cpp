// SPDX-License-Identifier: Apache-2.0
#include "namid/core/error.h"
#include "namid/models/exported_ops.h"
#include "namid/models/model_file.h"
#include "namid/run/tensor_file.h"
#include "python/bindings.h"

namespace namid::python {
namespace {

/// A model file in C++, callable from Python with autograd; the lock is free while it runs.
class Program {
 public:
  explicit Program(const std::string& path) : model_(models::load_program(path)) {}

  at::Tensor forward(const at::Tensor& x) const {
    const py::gil_scoped_release no_gil;
    return model_(x);
  }
  const models::ClassifierInfo& info() const { return model_.info(); }
  py::dict state_dict() const {
    py::dict state;
    for (const auto& [name, tensor] : model_.state_dict()) state[py::str(name)] = tensor;
    return state;
  }
  void freeze() const {
    for (const auto& parameter : model_.parameters()) parameter.requires_grad_(false);
  }

 private:
  models::Classifier model_;
};

}  // namespace

void bind_programs(py::module_& module) {
  py::class_<Program>(module, "Program",
                      "A torch.export program (.pt2) run by namid's interpreter: call it with "
                      "images in [0,1]; gradients of images flow, those of weights are off.")
      .def(py::init([](const std::string& path) {
             const py::gil_scoped_release no_gil;
             auto program = std::make_unique<Program>(path);
             program->freeze();
             return program;
           }),
           py::arg("path"))
      .def("__call__", &Program::forward, py::arg("x"))
      .def_property_readonly("name", [](const Program& p) { return p.info().name; })
      .def_property_readonly("num_classes", [](const Program& p) { return p.info().num_classes; })
      .def_property_readonly("input_shape", [](const Program& p) { return p.info().input_shape; })
      .def("state_dict", &Program::state_dict);
  module.def("program_operators", [] { return models::allowed_operators(); });
  module.def("read_safetensors", [](const std::string& path) {
    py::dict tensors;
    for (const auto& [name, tensor] : run::read_tensor_file(path).tensors)
      tensors[py::str(name)] = tensor;
    return tensors;
  });
}

}  // namespace namid::python
