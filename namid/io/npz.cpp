// SPDX-License-Identifier: Apache-2.0
#include "namid/io/npz.h"

#include "namid/core/error.h"
#include "namid/core/format.h"
#include "namid/io/atomic_file.h"

namespace namid::io {
namespace {

constexpr std::string_view kSuffix = ".npy";

}  // namespace

NpzFile::NpzFile(ByteSpan bytes, const std::string& name, std::uint64_t max_bytes)
    : name_(name), max_bytes_(max_bytes), archive_(bytes, name, max_bytes) {}

std::vector<std::string> NpzFile::names() const {
  std::vector<std::string> names;
  for (const auto& entry : archive_.entries())
    if (entry.name.ends_with(kSuffix))
      names.push_back(entry.name.substr(0, entry.name.size() - kSuffix.size()));
  return names;
}

bool NpzFile::contains(const std::string& array) const {
  return archive_.find(str(array, kSuffix)) != nullptr;
}

std::string NpzFile::name_of(const std::string& array) const {
  return str(name_, "[", array, kSuffix, "]");
}

Bytes NpzFile::bytes_of(const std::string& array) const {
  const auto* entry = archive_.find(str(array, kSuffix));
  if (entry) return archive_.read(*entry);
  std::string known;
  for (const auto& name : names()) known += str(known.empty() ? "" : ", ", name);
  throw DataError(str(name_, ": expected an array '", array, "'; there are: ", known));
}

NpyArray NpzFile::read(const std::string& array) const {
  return parse_npy(bytes_of(array), name_of(array), max_bytes_);
}

NpyText NpzFile::read_text(const std::string& array) const {
  return parse_npy_text(bytes_of(array), name_of(array), max_bytes_);
}

Bytes encode_npz(const NpzMembers& members) {
  std::vector<std::pair<std::string, Bytes>> files;
  for (const auto& [name, member] : members) {
    const auto* text = std::get_if<NpyText>(&member);
    files.emplace_back(name + ".npy",
                       text ? encode_npy_text(*text) : encode_npy(std::get<NpyArray>(member)));
  }
  return encode_zip(files);
}

void write_npz(const std::filesystem::path& path, const NpzMembers& members) {
  write_file_atomically(path, as_text(encode_npz(members)));
}

}  // namespace namid::io
