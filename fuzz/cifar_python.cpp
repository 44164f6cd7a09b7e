// SPDX-License-Identifier: Apache-2.0
#include "namid/io/cifar_python.h"

#include "fuzz/fuzz.h"

void namid::fuzz::parse(io::ByteSpan bytes) {
  try {
    io::parse_cifar_python(bytes, "f", io::Cifar::ten);
  } catch (const DataError&) {
    io::parse_cifar_names(bytes, "f", io::Cifar::ten);
  }
}
