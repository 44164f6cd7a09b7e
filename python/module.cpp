// SPDX-License-Identifier: Apache-2.0
#include "python/bindings.h"

PYBIND11_MODULE(_C, module) {
  module.doc() = "namid's C++ core; use the package `namid`.";
  namid::python::bind_core(module);
  namid::python::bind_data(module);
  namid::python::bind_models(module);
  namid::python::bind_attacks(module);
  namid::python::bind_spatial(module);
  namid::python::bind_programs(module);
  namid::python::bind_mi(module);
  namid::python::bind_estimators(module);
  namid::python::bind_defenses(module);
  namid::python::bind_commands(module);
}
