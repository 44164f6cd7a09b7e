// SPDX-License-Identifier: Apache-2.0
#include "namid/io/sha256.h"

#include <gtest/gtest.h>

#include <fstream>
#include <string>

#include "namid/core/error.h"
#include "support/temp_folder.h"

namespace namid::io {
namespace {

std::string digest(const std::string& text) {
  return sha256_hex(text.data(), text.size());
}

TEST(Sha256, GivesTheAnswersOfFips180) {
  EXPECT_EQ(digest(""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(digest("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(digest("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"),
            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
  EXPECT_EQ(digest("abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmn"
                   "hijklmnoijklmnopjklmnopqklmnopqrlmnopqrsmnopqrstnopqrstu"),
            "cf5b16a778af8380036ce59e7b0492370b249b11e8f07a51afac45037afee9d1");
  EXPECT_EQ(digest(std::string(1000000, 'a')),
            "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

TEST(Sha256, DoesNotDependOnHowTheBytesArrive) {
  std::string text;
  for (int i = 0; i < 300; ++i) text += static_cast<char>(i * 7);
  for (std::size_t cut = 0; cut <= text.size(); ++cut) {
    Sha256 hash;
    hash.update(text.data(), cut);
    hash.update(text.data() + cut, text.size() - cut);
    ASSERT_EQ(hash.hex(), digest(text)) << cut;
  }
}

TEST(Sha256, MayBeReadOnTheWay) {
  Sha256 hash;
  hash.update("ab", 2);
  EXPECT_EQ(hash.hex(), digest("ab"));
  hash.update("c", 1);
  EXPECT_EQ(hash.hex(), digest("abc"));
}

TEST(Sha256, ReadsFilesInPieces) {
  testing::TempFolder folder;
  const std::string text((std::size_t{1} << 20) + 3, 'x');
  std::ofstream(folder / "file", std::ios::binary) << text;
  EXPECT_EQ(sha256_file(folder / "file"), digest(text));
  std::ofstream(folder / "empty", std::ios::binary);
  EXPECT_EQ(sha256_file(folder / "empty"), digest(""));
}

TEST(Sha256, RefusesWhatCannotBeRead) {
  testing::TempFolder folder;
  EXPECT_THROW(sha256_file(folder / "missing"), DataError);
  EXPECT_THROW(sha256_file(folder.path()), DataError);
}

}  // namespace
}  // namespace namid::io
