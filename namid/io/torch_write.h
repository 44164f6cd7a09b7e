// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <vector>

#include "namid/io/bytes.h"
#include "namid/io/safetensors.h"

namespace namid::io {

/// The bytes of a file as torch.save(OrderedDict(...)) writes it: the zip form, pickle protocol 2,
/// little-endian, a storage per tensor aligned to 64 bytes, on the CPU. torch.load reads it with
/// weights_only=True; unsigned types above 8 bits and 8-bit floats need PyTorch 2.3 or later. Equal
/// tensors give equal bytes. Metadata have no place in it. DataError for a name used twice and for
/// data that does not fit its shape.
Bytes encode_torch_file(const std::vector<SafeTensor>& tensors);

}  // namespace namid::io
