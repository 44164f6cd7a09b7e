// SPDX-License-Identifier: Apache-2.0
#include "namid/io/tfevents.h"

#include <gtest/gtest.h>

#include <bit>
#include <cstring>
#include <vector>

#include "namid/io/crc32c.h"

namespace namid::io {
namespace {

template <class T>
T read_raw(std::string_view bytes, std::size_t at) {
  T value{};
  std::memcpy(&value, bytes.substr(at, sizeof value).data(), sizeof value);
  return value;
}

std::uint32_t unmask(std::uint32_t masked) {
  return std::rotl(masked - 0xa282ead8u, 15);
}

/// Splits a file into payloads and checks both checksums of each.
std::vector<std::string> payloads(std::string_view file) {
  std::vector<std::string> out;
  while (!file.empty()) {
    const auto length = read_raw<std::uint64_t>(file, 0);
    EXPECT_EQ(unmask(read_raw<std::uint32_t>(file, 8)), crc32c(file.substr(0, 8)));
    out.emplace_back(file.substr(12, length));
    EXPECT_EQ(unmask(read_raw<std::uint32_t>(file, 12 + length)), crc32c(out.back()));
    file.remove_prefix(16 + length);
  }
  return out;
}

std::string wall(double seconds) {
  std::string out = "\x09";
  return out.append(reinterpret_cast<const char*>(&seconds), 8);
}

TEST(TfEvents, FramesWithMaskedChecksums) {
  EXPECT_EQ(payloads(tfrecord("abc") + tfrecord("")), (std::vector<std::string>{"abc", ""}));
}

TEST(TfEvents, FirstRecordNamesTheVersion) {
  const auto event = payloads(event_file_version(1.5)).at(0);
  EXPECT_EQ(event, wall(1.5) + std::string("\x10\0\x1a\x0d", 4) + "brain.Event:2");
}

TEST(TfEvents, ScalarsAreEncodedAsTheProtocolSays) {
  const auto event = payloads(event_scalars(2.0, 300, {{"a", 1.0}, {"bc", -2.0}})).at(0);
  const std::string a(
      "\x0a\x08\x0a\x01"
      "a\x15\x00\x00\x80\x3f",
      10);
  const std::string bc(
      "\x0a\x09\x0a\x02"
      "bc\x15\x00\x00\x00\xc0",
      11);
  EXPECT_EQ(event, wall(2.0) + "\x10\xac\x02\x2a\x15" + a + bc);
}

TEST(TfEvents, SessionStartCarriesItsStep) {
  const auto event = payloads(event_session_start(2.0, 7)).at(0);
  EXPECT_EQ(event, wall(2.0) + "\x10\x07\x3a\x02\x08\x01");
}

}  // namespace
}  // namespace namid::io
