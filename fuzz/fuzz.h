// SPDX-License-Identifier: Apache-2.0
#pragma once

// A fuzz target is a function of bytes. It may return or throw a DataError or OptionError; anything
// else (another exception, a crash, a sanitizer's report, too much memory or time) is a defect.

#include <cstddef>
#include <cstdint>

#include "namid/core/error.h"
#include "namid/io/bytes.h"

namespace namid::fuzz {

/// Cap on what one input may make a parser allocate for its contents.
inline constexpr std::uint64_t kMaxContents = std::uint64_t{1} << 20;

/// What is fuzzed; each target defines it once.
void parse(io::ByteSpan bytes);

}  // namespace namid::fuzz

/// Called by libFuzzer, whose convention the name is.
extern "C" inline __attribute__((used)) int LLVMFuzzerTestOneInput(const std::uint8_t* data,
                                                                   std::size_t size) {
  try {
    namid::fuzz::parse({reinterpret_cast<const std::byte*>(data), size});
  } catch (const namid::DataError&) {
  } catch (const namid::OptionError&) {
  }
  return 0;
}
