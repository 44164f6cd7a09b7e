// SPDX-License-Identifier: Apache-2.0
#include "namid/models/exported_ops.h"

#include <ATen/ScalarOps.h>

#include <algorithm>
#include <set>

#include "namid/core/error.h"
#include "namid/core/format.h"

namespace namid::models {
namespace {

using c10::IValue;
using c10::TypeKind;
using c10::TypePtr;

constexpr std::string_view kAten = "torch.ops.aten.";
constexpr auto kEval = "call model.eval() and export again";

const std::set<std::string> kAssertions{"_assert_tensor_metadata", "_assert_scalar",
                                        "_assert_async", "sym_constrain_range",
                                        "sym_constrain_range_for_size"};
const std::set<std::string> kRandom{"rand",    "randn",           "rand_like",   "randn_like",
                                    "randint", "randperm",        "bernoulli",   "normal",
                                    "uniform", "rrelu",           "multinomial", "randint_like",
                                    "poisson", "rrelu_with_noise"};

struct Target {
  std::string name, overload;  ///< "relu", ""
  bool in_place = false;
};

Target split_target(const std::string& target) {
  auto name = target.substr(kAten.size());
  const auto dot = name.find('.');
  Target parts{.name = name.substr(0, dot),
               .overload = dot == std::string::npos ? "" : name.substr(dot + 1)};
  if (parts.overload == "default") parts.overload.clear();
  parts.in_place = parts.name.ends_with('_') && !parts.name.ends_with("__");
  return parts;
}

[[noreturn]] void refuse(const io::Pt2Node& node, const std::string& why) {
  throw DataError(str("node '", node.name, "': operator ", node.target, " ", why));
}

void check_allowed(const io::Pt2Node& node, const Target& target) {
  const auto base = target.in_place ? target.name.substr(0, target.name.size() - 1) : target.name;
  if (kRandom.contains(base))
    refuse(node,
           "draws random numbers: an attack would see another function at each pass; remove "
           "it from the model before the export");
  const auto& allowed = allowed_operators();
  if (!std::binary_search(allowed.begin(), allowed.end(), base))
    refuse(node,
           "is not among the operators that are run (docs/models.md lists them); rewrite "
           "that part of the model, or attack it from Python");
}

TypePtr without_optional(TypePtr type) {
  while (const auto optional = type->cast<c10::OptionalType>()) type = optional->getElementType();
  return type;
}

/// A literal in the type that the schema asks for.
IValue literal(const io::Pt2Item& item, const TypePtr& wanted) {
  const auto kind = wanted->kind();
  if (const auto* value = std::get_if<bool>(&item))
    return kind == TypeKind::IntType ? IValue(static_cast<std::int64_t>(*value)) : IValue(*value);
  if (const auto* value = std::get_if<std::int64_t>(&item)) {
    if (kind == TypeKind::FloatType) return static_cast<double>(*value);
    return kind == TypeKind::BoolType ? IValue(*value != 0) : IValue(*value);
  }
  if (const auto* value = std::get_if<double>(&item)) return *value;
  if (const auto* value = std::get_if<std::string>(&item)) return *value;
  if (const auto* value = std::get_if<io::DType>(&item)) return scalar_type(*value);
  if (const auto* value = std::get_if<io::Pt2MemoryFormat>(&item)) {
    constexpr std::array formats{at::MemoryFormat::Contiguous, at::MemoryFormat::ChannelsLast,
                                 at::MemoryFormat::ChannelsLast3d, at::MemoryFormat::Preserve};
    return formats[static_cast<std::size_t>(*value) - 1];
  }
  if (std::holds_alternative<io::Pt2Strided>(item)) return at::kStrided;
  return {};
}

/// Python gives numbers where tensors are wanted; types are then those of a number, not of a
/// tensor.
IValue as_tensor(const IValue& value) {
  if (!value.isScalar()) return value;
  return at::native::wrapped_scalar_tensor(value.toScalar());
}

Source single(const io::Pt2Item& item, const TypePtr& wanted) {
  const bool tensor = wanted->kind() == TypeKind::TensorType;
  if (const auto* value = std::get_if<io::Pt2Value>(&item))
    return {.kind = tensor ? Source::Kind::tensor : Source::Kind::value, .value = value->index};
  if (std::holds_alternative<io::Pt2Device>(item)) return {.kind = Source::Kind::device};
  auto constant = literal(item, wanted);
  return {.constant = tensor ? as_tensor(constant) : std::move(constant)};
}

Source::Kind list_kind(const TypePtr& element) {
  switch (element->kind()) {
    case TypeKind::TensorType:
      return Source::Kind::tensors;
    case TypeKind::OptionalType:
      return Source::Kind::optional_tensors;
    case TypeKind::IntType:
    case TypeKind::SymIntType:
      return Source::Kind::integers;
    case TypeKind::FloatType:
    case TypeKind::NumberType:
      return Source::Kind::reals;
    default:
      throw DataError(str("lists of ", element->str(), " are not supported"));
  }
}

/// A list, put together now if nothing in it is known only at run time.
Source list(const std::vector<io::Pt2Item>& items, const c10::ListType& type) {
  const auto element = type.getElementType();
  Source made{.kind = list_kind(element)};
  bool constant = true;
  for (const auto& item : items) {
    made.entries.push_back(single(item, without_optional(element)));
    constant = constant && made.entries.back().kind == Source::Kind::constant;
  }
  if (constant) return {.constant = made.make({}, at::kCPU)};
  return made;
}

Source source(const io::Pt2Argument& given, const c10::Argument& wanted) {
  const auto type = without_optional(wanted.type());
  const bool none = !given.is_list && std::holds_alternative<std::monostate>(given.items.front());
  const auto list_type = type->cast<c10::ListType>();
  if (none) return {};
  if (!list_type) {
    if (given.is_list) throw DataError(str("argument '", given.name, "': expected one value"));
    return single(given.items.front(), type);
  }
  if (given.is_list) return list(given.items, *list_type);
  // One number stands for a whole list, as it does in Python.
  const auto copies = static_cast<std::size_t>(std::max(1, wanted.N().value_or(1)));
  return list(std::vector<io::Pt2Item>(copies, given.items.front()), *list_type);
}

std::vector<Source> arguments_of(const io::Pt2Node& node, const c10::FunctionSchema& schema) {
  std::vector<Source> sources;
  std::size_t used = 0;
  for (const auto& wanted : schema.arguments()) {
    const auto given = std::find_if(node.arguments.begin(), node.arguments.end(),
                                    [&](const auto& a) { return a.name == wanted.name(); });
    if (given != node.arguments.end()) {
      sources.push_back(source(*given, wanted));
      ++used;
    } else if (wanted.default_value()) {
      sources.push_back({.constant = *wanted.default_value()});
    } else if (wanted.type()->kind() == TypeKind::OptionalType) {
      sources.push_back({});
    } else {
      throw DataError(str("argument '", wanted.name(), "' is missing"));
    }
  }
  if (used != node.arguments.size())
    throw DataError(str("has arguments that its schema does not know: ", c10::str(schema)));
  return sources;
}

/// Batch statistics and dropout: what eval mode would have turned off.
void check_mode(const io::Pt2Node& node, const Call& call, const Target& target) {
  if (target.overload == "no_stats")
    refuse(node, str("computes statistics over the batch; ", kEval,
                     ", and instance norm without run_decompositions()"));
  const auto& wanted = call.op->schema().arguments();
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    const auto& name = wanted[i].name();
    const auto& given = call.arguments[i];
    const bool known = given.kind == Source::Kind::constant;
    const bool off = known && given.constant.isBool() && !given.constant.toBool();
    if ((name == "training" || name == "train") && !off)
      refuse(node, str("is in train mode, where the output depends on the other images of the "
                       "batch or on chance; ",
                       kEval));
    if (name == "dropout_p" &&
        !(known && given.constant.isDouble() && given.constant.toDouble() == 0))
      refuse(node, str("drops out at random; ", kEval));
  }
}

/// Memory orders differ from those at the export, so a view is taken where it can be and a copy is
/// made where it cannot; removing the gradient in place is the same as not in place.
Target with_substitutes(Target target) {
  if ((target.name == "view" && target.overload.empty()) || target.name == "_unsafe_view")
    return {.name = "reshape"};
  if (target.name == "detach_") return {.name = "detach"};
  return target;
}

/// Whether it changes an argument, but for the first of an in-place operator.
bool writes_elsewhere(const c10::FunctionSchema& schema, bool in_place) {
  const auto& arguments = schema.arguments();
  for (std::size_t i = in_place ? 1 : 0; i < arguments.size(); ++i)
    if (const auto* alias = arguments[i].alias_info(); alias && alias->isWrite()) return true;
  return false;
}

void fill_aten(Call& call, const io::Pt2Node& node) {
  const auto given = split_target(node.target);
  if (kAssertions.contains(given.name)) {
    call.skipped = true;
    return;
  }
  check_allowed(node, given);
  const auto find = [](const Target& target) {
    return c10::Dispatcher::singleton().findSchema({"aten::" + target.name, target.overload});
  };
  const auto original = find(given);
  if (!original) refuse(node, "is not known to this LibTorch (another version?)");
  if (writes_elsewhere(original->schema(), given.in_place))
    refuse(node, "writes into tensors it is given, which is not run");
  try {
    call.arguments = arguments_of(node, original->schema());
  } catch (const DataError& error) {
    refuse(node, str(": ", error.what()));
  }
  const auto target = with_substitutes(given);
  call.op = find(target);
  call.check = argument_check(target.name);
  call.in_place = target.in_place;
  call.target = str("aten.", target.name, target.overload.empty() ? "" : ".", target.overload);
  check_mode(node, call, target);
}

template <class T>
c10::List<T> typed_list(const std::vector<Source>& entries, const std::vector<IValue>& values,
                        T (*convert)(const IValue&)) {
  c10::List<T> list;
  list.reserve(entries.size());
  for (const auto& entry : entries)
    list.push_back(
        convert(entry.kind == Source::Kind::constant ? entry.constant : values[entry.value]));
  return list;
}

}  // namespace

