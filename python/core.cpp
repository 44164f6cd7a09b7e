// SPDX-License-Identifier: Apache-2.0
#include <torch/csrc/Exceptions.h>

#include "namid/core/error.h"
#include "namid/core/format.h"
#include "namid/core/random.h"
#include "namid/core/statistics.h"
#include "namid/core/subsample.h"
#include "namid/core/version.h"
#include "namid/eval/drawn_verdicts.h"
#include "namid/eval/sampled.h"
#include "namid/run/stop_token.h"
#include "python/bindings.h"

namespace namid::python {
namespace {

/// OptionError, NumericError and DataError map by their standard bases to ValueError and
/// RuntimeError; these have no standard base of the right kind.
void translate(std::exception_ptr thrown) {
  try {
    if (thrown) std::rethrow_exception(thrown);
  } catch (const ResourceError& error) {
    PyErr_SetString(PyExc_OSError, error.what());
  } catch (const run::Interrupted& stop) {
    PyErr_SetString(PyExc_KeyboardInterrupt, stop.what());
  } catch (python_error& error) {  // out of a backward written in Python
    error.restore();
  }
}

}  // namespace

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

py::list describe(const OptionSet& set) {
  py::list rows;
  for (const auto& entry : set.entries()) {
    py::dict row;
    row["path"] = entry.path();
    row["name"] = entry.key;
    row["alone"] = entry.alone;
    row["type"] = entry.type;
    row["help"] = entry.help;
    row["range"] = entry.range;
    row["choices"] = entry.choices;
    row["default"] = entry.get();
    rows.append(row);
  }
  return rows;
}

void set_options(const OptionSet& set, const py::dict& values) {
  for (const auto& [key, value] : values)
    set.set(py::str(key).cast<std::string>(), option_text(value));
}

std::shared_ptr<py::object> share(py::object object) {
  return {new py::object(std::move(object)), [](py::object* done) {
            const py::gil_scoped_acquire gil;
            delete done;
          }};
}

void check_interrupts() {
  const py::gil_scoped_acquire gil;
  if (PyErr_CheckSignals() != 0) throw py::error_already_set();
}

void bind_core(py::module_& module) {
  module.def("version", [] { return std::string(version()); });
  module.def("commit", [] { return std::string(commit()); });
  module.def("clopper_pearson", [](std::int64_t successes, std::int64_t n, double confidence) {
    const auto interval = clopper_pearson(successes, n, confidence);
    return std::pair(interval.low, interval.high);
  });
  module.def("told_apart", &eval::told_apart);
  module.def("sampled_interval", [](std::int64_t n, std::int64_t survivors, std::int64_t drawn,
                                    std::int64_t broken, double confidence) {
    const auto found = sampled_accuracy(n, survivors, drawn, broken, confidence);
    return std::pair(found.interval.low, found.interval.high);
  });
  module.def("drawn_ids", &eval::drawn_ids);
  module.def("permutation",
             [](std::uint64_t seed, const std::string& stream, std::int64_t count,
                std::uint32_t epoch) { return Random(seed, stream).permutation(count, epoch); });
  py::register_exception_translator(&translate);
}

}  // namespace namid::python
