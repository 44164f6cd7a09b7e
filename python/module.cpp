// SPDX-License-Identifier: Apache-2.0
#include "python/bindings.h"

PYBIND11_MODULE(_C, module) {
  module.doc() = "namid's C++ core; use the package `namid`.";
  namid::python::bind_core(module);
  namid::python::bind_attacks(module);
}
