// SPDX-License-Identifier: Apache-2.0
#include "namid/io/npy.h"

#include "fuzz/fuzz.h"
#include "namid/io/npy_text.h"

void namid::fuzz::parse(io::ByteSpan bytes) {
  try {
    io::parse_npy(bytes, "f", kMaxContents);
  } catch (const DataError&) {
    io::parse_npy_text(bytes, "f", kMaxContents);
  }
}
