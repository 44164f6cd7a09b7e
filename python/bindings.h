// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <pybind11/stl.h>
#include <torch/csrc/utils/pybind.h>

#include <memory>
#include <string>
#include <vector>

#include "namid/core/option_set.h"
#include "namid/models/classifier.h"

namespace namid::python {

namespace py = pybind11;

/// For functions that run without the interpreter lock.
inline const auto kUnlocked = py::call_guard<py::gil_scoped_release>();

/// Text of a Python value as options read it: None is "auto", lists are joined by commas.
std::string option_text(const py::handle& value);
/// One dict per option: path, name, type, help, range, choices, default.
py::list describe(const OptionSet& set);
/// Assigns {path: value}; OptionError as OptionSet::set.
void set_options(const OptionSet& set, const py::dict& values);
/// Throws what Python's signal handlers throw (KeyboardInterrupt); for loops without the lock.
void check_interrupts();
/// An object that may be copied and dropped without the lock.
std::shared_ptr<py::object> share(py::object object);
/// An enumerator by its text; OptionError with the nearest one.
template <class E>
E choice(const std::string& text, const char* where) {
  try {
    return detail::parse_value<E>(text);
  } catch (const OptionError& error) {
    throw OptionError(str(where, ": ", error.what()));
  }
}

/// What a Python caller says of a model that is no built-in one.
struct ModelUse {
  std::vector<std::int64_t> input_shape;
  std::int64_t num_classes = 0;
  std::vector<at::Tensor> parameters = {};
  /// Called with true before the first forward inside an attack, with false before the first one
  /// after it; none: the caller has seen to the modes.
  py::object switch_mode = py::none();
  std::string name = "python model";
};

/// A Python callable as a Classifier for the time of one call: every forward takes the interpreter
/// lock, everything else runs without it. To be made and destroyed with the lock held.
class BorrowedModel {
 public:
  BorrowedModel(py::object model, const ModelUse& use);
  BorrowedModel(const BorrowedModel&) = delete;
  BorrowedModel& operator=(const BorrowedModel&) = delete;
  const models::Classifier& classifier() const { return classifier_; }

 private:
  models::Classifier classifier_;
};

/// The built-in network behind a model made by namid.models; null for anything else.
const models::Classifier* built_in(const py::object& model);

/// A model as an attack sees it, for the time of one call: borrowed, a built-in network in eval
/// mode.
class FrozenModel {
 public:
  FrozenModel(const py::object& model, const std::vector<std::int64_t>& shape, std::int64_t classes)
      : borrowed_(model, {shape, classes}) {
    if (const auto* own = built_in(model)) frozen_ = own->frozen_eval();
  }
  const models::Classifier& classifier() const { return borrowed_.classifier(); }

 private:
  BorrowedModel borrowed_;
  std::shared_ptr<void> frozen_;
};

// One function per file: adds a C++ folder's names to the extension.
void bind_core(py::module_& module);
void bind_data(py::module_& module);
void bind_models(py::module_& module);
void bind_attacks(py::module_& module);
void bind_spatial(py::module_& module);
void bind_programs(py::module_& module);
void bind_mi(py::module_& module);
void bind_estimators(py::module_& module);
void bind_defenses(py::module_& module);
void bind_commands(py::module_& module);

}  // namespace namid::python
