// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "namid/io/bytes.h"

namespace namid::io {

enum class Cifar { ten, hundred };

/// Bytes of one CIFAR image: red, green, blue plane of 32 rows of 32.
inline constexpr std::uint64_t kCifarPixels = 3072;

/// The images and labels of one file.
struct CifarBatch {
  Bytes pixels;                      ///< (N, 3, 32, 32)
  std::vector<std::int64_t> labels;  ///< in [0, 10), or fine labels in [0, 100)
};

/// Number of classes.
constexpr std::int64_t classes_of(Cifar kind) {
  return kind == Cifar::ten ? 10 : 100;
}

/// Parses a file of the binary version: per image one label byte (CIFAR-100: coarse, then fine) and
/// 3072 pixels. DataError if the size is no multiple of that, the file is empty, or a label is out
/// of range.
CifarBatch parse_cifar(ByteSpan bytes, const std::string& name, Cifar kind);

}  // namespace namid::io
