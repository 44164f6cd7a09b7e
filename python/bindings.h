// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <torch/csrc/utils/pybind.h>

#include <string>

namespace namid::python {

namespace py = pybind11;

/// Text of a Python value as options read it: None is "auto", lists are joined by commas.
std::string option_text(const py::handle& value);

// One function per file: adds a C++ folder's names to the extension.
void bind_core(py::module_& module);
void bind_attacks(py::module_& module);

}  // namespace namid::python
