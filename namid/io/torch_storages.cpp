// SPDX-License-Identifier: Apache-2.0
#include "namid/io/torch_storages.h"

#include <algorithm>
#include <array>

#include "namid/core/error.h"
#include "namid/core/format.h"

namespace namid::io {
namespace {

struct TorchType {
  DType dtype;
  std::string_view name, storage;
};

constexpr std::array<TorchType, 16> kTypes{{{DType::f32, "float32", "FloatStorage"},
                                            {DType::f64, "float64", "DoubleStorage"},
                                            {DType::f16, "float16", "HalfStorage"},
                                            {DType::bf16, "bfloat16", "BFloat16Storage"},
                                            {DType::i64, "int64", "LongStorage"},
                                            {DType::i32, "int32", "IntStorage"},
                                            {DType::i16, "int16", "ShortStorage"},
                                            {DType::i8, "int8", "CharStorage"},
                                            {DType::u8, "uint8", "ByteStorage"},
                                            {DType::boolean, "bool", "BoolStorage"},
                                            {DType::c64, "complex64", "ComplexFloatStorage"},
                                            {DType::u64, "uint64", ""},
                                            {DType::u32, "uint32", ""},
                                            {DType::u16, "uint16", ""},
                                            {DType::f8_e4m3, "float8_e4m3fn", ""},
                                            {DType::f8_e5m2, "float8_e5m2", ""}}};

struct OtherStorage {
  std::string_view storage;
  std::size_t element;
};
constexpr std::array<OtherStorage, 6> kOthers{{{"ComplexDoubleStorage", 16},
                                               {"QInt8Storage", 1},
                                               {"QUInt8Storage", 1},
                                               {"QInt32Storage", 4},
                                               {"QUInt4x2Storage", 1},
                                               {"QUInt2x4Storage", 1}}};

const TorchType& type_of(DType dtype) {
  return *std::find_if(kTypes.begin(), kTypes.end(),
                       [&](const TorchType& type) { return type.dtype == dtype; });
}

/// The type that a storage's class stands for: "torch FloatStorage", "torch.storage
/// UntypedStorage".
TypedStorage storage_type(std::string_view global, const std::string& file) {
  const auto space = global.find(' ');
  const auto name = global.substr(space + 1);
  if (global.substr(0, space).starts_with("torch")) {
    if (name == "UntypedStorage") return {};
    for (const auto& type : kTypes)
      if (type.storage == name) return {0, dtype_size(type.dtype), type.dtype};
    for (const auto& other : kOthers)
      if (other.storage == name) return {0, other.element, {}, false};
  }
  throw DataError(str(file, ": a storage of the unknown class '", global.substr(0, 100), "'"));
}

}  // namespace

std::optional<DType> torch_dtype(std::string_view name) {
  for (const auto& type : kTypes)
    if (type.name == name) return type.dtype;
  return std::nullopt;
}

std::string_view torch_dtype_name(DType dtype) {
  return type_of(dtype).name;
}
std::string_view torch_storage_class(DType dtype) {
  return type_of(dtype).storage;
}

void TorchStorages::declare(const Pickle& pickle) {
  constexpr auto kWhat = "('storage', class, key, location, size) as a storage";
  for (PickleId id = 0; id < pickle.size(); ++id) {
    if (pickle[id].kind != PickleKind::persistent) continue;
    const auto& items = pickle.expect(pickle[id].items[0], PickleKind::tuple, kWhat).items;
    const auto is_text = [&](std::size_t i) {
      return pickle[items[i]].kind == PickleKind::text ||
             pickle[items[i]].kind == PickleKind::bytes;
    };
    if (items.size() == 4 && is_text(0) && pickle[items[0]].text == "module") continue;
    if (items.size() < 5 || !is_text(0) || pickle[items[0]].text != "storage" || !is_text(2) ||
        !is_text(3))
      throw DataError(str(pickle.name(), ": expected ", kWhat));
    if (items.size() > 5 && pickle[items[5]].kind != PickleKind::none)
      throw DataError(str(pickle.name(),
                          ": views of storages, as PyTorch before 0.4 wrote them, "
                          "are not read; load and save the file with a newer one"));
    auto typed =
        storage_type(pickle.expect(items[1], PickleKind::global, kWhat).text, pickle.name());
    const auto count = pickle.expect(items[4], PickleKind::integer, kWhat).integer;
    if (count < 0) throw DataError(str(pickle.name(), ": a storage of ", count, " elements"));
    const auto bytes =
        checked_product(pickle.name(), 0, static_cast<std::uint64_t>(count), typed.element);
    const std::string key(pickle[items[2]].text);
    const auto [entry, is_new] = by_key_.emplace(key, storages_.size());
    typed.index = entry->second;
    if (is_new) {
      storages_.push_back({key, std::string(pickle[items[3]].text), {}, Checksum::none});
      bytes_.push_back(bytes);
      element_.push_back(typed.element);
    } else if (bytes_[typed.index] != bytes) {
      throw DataError(str(pickle.name(), ": storage '", key, "' is said to have ",
                          bytes_[typed.index], " bytes and ", bytes));
    }
    typed_.emplace(id, typed);
  }
}

void TorchStorages::read_records(const ZipArchive& archive, const std::string& prefix,
                                 std::uint64_t max_bytes) {
  std::unordered_map<std::string_view, const ZipEntry*> members;
  for (const auto& entry : archive.entries()) members.emplace(entry.name, &entry);
  std::uint64_t inflated = 0;
  for (std::size_t i = 0; i < storages_.size(); ++i) {
    const auto found = members.find(prefix + storages_[i].key);
    if (found == members.end())
      throw DataError(str(archive.name(), ": expected a record '", prefix, storages_[i].key, "'"));
    const auto& entry = *found->second;
    if (entry.size != bytes_[i])
      fail_at(
          archive.name_of(entry), 0,
          str("the storage is said to have ", bytes_[i], " bytes, the record has ", entry.size));
    if (entry.deflated) check_size(archive.name(), 0, inflated += entry.size, max_bytes);
    storages_[i].data = checked_content(archive, entry, inflated_, storages_[i].checksum);
  }
}

void TorchStorages::read_sequence(Cursor& cursor, const std::vector<std::string>& keys) {
  std::vector<bool> done(storages_.size());
  for (const auto& key : keys) {
    const auto found = by_key_.find(key);
    if (found == by_key_.end()) cursor.fail(str("storage '", key, "' belongs to no tensor"));
    const auto i = found->second;
    if (done[i]) cursor.fail(str("storage '", key, "' is there twice"));
    done[i] = true;
    const auto count = cursor.little<std::uint64_t>("size of a storage");
    if (count != bytes_[i] / element_[i])
      cursor.fail(str("storage '", key, "' is said to have ", bytes_[i] / element_[i],
                      " elements, got ", count));
    storages_[i].data = cursor.take(bytes_[i], str("storage '", key, "'"));
  }
  const auto missing = std::find(done.begin(), done.end(), false);
  if (missing != done.end())
    cursor.fail(str("the data of storage '",
                    storages_[static_cast<std::size_t>(missing - done.begin())].key,
                    "' are not there"));
}

ByteSpan checked_content(const ZipArchive& archive, const ZipEntry& entry,
                         std::deque<Bytes>& inflated, Checksum& checksum) {
  checksum = Checksum::verified;
  if (entry.deflated) return inflated.emplace_back(archive.read(entry));
  const auto bytes = archive.packed_bytes(entry);
  if (crc32_of(bytes) == entry.crc) return bytes;
  if (entry.crc != 0)
    fail_at(archive.name_of(entry), 0,
            "the checksum differs: the file is damaged; take another copy");
  checksum = Checksum::unverified;
  return bytes;
}

}  // namespace namid::io
