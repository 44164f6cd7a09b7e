// SPDX-License-Identifier: Apache-2.0
#include "namid/run/tensor_types.h"

#include <array>
#include <utility>

#include "namid/core/error.h"
#include "namid/core/format.h"

namespace namid::run {
namespace {

constexpr std::array<std::pair<at::ScalarType, io::DType>, 16> kTypes{{
    {at::kDouble, io::DType::f64},
    {at::kFloat, io::DType::f32},
    {at::kHalf, io::DType::f16},
    {at::kBFloat16, io::DType::bf16},
    {at::kLong, io::DType::i64},
    {at::kInt, io::DType::i32},
    {at::kShort, io::DType::i16},
    {at::kChar, io::DType::i8},
    {at::kByte, io::DType::u8},
    {at::kBool, io::DType::boolean},
    {at::kUInt64, io::DType::u64},
    {at::kUInt32, io::DType::u32},
    {at::kUInt16, io::DType::u16},
    {at::kFloat8_e4m3fn, io::DType::f8_e4m3},
    {at::kFloat8_e5m2, io::DType::f8_e5m2},
    {at::kComplexFloat, io::DType::c64},
}};

}  // namespace

io::DType file_type(const std::string& name, const at::Tensor& tensor) {
  for (const auto& [type, dtype] : kTypes)
    if (type == tensor.scalar_type()) return dtype;
  throw DataError(str("tensor '", name, "': element type ", c10::toString(tensor.scalar_type()),
                      " cannot be stored; convert it first"));
}

at::ScalarType torch_type(io::DType dtype) {
  return kTypes[static_cast<std::size_t>(dtype)].first;  // in the order of DType
}

std::string_view bytes_of(const at::Tensor& tensor) {
  return {static_cast<const char*>(tensor.const_data_ptr()), tensor.nbytes()};
}

}  // namespace namid::run
