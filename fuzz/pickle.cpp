// SPDX-License-Identifier: Apache-2.0
#include "namid/io/pickle.h"

#include "fuzz/fuzz.h"

void namid::fuzz::parse(io::ByteSpan bytes) {
  const io::Pickle pickle(bytes, "f");
  pickle.array(pickle.root(), "an array", kMaxContents);
}
