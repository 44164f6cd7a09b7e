// SPDX-License-Identifier: Apache-2.0
#include "namid/io/crc32c.h"

#include <gtest/gtest.h>

#include <numeric>
#include <string>

namespace namid::io {
namespace {

TEST(Crc32c, GivesThePublishedValues) {  // RFC 3720 B.4; "123456789" is the catalogue's check value
  EXPECT_EQ(crc32c(""), 0u);
  EXPECT_EQ(crc32c("123456789"), 0xE3069283u);
  EXPECT_EQ(crc32c(std::string(32, '\0')), 0x8A9136AAu);
  EXPECT_EQ(crc32c(std::string(32, '\xff')), 0x62A8AB43u);
  std::string rising(32, '\0');
  std::iota(rising.begin(), rising.end(), '\0');
  EXPECT_EQ(crc32c(rising), 0x46DD794Eu);
}

TEST(Crc32c, ContinuesAtEverySplit) {
  std::string bytes(61, '\0');
  std::iota(bytes.begin(), bytes.end(), '\x11');
  for (std::size_t cut = 0; cut <= bytes.size(); ++cut)
    EXPECT_EQ(crc32c(bytes.substr(cut), crc32c(bytes.substr(0, cut))), crc32c(bytes)) << cut;
}

}  // namespace
}  // namespace namid::io
