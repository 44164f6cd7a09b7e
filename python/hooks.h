// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <torch/csrc/autograd/python_variable.h>

#include <functional>

#include "namid/attacks/attack.h"
#include "namid/core/error.h"
#include "namid/core/format.h"
#include "python/bindings.h"

namespace namid::python {

/// A hook in Python as one in C++, called with the lock held; None stays empty. OptionError
/// "loss: expected a tensor from the callable, got <class 'float'>".
template <class... Tensors>
std::function<at::Tensor(Tensors...)> hook(const py::object& function, const char* name) {
  if (function.is_none()) return {};
  const auto shared = share(function);  // attacks copy hooks, and without the lock
  return [shared, name](Tensors... tensors) {
    const py::gil_scoped_acquire gil;
    const py::object value = (*shared)(tensors...);
    if (!THPVariable_Check(value.ptr()))
      throw OptionError(str(name, ": expected a tensor from the callable, got ",
                            py::str(py::type::handle_of(value)).template cast<std::string>()));
    return value.template cast<at::Tensor>();
  };
}

/// The callables "loss" and "gradient" of a request, or None, as the context's.
inline void add_hooks(attacks::Context& context, const py::dict& request) {
  using Tensor = const at::Tensor&;
  context.loss = hook<Tensor, Tensor, Tensor>(request["loss"], "loss");
  context.gradient = hook<Tensor, Tensor>(request["gradient"], "gradient");
}

}  // namespace namid::python
