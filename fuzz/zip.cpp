// SPDX-License-Identifier: Apache-2.0
#include "namid/io/zip.h"

#include "fuzz/fuzz.h"

void namid::fuzz::parse(io::ByteSpan bytes) {
  const io::ZipArchive archive(bytes, "f", kMaxContents);
  for (const auto& entry : archive.entries()) archive.read(entry);
}
