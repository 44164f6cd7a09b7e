// SPDX-License-Identifier: Apache-2.0
#include "namid/io/zip.h"

#include <gtest/gtest.h>

#include <array>
#include <numeric>
#include <string>

#include "io/corruption.h"
#include "namid/core/error.h"
#include "namid/core/format.h"
#include "namid/io/gzip.h"
#include "namid/io/npz.h"

namespace namid::io {
namespace {

using testing::message_of;

Bytes bytes_of(const std::string& text) {
  const auto bytes = as_bytes(text);
  return {bytes.begin(), bytes.end()};
}

Bytes fixture(const std::string& name) {
  return read_file(str(NAMID_SOURCE_DIR, "/tests/fixtures/", name));
}

Bytes small_zip(bool zip64 = false) {
  return encode_zip({{"a.txt", bytes_of("alpha")}, {"b/c.txt", bytes_of("gamma!")}}, zip64);
}

void read_all(ByteSpan bytes) {
  const ZipArchive archive(bytes, "f.zip", 1 << 20);
  for (const auto& entry : archive.entries()) archive.read(entry);
}

/// The offset of `text` in the file, its `nth` occurrence from the back.
std::size_t last_of(const Bytes& bytes, const std::string& text) {
  return std::string(as_text(bytes)).rfind(text);
}

TEST(Zip, RoundTripsWithAndWithoutZip64) {
  for (const bool zip64 : {false, true}) {
    const auto bytes = small_zip(zip64);
    const ZipArchive archive(bytes, "f.zip");
    ASSERT_EQ(archive.entries().size(), 2U);
    ASSERT_NE(archive.find("b/c.txt"), nullptr);
    EXPECT_EQ(as_text(archive.read(*archive.find("b/c.txt"))), "gamma!");
    EXPECT_EQ(as_text(archive.packed_bytes(*archive.find("a.txt"))), "alpha");
    EXPECT_EQ(archive.find("c.txt"), nullptr);
    EXPECT_EQ(archive.name_of(archive.entries()[0]), "f.zip[a.txt]");
  }
  const auto none = encode_zip({});
  EXPECT_TRUE(ZipArchive(none, "f.zip").entries().empty());
}

TEST(Zip, TruncationAnywhereIsADataError) {
  for (const bool zip64 : {false, true}) testing::for_each_truncation(small_zip(zip64), read_all);
  testing::for_each_truncation(fixture("packed.npz"), read_all);
}

TEST(Zip, DamageNeverDoesMoreThanThrow) {
  for (const bool zip64 : {false, true}) testing::for_each_flip(small_zip(zip64), read_all);
  testing::for_each_flip(fixture("packed.npz"), read_all);
}

TEST(Zip, DamagedContentIsNeverReturned) {
  for (const auto& name : {"packed.npz", "stored.npz"}) {
    const auto good = fixture(name);
    const ZipArchive archive(good, name);
    for (const auto& entry : archive.entries()) {
      auto bad = good;
      bad[entry.data_offset + entry.packed / 2] ^= std::byte{0x10};
      const ZipArchive damaged(bad, name);
      EXPECT_THROW(damaged.read(*damaged.find(entry.name)), DataError) << entry.name;
    }
  }
}

TEST(Zip, RefusesTwoMembersOfOneName) {
  const auto bytes = encode_zip({{"a", bytes_of("1")}, {"a", bytes_of("2")}});
  EXPECT_NE(message_of([&] { read_all(bytes); }).find("two members are called 'a'"),
            std::string::npos);
}

TEST(Zip, RefusesWhatItCannotRead) {
  const auto with = [](std::size_t field, unsigned value) {
    auto bytes = small_zip();
    bytes[last_of(bytes, "PK\1\2") + field] = std::byte(value);
    return message_of([&] { read_all(bytes); });
  };
  EXPECT_NE(with(8, 1).find("member 'b/c.txt' is encrypted"), std::string::npos) << with(8, 1);
  EXPECT_NE(with(10, 12).find("expected method 0 (stored) or 8 (deflated), got 12"),
            std::string::npos);
  EXPECT_NE(with(24, 9).find("stored member 'b/c.txt': expected 9 bytes, got 6"),
            std::string::npos);
  EXPECT_NE(with(46, 'x').find("expected member 'x/c.txt', got 'b/c.txt'"), std::string::npos);
  EXPECT_NE(with(45, 0x7f).find("the file ends at"), std::string::npos) << with(45, 0x7f);
}

TEST(Zip, ALargeMemberIsRefusedBeforeAllocating) {
  auto bytes = small_zip();
  const auto at = last_of(bytes, "PK\1\2");
  for (const std::size_t field : {23U, 27U}) bytes[at + field] = std::byte{0x7f};
  const testing::PeakMemory memory;
  EXPECT_NE(message_of([&] { read_all(bytes); }).find("expected at most 1048576 bytes"),
            std::string::npos);
  bytes[at + 10] = std::byte{8};  // a deflated member of a few bytes
  bytes[at + 23] = std::byte{0};
  const ZipArchive archive(bytes, "f.zip");
  EXPECT_THROW(archive.read(archive.entries()[1]), DataError);
  EXPECT_LT(memory.grown(), std::size_t{16} << 20);
}

TEST(Npz, ReadsWhatNumpyWrites) {
  for (const auto& name : {"stored.npz", "packed.npz"}) {
    const auto bytes = fixture(name);
    const NpzFile file(bytes, name);
    EXPECT_EQ(file.names(), (std::vector<std::string>{"x", "y", "flag"}));
    const auto x = file.read("x");
    EXPECT_EQ(x.shape, (std::vector<std::int64_t>{3, 4}));
    EXPECT_EQ(x.values<float>()[11], 11.0F);
    std::vector<std::int64_t> counted(500);
    std::iota(counted.begin(), counted.end(), 0);
    EXPECT_EQ(file.read("y").integers("y"), counted);
    EXPECT_TRUE(file.read("flag").values<bool>()[0]);
  }
}

TEST(Npz, RoundTrips) {
  const std::array<double, 3> values{0.1, 0.2, 0.3};
  const auto bytes =
      encode_npz({{"a", npy_array<double>({3}, values)}, {"b", npy_array<double>({3, 1}, values)}});
  const NpzFile file(bytes, "f.npz");
  EXPECT_EQ(file.names(), (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(file.read("b").shape, (std::vector<std::int64_t>{3, 1}));
  EXPECT_EQ(file.read("b").values<double>()[2], 0.3);
}

TEST(Npz, SaysWhatItHolds) {
  const auto bytes = fixture("stored.npz");
  const NpzFile file(bytes, "f.npz");
  EXPECT_FALSE(file.contains("z"));
  EXPECT_EQ(message_of([&] { file.read("z"); }),
            "f.npz: expected an array 'z'; there are: x, y, flag");
  const auto objects = fixture("object.npz");
  EXPECT_NE(message_of([&] {
              NpzFile(objects, "o.npz").read("x");
            }).find("o.npz[x.npy]: offset 19: the array holds Python objects"),
            std::string::npos)
      << message_of([&] { NpzFile(objects, "o.npz").read("x"); });
}

}  // namespace
}  // namespace namid::io
