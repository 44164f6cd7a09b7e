// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "namid/io/pickle.h"
#include "namid/io/safetensors.h"
#include "namid/io/zip.h"

namespace namid::io {

/// Whether a storage's bytes were compared with a checksum. unverified: the archive's CRC is 0,
/// which PyTorch writes where it is told not to compute one; none: the format has no checksum.
enum class Checksum { verified, unverified, none };

/// The bytes that one or several tensors are views of.
struct TorchStorage {
  std::string key;       ///< its name in the file, "0"
  std::string location;  ///< where it lay when it was saved, "cpu", "cuda:0"
  ByteSpan data;
  Checksum checksum = Checksum::none;
};

/// A storage as one tensor refers to it.
struct TypedStorage {
  std::size_t index = 0;
  std::size_t element = 1;          ///< bytes
  std::optional<DType> dtype = {};  ///< none: untyped, or a type that is not read
  bool known = true;                ///< false for a type that is not read
};

/// Element type by its name in `torch`, "float32"; none for names that are no type that is read.
std::optional<DType> torch_dtype(std::string_view name);
std::string_view torch_dtype_name(DType dtype);
/// "FloatStorage"; empty for types that PyTorch keeps in untyped storages only.
std::string_view torch_storage_class(DType dtype);

/// The storages of a PyTorch file, found through the persistent ids of its pickle:
/// ('storage', class, key, location, number of elements). The older form has others for classes of
/// modules, ('module', class, file, source), which are passed over.
class TorchStorages {
 public:
  TorchStorages() = default;
  TorchStorages(TorchStorages&&) = default;
  TorchStorages& operator=(TorchStorages&&) = default;
  /// Takes the storages among the persistent ids of `pickle`.
  void declare(const Pickle& pickle);
  /// Finds the bytes of all that is declared in `archive`, in members called `prefix` + key, and
  /// checks their CRC; no more than `max_bytes` are inflated.
  void read_records(const ZipArchive& archive, const std::string& prefix, std::uint64_t max_bytes);
  /// Takes the bytes from `cursor`: for each key the number of elements (int64), then they.
  void read_sequence(Cursor& cursor, const std::vector<std::string>& keys);
  /// Data of more than one byte per element are in big-endian order.
  void set_big_endian() { is_big_endian_ = true; }
  bool is_big_endian() const { return is_big_endian_; }

  const std::vector<TorchStorage>& all() const { return storages_; }
  /// The storage that a persistent id of the pickle refers to; null if it is none.
  const TypedStorage* find(PickleId persistent) const {
    const auto found = typed_.find(persistent);
    return found == typed_.end() ? nullptr : &found->second;
  }

 private:
  std::vector<TorchStorage> storages_;
  std::vector<std::uint64_t> bytes_;  // as declared
  std::vector<std::size_t> element_;
  std::unordered_map<std::string, std::size_t> by_key_;
  std::unordered_map<PickleId, TypedStorage> typed_;
  std::deque<Bytes> inflated_;
  bool is_big_endian_ = false;
};

/// A stored member's bytes as they lie in the archive, or a deflated one's, inflated into
/// `inflated`. DataError if the CRC is there and differs.
ByteSpan checked_content(const ZipArchive& archive, const ZipEntry& entry,
                         std::deque<Bytes>& inflated, Checksum& checksum);

}  // namespace namid::io
