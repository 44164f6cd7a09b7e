// SPDX-License-Identifier: Apache-2.0
#include "namid/io/npz.h"

#include "namid/core/error.h"
#include "namid/core/format.h"

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

NpyArray NpzFile::read(const std::string& array) const {
  const auto* entry = archive_.find(str(array, kSuffix));
  if (!entry) {
    std::string known;
    for (const auto& name : names()) known += str(known.empty() ? "" : ", ", name);
    throw DataError(str(name_, ": expected an array '", array, "'; there are: ", known));
  }
  return parse_npy(archive_.read(*entry), name_of(array), max_bytes_);
}

Bytes encode_npz(const std::vector<std::pair<std::string, NpyArray>>& arrays) {
  std::vector<std::pair<std::string, Bytes>> members;
  for (const auto& [name, array] : arrays) members.emplace_back(name + ".npy", encode_npy(array));
  return encode_zip(members);
}

}  // namespace namid::io
