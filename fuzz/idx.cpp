// SPDX-License-Identifier: Apache-2.0
#include "namid/io/idx.h"

#include "fuzz/fuzz.h"

void namid::fuzz::parse(io::ByteSpan bytes) {
  io::parse_idx(bytes, "f", kMaxContents);
}
