// SPDX-License-Identifier: Apache-2.0
#include "namid/io/npz.h"

#include "fuzz/fuzz.h"

void namid::fuzz::parse(io::ByteSpan bytes) {
  const io::NpzFile file(bytes, "f", kMaxContents);
  for (const auto& array : file.names()) file.read(array);
}