at::ScalarType scalar_type(io::DType dtype) {
  constexpr std::array types{at::kDouble, at::kFloat, at::kHalf, at::kBFloat16, at::kLong,
                             at::kInt,    at::kShort, at::kChar, at::kByte,     at::kBool};
  return types[static_cast<std::size_t>(dtype)];  // in the order of DType
}

IValue Source::make(const std::vector<IValue>& values, const at::Device& device) const {
  switch (kind) {
    case Kind::constant:
      return constant;
    case Kind::value:
      return values[value];
    case Kind::tensor:
      return values[value].isTensor() ? values[value] : as_tensor(values[value]);
    case Kind::device:
      return device;
    case Kind::integers:
      return typed_list<std::int64_t>(entries, values, [](const IValue& v) { return v.toInt(); });
    case Kind::reals:
      return typed_list<double>(entries, values, [](const IValue& v) {
        return v.isInt() ? static_cast<double>(v.toInt()) : v.toDouble();
      });
    case Kind::tensors:
      return typed_list<at::Tensor>(entries, values, [](const IValue& v) { return v.toTensor(); });
    default:
      return typed_list<std::optional<at::Tensor>>(entries, values, [](const IValue& v) {
        return v.isNone() ? std::nullopt : std::optional(v.toTensor());
      });
  }
}

Call make_call(const io::Pt2Node& node) {
  Call call{.name = node.name, .target = node.target, .results = node.results};
  if (node.target.starts_with(kAten)) {
    fill_aten(call, node);
    return call;
  }
  call.symbolic = symbolic_function(node.target);
  if (!call.symbolic)
    refuse(node,
           "is not among the operators that are run (docs/models.md lists them); rewrite "
           "that part of the model, or attack it from Python");
  for (const auto& argument : node.arguments) {
    if (argument.is_list) refuse(node, ": expected numbers");
    call.arguments.push_back(single(argument.items.front(), c10::NumberType::get()));
  }
  return call;
}

}  // namespace namid::models
