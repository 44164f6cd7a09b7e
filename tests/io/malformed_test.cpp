// SPDX-License-Identifier: Apache-2.0
// Zip, safetensors and numpy files that are damaged or hostile; see malformed.h for what is
// promised.
#include "io/malformed.h"
#include "namid/core/format.h"
#include "namid/io/npz.h"
#include "namid/io/safetensors.h"

namespace namid::io {
namespace {

using namespace testing;  // NOLINT(google-build-using-namespace): the builders of bad files

/// An archive whose second member lies inside the content of the first.
Bytes overlapping() {
  const auto inner = encode_zip({{"b", Bytes(16)}});
  auto outer = encode_zip({{"a", inner}, {"b", Bytes(16)}});
  const auto inside = static_cast<std::uint64_t>(find_nth(outer, kLocal, 1));
  const auto central = static_cast<int>(find_nth(outer, kCentral, 2) > 0 ? 2 : 1);
  return patched(outer, kCentral, central, 42, inside, 4);
}

TEST(Malformed, BombsAndOverlaps) {
  expect_harmless({{"overlap.zip", overlapping(), "overlap"},
                   {"bomb.zip", deflated("f/data.pkl", 1 << 20, 60 << 20), "bomb.zip[f/data.pkl]"},
                   {"bomb-hidden.zip", deflated("f/data.pkl", 48 << 20, 100), "bomb-hidden.zip"},
                   {"bomb-cap.zip", deflated("f/data.pkl", 1 << 20, 1U << 31), "at most 67108864"}},
                  [](ByteSpan bytes, const std::string& name) {
                    const ZipArchive archive(bytes, name, kCap);
                    for (const auto& entry : archive.entries()) archive.read(entry);
                  });
}

Bytes safetensors(const std::string& json, std::size_t data, std::uint64_t length = 0) {
  PickleBuilder head;
  const auto text = head.little(length == 0 ? json.size() : length, 8).bytes();
  auto bytes = to_bytes(text.substr(2, 8) + json);
  bytes.resize(bytes.size() + data);
  return bytes;
}

TEST(Malformed, Safetensors) {
  const auto tensor = [](const std::string& dtype, const std::string& shape,
                         const std::string& offsets) {
    return str("{\"w\":{\"dtype\":\"", dtype, "\",\"shape\":", shape, ",\"data_offsets\":", offsets,
               "}}");
  };
  const std::string two = "\"a\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[0,4]}";
  expect_harmless(
      {{"empty.safetensors", {}, "expected the 8 bytes"},
       {"length.safetensors", safetensors("{}", 0, 100), "the file is cut off"},
       {"length-2^63.safetensors", safetensors("{}", 0, std::uint64_t{1} << 63), "is above"},
       {"no-json.safetensors", safetensors("[]", 0), "does not start with '{'"},
       {"cut-json.safetensors", safetensors("{\"w\":", 0), "cut-json.safetensors"},
       {"short.safetensors", safetensors(tensor("F32", "[2]", "[0,8]"), 4), "do not lie in"},
       {"backwards.safetensors", safetensors(tensor("F32", "[2]", "[8,0]"), 8), "do not lie in"},
       {"size.safetensors", safetensors(tensor("F32", "[3]", "[0,8]"), 8), "ask for 12 bytes"},
       {"overflow.safetensors",
        safetensors(tensor("F64", "[4611686018427387904,4611686018427387904]", "[0,8]"), 8),
        "more than 2^63"},
       {"negative.safetensors", safetensors(tensor("F32", "[-1]", "[0,8]"), 8), "negative"},
       {"fraction.safetensors", safetensors(tensor("F32", "[1.5]", "[0,8]"), 8), "fraction"},
       {"dtype.safetensors", safetensors(tensor("F31", "[2]", "[0,8]"), 8), "is not known"},
       {"twice.safetensors", safetensors("{" + two + "," + two + "}", 4), "is there twice"},
       {"overlap.safetensors",
        safetensors("{" + two + ",\"b\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[2,6]}}",
                    6),
        "overlaps"},
       {"gap.safetensors", safetensors(tensor("U8", "[4]", "[4,8]"), 8), "belong to no tensor"},
       {"rest.safetensors", safetensors(tensor("U8", "[4]", "[0,4]"), 8), "after the last tensor"},
       {"deep.safetensors",
        safetensors("{\"w\":" + repeated("[", 1'000'000) + repeated("]", 1'000'000) + "}", 0),
        "deep.safetensors"}},
      [](ByteSpan bytes, const std::string& name) { parse_safetensors(as_text(bytes), name); });
}

Bytes npy(const std::string& header, std::size_t data, int length = -1) {
  PickleBuilder size;
  const auto bytes_of_size =
      size.little(static_cast<std::uint64_t>(length < 0 ? static_cast<int>(header.size()) : length),
                  2)
          .bytes()
          .substr(2, 2);
  auto bytes = to_bytes(std::string("\x93NUMPY\x01\0", 8) + bytes_of_size + header);
  bytes.resize(bytes.size() + data);
  return bytes;
}

std::string header(const std::string& descr, const std::string& shape) {
  return str("{'descr': '", descr, "', 'fortran_order': False, 'shape': ", shape, ", }\n");
}

TEST(Malformed, NumpyArrays) {
  expect_harmless(
      {{"empty.npy", {}, "empty.npy"},
       {"magic.npy", to_bytes("\x93NUMPZ\x01"), "magic.npy"},
       {"length.npy", npy(header("<f4", "(2,)"), 8, 60000), "length.npy"},
       {"objects.npy", npy(header("|O", "(2,)"), 8), "objects.npy"},
       {"huge.npy", npy(header("<f4", "(1152921504606846976,)"), 8), "huge.npy"},
       {"overflow.npy", npy(header("<f4", "(4294967296, 4294967296, 4)"), 8), "overflow.npy"},
       {"negative.npy", npy(header("<f4", "(-2,)"), 8), "negative.npy"},
       {"code.npy", npy(header("<f4", "(__import__('os').system('x'),)"), 8), "code.npy"},
       {"no-dict.npy", npy("print(1)\n", 8), "no-dict.npy"},
       {"short.npy", npy(header("<f4", "(3,)"), 8), "expected 12 bytes of data, got 8"},
       {"long.npy", npy(header("<f4", "(1,)"), 8), "expected 4 bytes of data, got 8"}},
      [](ByteSpan bytes, const std::string& name) { parse_npy(bytes, name, kCap); });
}

TEST(Malformed, NumpyArchives) {
  const auto array = npy(header("<f4", "(2,)"), 8);
  auto flipped = encode_zip({{"a.npy", array}});
  flipped.at(find_nth(flipped, "NUMPY", 0) + 70) ^= std::byte{2};
  expect_harmless(
      {{"bomb.npz", deflated("a.npy", 1 << 20, 60 << 20), "bomb.npz[a.npy]"},
       {"flipped.npz", flipped, "checksum differs"},
       {"objects.npz", encode_zip({{"a.npy", npy(header("|O", "(2,)"), 8)}}), "objects.npz[a.npy]"},
       {"cut.npz", encode_zip({{"a.npy", npy(header("<f4", "(2,)"), 7)}}), "cut.npz[a.npy]"}},
      [](ByteSpan bytes, const std::string& name) {
        const NpzFile file(bytes, name, kCap);
        for (const auto& array : file.names()) file.read(array);
      });
}

}  // namespace
}  // namespace namid::io
