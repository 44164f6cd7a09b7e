// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <functional>
#include <string>

#include "namid/core/error.h"
#include "namid/io/bytes.h"

namespace namid::testing {

/// The message of the DataError that `call` throws.
inline std::string message_of(const std::function<void()>& call) {
  try {
    call();
  } catch (const DataError& error) {
    return error.what();
  }
  return "no DataError";
}

/// Each proper prefix of the file must be refused.
inline void for_each_truncation(const io::Bytes& file,
                                const std::function<void(io::ByteSpan)>& parse) {
  for (std::size_t size = 0; size < file.size(); ++size) {
    const io::Bytes cut(file.begin(), file.begin() + static_cast<std::ptrdiff_t>(size));
    ASSERT_THROW(parse(cut), DataError) << "cut to " << size << " of " << file.size() << " bytes";
  }
}

/// With any one byte of the file changed, `parse` may succeed or throw a DataError, nothing else.
inline void for_each_flip(const io::Bytes& file, const std::function<void(io::ByteSpan)>& parse) {
  for (std::size_t at = 0; at < file.size(); ++at)
    for (const unsigned flip : {0x01U, 0x80U, 0xffU, 0x7fU}) {
      io::Bytes damaged = file;
      damaged[at] ^= std::byte(flip);
      try {
        parse(damaged);
      } catch (const DataError&) {
      }
    }
}

/// By how much the peak of this process's resident memory exceeds what was resident when the object
/// was made (which resets the peak).
class PeakMemory {
 public:
  PeakMemory() {
    std::ofstream("/proc/self/clear_refs") << "5";
    start_ = read("VmRSS:");
  }
  std::size_t grown() const { return read("VmHWM:") - std::min(read("VmHWM:"), start_); }

 private:
  static std::size_t read(const std::string& key) {
    std::ifstream status("/proc/self/status");
    std::string word;
    std::size_t kilobytes = 0;
    while (status >> word)
      if (word == key && status >> kilobytes) break;
    return kilobytes * 1024;
  }
  std::size_t start_ = 0;
};

}  // namespace namid::testing
