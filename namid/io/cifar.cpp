// SPDX-License-Identifier: Apache-2.0
#include "namid/io/cifar.h"

#include "namid/core/format.h"

namespace namid::io {

CifarBatch parse_cifar(ByteSpan bytes, const std::string& name, Cifar kind) {
  const std::uint64_t label_bytes = kind == Cifar::ten ? 1 : 2;
  const auto record = label_bytes + kCifarPixels;
  if (bytes.empty() || bytes.size() % record != 0)
    fail_at(
        name, bytes.size() - bytes.size() % record,
        str("expected images of ", record, " bytes each, got ", bytes.size() % record, " bytes"));
  CifarBatch batch;
  batch.pixels.reserve(bytes.size() / record * kCifarPixels);
  for (std::uint64_t at = 0; at < bytes.size(); at += record) {
    const auto label = std::to_integer<std::int64_t>(bytes[at + label_bytes - 1]);
    if (label >= classes_of(kind))
      fail_at(name, at + label_bytes - 1,
              str("expected a label below ", classes_of(kind), ", got ", label));
    batch.labels.push_back(label);
    const auto pixels = bytes.subspan(at + label_bytes, kCifarPixels);
    batch.pixels.insert(batch.pixels.end(), pixels.begin(), pixels.end());
  }
  return batch;
}

}  // namespace namid::io
