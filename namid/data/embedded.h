// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "namid/data/dataset.h"
#include "namid/io/bytes.h"

namespace namid::data {

/// The gzipped IDX files of fashion-mnist-mini, which are part of the library.
struct EmbeddedFiles {
  io::ByteSpan images;
  io::ByteSpan labels;
};
EmbeddedFiles embedded_fashion_mnist_mini(Part part);

}  // namespace namid::data
