// SPDX-License-Identifier: Apache-2.0
#include "namid/io/safetensors.h"

#include "fuzz/fuzz.h"

void namid::fuzz::parse(io::ByteSpan bytes) {
  const auto file = io::parse_safetensors(io::as_text(bytes), "f");
  io::write_safetensors(file.tensors, file.metadata);
}
