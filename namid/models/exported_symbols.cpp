// SPDX-License-Identifier: Apache-2.0
#include <map>

#include "namid/core/error.h"
#include "namid/core/format.h"
#include "namid/models/exported_ops.h"

namespace namid::models {
namespace {

using c10::IValue;
using Arguments = std::vector<IValue>;

[[noreturn]] void fail(const std::string& what) {
  throw DataError("arithmetic on sizes: " + what);
}

const IValue& argument(const Arguments& arguments, std::size_t i) {
  if (i >= arguments.size()) fail("an argument is missing");
  const auto& value = arguments[i];
  if (!value.isInt() && !value.isDouble() && !value.isBool()) fail("expected a number");
  return value;
}

std::int64_t whole(const IValue& value) {
  if (value.isBool()) return value.toBool() ? 1 : 0;
  if (!value.isInt()) fail("expected a whole number");
  return value.toInt();
}

double real(const IValue& value) {
  return value.isDouble() ? value.toDouble() : static_cast<double>(whole(value));
}

std::int64_t checked(bool overflow, std::int64_t value) {
  if (overflow) fail("a number does not fit into 64 bits");
  return value;
}

/// Python's //: towards minus infinity.
std::int64_t floor_divide(std::int64_t a, std::int64_t b) {
  if (b == 0) fail("division by zero");
  constexpr auto kLowest = std::numeric_limits<std::int64_t>::min();
  if (b == -1) return a == kLowest ? checked(true, 0) : -a;
  return a / b - ((a % b != 0 && (a < 0) != (b < 0)) ? 1 : 0);
}

enum class Op { add, sub, mul, floordiv, mod, min, max };

std::int64_t on_integers(Op op, std::int64_t a, std::int64_t b) {
  std::int64_t out = 0;
  bool overflow = false;
  switch (op) {
    case Op::add:
      overflow = __builtin_add_overflow(a, b, &out);
      return checked(overflow, out);
    case Op::sub:
      overflow = __builtin_sub_overflow(a, b, &out);
      return checked(overflow, out);
    case Op::mul:
      overflow = __builtin_mul_overflow(a, b, &out);
      return checked(overflow, out);
    case Op::floordiv:
      return floor_divide(a, b);
    case Op::mod:
      return b == -1 ? 0 : a - b * floor_divide(a, b);
    case Op::min:
      return std::min(a, b);
    default:
      return std::max(a, b);
  }
}

double on_reals(Op op, double a, double b) {
  switch (op) {
    case Op::add:
      return a + b;
    case Op::sub:
      return a - b;
    case Op::mul:
      return a * b;
    case Op::floordiv:
      return std::floor(a / b);
    case Op::mod:
      return a - b * std::floor(a / b);
    case Op::min:
      return std::min(a, b);
    default:
      return std::max(a, b);
  }
}

template <Op op>
IValue arithmetic(const Arguments& arguments) {
  const auto &a = argument(arguments, 0), &b = argument(arguments, 1);
  if (a.isDouble() || b.isDouble()) return on_reals(op, real(a), real(b));
  return on_integers(op, whole(a), whole(b));
}

template <class Compare>
IValue comparison(const Arguments& arguments) {
  const auto &a = argument(arguments, 0), &b = argument(arguments, 1);
  if (a.isDouble() || b.isDouble()) return Compare()(real(a), real(b));
  return Compare()(whole(a), whole(b));
}

/// A real number back to a whole one.
template <double (*round)(double)>
IValue to_whole(const Arguments& arguments) {
  const auto& a = argument(arguments, 0);
  if (!a.isDouble()) return whole(a);
  const double value = round(a.toDouble());
  if (!(std::abs(value) < 9e18)) fail("a number does not fit into 64 bits");
  return static_cast<std::int64_t>(value);
}

IValue negative(const Arguments& arguments) {
  const auto& a = argument(arguments, 0);
  if (a.isDouble()) return -a.toDouble();
  return on_integers(Op::sub, 0, whole(a));
}

double floor_of(double value) {
  return std::floor(value);
}
double ceil_of(double value) {
  return std::ceil(value);
}
double trunc_of(double value) {
  return std::trunc(value);
}

}  // namespace

SymbolicFunction symbolic_function(const std::string& target) {
  static const std::map<std::string, SymbolicFunction> functions{
      {"_operator.add", arithmetic<Op::add>},
      {"_operator.sub", arithmetic<Op::sub>},
      {"_operator.mul", arithmetic<Op::mul>},
      {"_operator.floordiv", arithmetic<Op::floordiv>},
      {"_operator.mod", arithmetic<Op::mod>},
      {"_operator.neg", negative},
      {"_operator.truediv",
       [](const Arguments& a) -> IValue { return real(argument(a, 0)) / real(argument(a, 1)); }},
      {"_operator.eq", comparison<std::equal_to<>>},
      {"_operator.ne", comparison<std::not_equal_to<>>},
      {"_operator.lt", comparison<std::less<>>},
      {"_operator.le", comparison<std::less_equal<>>},
      {"_operator.gt", comparison<std::greater<>>},
      {"_operator.ge", comparison<std::greater_equal<>>},
      {"_operator.and_",
       [](const Arguments& a) -> IValue { return whole(argument(a, 0)) && whole(argument(a, 1)); }},
      {"_operator.or_",
       [](const Arguments& a) -> IValue { return whole(argument(a, 0)) || whole(argument(a, 1)); }},
      {"torch.sym_not", [](const Arguments& a) -> IValue { return !whole(argument(a, 0)); }},
      {"torch.sym_float", [](const Arguments& a) -> IValue { return real(argument(a, 0)); }},
      {"torch.sym_int", to_whole<trunc_of>},
      {"torch.sym_max", arithmetic<Op::max>},
      {"torch.sym_min", arithmetic<Op::min>},
      {"math.trunc", to_whole<trunc_of>},
      {"math.floor", to_whole<floor_of>},
      {"math.ceil", to_whole<ceil_of>}};
  const auto found = functions.find(target);
  return found == functions.end() ? nullptr : found->second;
}

}  // namespace namid::models
