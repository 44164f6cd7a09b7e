// SPDX-License-Identifier: Apache-2.0
// Weight files of PyTorch that are damaged or hostile; see malformed.h for what is promised.
#include "io/malformed.h"
#include "namid/io/torch_file.h"

namespace namid::io {
namespace {

using namespace testing;  // NOLINT(google-build-using-namespace): the builders of bad files

void read_torch(ByteSpan bytes, const std::string& name) {
  const TorchFile file(bytes, name, kCap);
  for (const auto& tensor : file.tensors()) file.contents(tensor);
}

PickleBuilder weight() {
  PickleBuilder pickle;
  return pickle.op('}').text("w").tensor("0", 2, {2}).op('s');
}

Bytes good() {
  return zip_file(weight().bytes(), {{"0", 8}});
}

Bytes pickled(const PickleBuilder& pickle) {
  return zip_file(pickle.bytes(), {{"0", 8}});
}

Bytes of_tensor(std::int64_t count, const std::vector<std::int64_t>& shape, std::int64_t offset = 0,
                const std::vector<std::int64_t>& strides = {}) {
  PickleBuilder pickle;
  return pickled(pickle.tensor("0", count, shape, offset, strides));
}

PickleBuilder raw(const std::string& program) {
  PickleBuilder pickle;
  return pickle.raw(program);
}

TEST(Malformed, WeightFilesThatAreWellFormedPassTheSameChecks) {
  expect_harmless({{"good.pth", good(), ""},
                   {"good-legacy.pth", testing::legacy_file(weight().bytes(), {{"0", 8}}), ""}},
                  read_torch);
}

TEST(Malformed, ZipArchivesOfWeights) {
  auto cut = good();
  cut.resize(cut.size() - 10);
  auto flipped_record = good(), flipped_pickle = good();
  flipped_record.at(find_nth(flipped_record, std::string("\0\1\2\3\4\5\6\7", 8), 0) + 5) ^=
      std::byte{4};
  flipped_pickle.at(find_nth(flipped_pickle, "FloatStorage", 0)) ^= std::byte{1};
  const Bytes twice =
      encode_zip({{"f/data.pkl", to_bytes(weight().bytes())}, {"f/data.pkl", to_bytes("N.")}});
  expect_harmless(
      {{"empty.pth", {}, "expected a zip archive, got 0 bytes"},
       {"signature-alone.pth", to_bytes("PK\x03\x04"), "expected a zip archive"},
       {"cut.pth", cut, "cut off or no zip archive"},
       {"no-pickle.pth", encode_zip({{"f/data/0", Bytes(8)}}), "without data.pkl"},
       {"no-record.pth", zip_file(weight().bytes(), {}), "expected a record 'f/data/0'"},
       {"short-record.pth", zip_file(weight().bytes(), {{"0", 4}}),
        "is said to have 8 bytes, the record has 4"},
       {"long-record.pth", zip_file(weight().bytes(), {{"0", 16}}),
        "is said to have 8 bytes, the record has 16"},
       {"flipped-record.pth", flipped_record, "checksum differs"},
       {"flipped-pickle.pth", flipped_pickle, "checksum differs"},
       {"twice.pth", twice, "two members are called 'f/data.pkl'"},
       {"encrypted.pth", patched(good(), kCentral, 0, 8, 1, 2), "is encrypted"},
       {"method.pth", patched(good(), kCentral, 0, 10, 12, 2), "expected method 0"},
       {"split.pth", patched(good(), kEnd, 0, 4, 1, 2), "a part of a split one"},
       {"directory-outside.pth", patched(good(), kEnd, 0, 16, 0x7fffffff, 4), "beyond the file"},
       {"directory-count.pth",
        patched(patched(good(), kEnd, 0, 8, 60000, 2), kEnd, 0, 10, 60000, 2), "cannot hold 60000"},
       {"directory-short.pth", patched(patched(good(), kEnd, 0, 8, 2, 2), kEnd, 0, 10, 2, 2),
        "expected the end of the directory"},
       {"local-name.pth", patched(good(), kLocal, 0, 30, 'g', 1), "expected member"},
       {"local-signature.pth", patched(good(), kLocal, 1, 0, 0, 4), "expected a local header"},
       {"stored-sizes.pth", patched(good(), kCentral, 2, 20, 4, 4), "expected 8 bytes, got 4"},
       {"size-beyond.pth",
        patched(patched(good(), kCentral, 2, 20, 1 << 20, 4), kCentral, 2, 24, 1 << 20, 4),
        "expected 1048576 bytes"},
       {"size-cap.pth",
        patched(patched(good(), kCentral, 2, 20, 1 << 30, 4), kCentral, 2, 24, 1 << 30, 4),
        "expected at most 67108864 bytes"},
       {"offset-outside.pth", patched(good(), kCentral, 1, 42, 0x00ffffff, 4), "the file ends"}},
      read_torch);
}

TEST(Malformed, TensorsThatDoNotFitTheirStorage) {
  const std::int64_t huge = std::int64_t{1} << 62;
  PickleBuilder two_sizes, unknown, untold, short_id, number_key, views, coded, numbers;
  two_sizes.mark().tensor("0", 2, {2}).tensor("0", 1, {1}).op('t');
  unknown.storage("0", 2, "NoStorage");
  untold.text("0").op('Q');
  short_id.mark().text("storage").op('t').op('Q');
  number_key.mark().text("storage").global("torch", "FloatStorage").integer(0).text("cpu");
  number_key.integer(2).op('t').op('Q');
  views.mark().text("storage").global("torch", "FloatStorage").text("0").text("cpu").integer(2);
  views.integers({0}).op('t').op('Q');
  coded.global("torch._utils", "_rebuild_tensor_v2").mark().storage("0", 2).integer(0);
  coded.global("posix", "system").mark().text("touch malformed-test-was-run").op('t').op('R');
  coded.integers({1}).op(0x89).op('}').op('t').op('R');
  numbers.global("torch._utils", "_rebuild_tensor_v2").mark().storage("0", 2).text("0");
  numbers.integers({2}).integers({1}).op(0x89).op('}').op('t').op('R');
  expect_harmless(
      {{"beyond.pth", of_tensor(2, {3}), "reaches to element 2 of a storage of 2"},
       {"offset.pth", of_tensor(2, {2}, 1), "reaches to element 2"},
       {"negative-offset.pth", of_tensor(2, {1}, -1), "offset or strides"},
       {"negative-stride.pth", of_tensor(2, {2}, 1, {-1}), "of size or stride -1"},
       {"negative-size.pth", of_tensor(2, {-2}), "of size or stride -2"},
       {"stride.pth", of_tensor(2, {2}, 0, {1000}), "reaches to element 1000"},
       {"overflow.pth", of_tensor(2, {huge, huge}, 0, {1, 1}), "of impossible size"},
       {"empty-overflow.pth", of_tensor(2, {huge, huge, 0}, 0, {1, 1, 1}), "of impossible size"},
       {"wrapping-stride.pth", of_tensor(2, {3}, 0, {huge}), "of impossible size"},
       {"expanded.pth", of_tensor(2, {1 << 20, 1 << 20}, 0, {0, 0}), "more than the 67108864"},
       {"ranks.pth", of_tensor(2, {2, 1}, 0, {1}), "do not fit its shape"},
       {"dimensions.pth", of_tensor(2, std::vector<std::int64_t>(65, 1)), "of 65 dimensions"},
       {"huge-storage.pth", of_tensor(std::int64_t{1} << 40, {2}), "the record has 8"},
       {"endless-storage.pth", of_tensor(huge, {2}), "the shape is too large"},
       {"negative-storage.pth", of_tensor(-1, {2}), "a storage of -1 elements"},
       {"two-sizes.pth", pickled(two_sizes), "is said to have 8 bytes and 4"},
       {"unknown-class.pth", pickled(unknown), "the unknown class 'torch NoStorage'"},
       {"text-id.pth", pickled(untold), "as a storage"},
       {"short-id.pth", pickled(short_id), "as a storage"},
       {"number-key.pth", pickled(number_key), "as a storage"},
       {"view.pth", pickled(views), "PyTorch before 0.4"},
       {"code-for-a-shape.pth", pickled(coded), "expected a list of sizes"},
       {"text-for-an-offset.pth", pickled(numbers), "expected an offset"}},
      read_torch);
}

/// Lists of two, each holding the one before it twice: 2^depth values on the way down.
std::string shared_twice(int depth) {
  std::string program = "K\x01";
  for (int i = 0; i < depth; ++i)
    program += str("q", static_cast<char>(i), "]q", '\xff', "h", static_cast<char>(i), "ah",
                   static_cast<char>(i), "a");
  return program;
}

TEST(Malformed, PicklesOfWeights) {
  PickleBuilder long_key, same_key, same_text, many_globals;
  many_globals.op(']').mark();
  for (int i = 0; i < 60'000; ++i) many_globals.global("m", std::to_string(i));
  many_globals.op('e');
  long_key.op('}').text(std::string(1 << 20, 'k')).tensor("0", 2, {2}).op('s');
  same_key.text(std::string(490, 'k')).raw("q\1").tensor("0", 2, {2}).raw("q\2").op('}').mark();
  for (int i = 0; i < 15000; ++i) same_key.raw("h\1N");
  same_key.op('u');
  same_text.text(std::string(1 << 20, 'm')).raw("q\1").op(']').mark();
  for (int i = 0; i < 5000; ++i) same_text.raw("h\1h\1\x93");
  same_text.op('e');
  const auto deep = std::size_t{1'000'000};
  expect_harmless(
      {{"text-4gib.pth",
        pickled(raw("X\xff\xff\xff\xff"
                    "abc")),
        "expected 4294967295 bytes of text"},
       {"text-2^63.pth", pickled(raw("\x8d" + std::string(7, '\0') + "\x80")), "bytes of text"},
       {"bytes-2^63.pth", pickled(raw("\x8e" + std::string(7, '\0') + "\x80")), "bytes of text"},
       {"integer-2gib.pth", pickled(raw("\x8b\xff\xff\xff\x7f")), "an integer of at most 64 bytes"},
       {"nested-lists.pth", pickled(raw(repeated("]", deep) + repeated("a", deep - 1))), "objects"},
       {"nested-tuples.pth", pickled(raw(")" + repeated("\x85", deep))), "objects"},
       {"nested-deep.pth", pickled(raw(repeated("]", 30'000) + repeated("a", 29'999))), ""},
       {"marks.pth", pickled(raw(repeated("(", deep))), "too many marks"},
       {"memo.pth", pickled(raw("h\7")), "was never remembered"},
       {"memo-many.pth", pickled(raw([&] {
          PickleBuilder puts;
          puts.op('N');
          for (std::uint32_t i = 0; i < 200'000; ++i) puts.op('r').little(i, 4);
          return puts.bytes();
        }())),
        "too many objects to remember"},
       {"underflow.pth", pickled(raw("Ns")), "takes more than is on the stack"},
       {"no-stop.pth", zip_file("\x80\x02N", {}), "expected 1 bytes of pickle opcode"},
       {"opcode.pth", pickled(raw("\xff")), "opcode 255 is not supported"},
       {"protocol.pth", zip_file("\x80\x09N.", {}), "expected pickle protocol 2 to 5"},
       {"buffers.pth", pickled(raw("\x97")), "opcode 151 is not supported"},
       {"endless-name.pth", pickled(raw("cposix")), "expected the end of a line"},
       {"odd-dict.pth", pickled(raw("}(K\1u")), "expected a value for each key"},
       {"shared.pth", pickled(raw(shared_twice(40))), "shared too often"},
       {"contains-itself.pth", pickled(raw("]q\1h\1a")), ""},
       {"globals.pth", pickled(many_globals), ""},
       {"long-key.pth", pickled(long_key), "a key of 1048576 characters"},
       {"same-key.pth", pickled(same_key), "add up to more"},
       {"same-text.pth", pickled(same_text), "add up to more"},
       {"dict-of-what.pth", pickled(raw("N(K\1K\2u")), "expected a dict to add to"}},
      read_torch);
}

TEST(Malformed, PicklesThatCarryCode) {
  const auto command = std::string("X\x1c") + std::string(3, '\0') + "touch malformed-test-was-run";
  const auto file = [&](const std::string& program) {
    return pickled(raw("}X\1" + std::string(3, '\0') + "x" + program + "s"));
  };
  expect_harmless(
      {{"system.pth", file("cposix\nsystem\n(" + command + "tR"), ""},
       {"eval.pth", file("cbuiltins\neval\n(" + command + "tR"), ""},
       {"python2.pth", file("c__builtin__\nexec\n(" + command + "tR"), ""},
       {"new-object.pth", file("csubprocess\nPopen\n(" + command + "t\x81"), ""},
       {"stack-global.pth",
        file("X\5" + std::string(3, '\0') + "posixX\6" + std::string(3, '\0') + "system\x93(" +
             command + "tR"),
        ""},
       {"hidden-in-state.pth",
        file("cnets\nNet\n)\x81}(" + command + "cposix\nsystem\n(" + command + "tRub"), ""},
       {"hub.pth", file("ctorch.hub\nload\n(" + command + "tR"), ""},
       {"getattr.pth",
        file("cbuiltins\ngetattr\n(cos\nenviron\nX\3" + std::string(3, '\0') + "gett" + "R(" +
             command + "tR"),
        ""},
       {"legacy.pth", testing::legacy_file(raw("cposix\nsystem\n(" + command + "tR").bytes(), {}),
        ""},
       {"protocol0.pth",
        to_bytes("\x80\x02"
                 "cos\nsystem\n(S'touch malformed-test-was-run'\ntR."),
        "opcode 83 is not supported"},
       {"instance.pth", file("(" + command + "iposix\nsystem\n"), "opcode 105 is not supported"}},
      read_torch);
  const auto bytes = file("ctorch.hub\nload\n(" + command + "tR");
  EXPECT_EQ(TorchFile(bytes, "f").foreign_globals(), std::vector<std::string>{"torch.hub.load"});
}

TEST(Malformed, OlderFilesOfWeights) {
  const auto legacy = [](const testing::Records& records) {
    return testing::legacy_file(weight().bytes(), records);
  };
  auto cut = legacy({{"0", 8}}), longer = cut, count = cut, version = cut;
  cut.pop_back();
  longer.push_back(std::byte{0});
  count.at(count.size() - 16) = std::byte{3};
  version.at(19) = std::byte{7};
  PickleBuilder magic;
  magic.raw("\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19");
  expect_harmless(
      {{"cut.pth", cut, "expected 8 bytes of storage '0', got 7"},
       {"longer.pth", longer, "expected the end of the file"},
       {"count.pth", count, "is said to have 2 elements, got 3"},
       {"version.pth", version, "of the format, got"},
       {"any-pickle.pth", to_bytes("\x80\x02N."), "no magic number"},
       {"magic-alone.pth", to_bytes(magic.bytes()), "pickle opcode"},
       {"missing-key.pth", legacy({}), "the data of storage '0' are not there"},
       {"unknown-key.pth", legacy({{"0", 8}, {"1", 8}}), "storage '1' belongs to no tensor"},
       {"key-twice.pth", legacy({{"0", 8}, {"0", 8}}), "storage '0' is there twice"}},
      read_torch);
}

}  // namespace
}  // namespace namid::io
