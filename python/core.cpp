// SPDX-License-Identifier: Apache-2.0
#include "namid/core/error.h"
#include "namid/core/format.h"
#include "namid/core/version.h"
#include "python/bindings.h"

namespace namid::python {

std::string option_text(const py::handle& value) {
  if (value.is_none()) return "auto";
  if (py::isinstance<py::bool_>(value)) return value.cast<bool>() ? "true" : "false";
  if (py::isinstance<py::float_>(value)) return shortest(value.cast<double>());
  if (py::isinstance<py::list>(value) || py::isinstance<py::tuple>(value)) {
    std::string text;
    for (const auto& item : value) text += (text.empty() ? "" : ",") + option_text(item);
    return text;
  }
  return py::str(value).cast<std::string>();
}

void bind_core(py::module_& module) {
  module.def("version", [] { return std::string(version()); });
  module.def("commit", [] { return std::string(commit()); });
  // OptionError and NumericError/DataError map by their standard bases to ValueError and
  // RuntimeError; ResourceError has no standard base that maps to OSError.
  py::register_exception_translator([](std::exception_ptr thrown) {
    try {
      if (thrown) std::rethrow_exception(thrown);
    } catch (const ResourceError& error) {
      PyErr_SetString(PyExc_OSError, error.what());
    }
  });
}

}  // namespace namid::python
