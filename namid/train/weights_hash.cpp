// SPDX-License-Identifier: Apache-2.0
#include "namid/train/weights_hash.h"

#include "namid/core/format.h"
#include "namid/io/sha256.h"

namespace namid::train {

std::string weights_sha256(const TensorMap& state) {
  io::Sha256 hash;
  for (const auto& [name, tensor] : state) {
    std::string head = str(name, '\0', c10::toString(tensor.scalar_type()), '\0');
    for (const auto size : tensor.sizes()) head += str(size, ',');
    head += '\0';
    hash.update(head.data(), head.size());
    const auto bytes = tensor.detach().to(at::kCPU).contiguous();
    hash.update(bytes.const_data_ptr(), bytes.nbytes());
  }
  return hash.hex();
}

}  // namespace namid::train
