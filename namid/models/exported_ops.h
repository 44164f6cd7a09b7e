// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <ATen/core/dispatch/Dispatcher.h>

#include <optional>
#include <string>
#include <vector>

#include "namid/io/pt2.h"

namespace namid::models {

/// How one argument of a call is made at run time: a constant, a value of the graph, the same where
/// a tensor is wanted (a number becomes one, as in Python), the device of the run, or a list with
/// values of the graph in it.
struct Source {
  enum class Kind { constant, value, tensor, device, integers, reals, tensors, optional_tensors };
  Kind kind = Kind::constant;
  c10::IValue constant;
  std::size_t value = 0;
  std::vector<Source> entries;  ///< of a list; each a constant or a value

  c10::IValue make(const std::vector<c10::IValue>& values, const at::Device& device) const;
};

/// Arithmetic on sizes ("_operator.mul"), which exported programs do outside of ATen.
using SymbolicFunction = c10::IValue (*)(const std::vector<c10::IValue>& arguments);

/// Throws a DataError for arguments that the operator itself takes without looking, and would read
/// beyond the end of.
using ArgumentCheck = void (*)(const std::vector<c10::IValue>& arguments);

/// One node made ready to run: the operator is looked up once, arguments that the file leaves out
/// are those of the operator's schema, numbers have the schema's types.
struct Call {
  std::string name, target;
  std::optional<c10::OperatorHandle> op;  ///< none: `symbolic` is called
  SymbolicFunction symbolic = nullptr;
  ArgumentCheck check = nullptr;
  std::vector<Source> arguments;
  std::vector<io::Pt2Result> results;
  std::vector<std::size_t> dead;  ///< values that no later call uses
  bool in_place = false;          ///< changes its first argument
  bool skipped = false;           ///< only asserts what was true at the export
};

/// The call for a node. Only operators on a list are run: ATen operators without side effects that
/// are functions of their arguments, and arithmetic on sizes. DataError, with the operator's name,
/// for any other; for one that draws random numbers; for BatchNorm or dropout in train mode; and
/// for arguments that do not fit the operator's schema.
Call make_call(const io::Pt2Node& node);

/// Names of the ATen operators on the list, sorted, without overloads; in-place forms (`relu_`)
/// belong to them.
const std::vector<std::string>& allowed_operators();

/// The function behind a target such as "_operator.mul"; null if there is none.
SymbolicFunction symbolic_function(const std::string& target);

/// The check that an ATen operator needs before it is called; null if it checks by itself.
ArgumentCheck argument_check(const std::string& name);

at::ScalarType scalar_type(io::DType dtype);

}  // namespace namid::models
