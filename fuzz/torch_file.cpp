// SPDX-License-Identifier: Apache-2.0
#include "namid/io/torch_file.h"

#include "fuzz/fuzz.h"

namespace {

using namespace namid;

void read(io::ByteSpan bytes) {
  const io::TorchFile file(bytes, "f", fuzz::kMaxContents);
  std::uint64_t left = fuzz::kMaxContents;
  for (const auto& tensor : file.tensors()) {
    const auto size = file.contents(tensor).size() + 1;
    if (size > left) break;
    left -= size;
  }
  io::state_dict_prefix(file, "");
}

}  // namespace

/// A pickle by itself is put into an archive with two storages, whose checksums a mutated archive
/// would not have.
void namid::fuzz::parse(io::ByteSpan bytes) {
  const bool is_pickle = io::as_text(bytes).starts_with("\x80") && !io::may_be_torch_file(bytes);
  if (!is_pickle) return read(bytes);
  const io::Bytes record(96);
  read(io::encode_zip({{"f/data.pkl", bytes}, {"f/data/0", record}, {"f/data/1", record}}, {}));
}
