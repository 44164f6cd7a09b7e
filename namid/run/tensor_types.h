// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <ATen/core/Tensor.h>

#include <string>

#include "namid/io/safetensors.h"

namespace namid::run {

/// torch's type for the elements of a file.
at::ScalarType torch_type(io::DType dtype);

/// The file's type for the elements of `tensor`, which is called `name`. DataError for types that
/// files do not hold.
io::DType file_type(const std::string& name, const at::Tensor& tensor);

/// The bytes of a contiguous tensor on the CPU.
std::string_view bytes_of(const at::Tensor& tensor);

}  // namespace namid::run
