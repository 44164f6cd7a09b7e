// SPDX-License-Identifier: Apache-2.0
#include "namid/run/tensor_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <nlohmann/json.hpp>

#include "namid/core/error.h"
#include "namid/core/format.h"
#include "namid/io/atomic_file.h"
#include "namid/io/crc32c.h"
#include "namid/io/safetensors.h"
#include "namid/run/tensor_types.h"

namespace namid {

at::Tensor find_tensor(const TensorMap& tensors, const std::string& name) {
  for (const auto& [key, tensor] : tensors)
    if (key == name) return tensor;
  return {};
}

namespace run {
namespace {

constexpr auto kChecksums = "namid.crc32c";
constexpr auto kHeader = "__header__";

/// Of names, types, shapes and metadata whatever their order, which other programs may change.
std::uint32_t header_checksum(std::vector<io::SafeTensor> tensors,
                              const io::SafeMetadata& metadata) {
  std::sort(tensors.begin(), tensors.end(),
            [](const auto& a, const auto& b) { return a.name < b.name; });
  return io::crc32c(io::safetensors_header_json(tensors, metadata));
}

class InputFile {
 public:
  explicit InputFile(const std::filesystem::path& path)
      : name_(path.string()), fd_(::open(path.c_str(), O_RDONLY | O_CLOEXEC)) {
    struct stat info {};
    if (fd_ < 0 || ::fstat(fd_, &info) != 0) {
      const int error = errno;
      if (fd_ >= 0) ::close(fd_);
      throw DataError(str(name_, ": cannot be opened: ", std::strerror(error)));
    }
    size_ = S_ISREG(info.st_mode) ? static_cast<std::uint64_t>(info.st_size) : 0;
  }
  InputFile(const InputFile&) = delete;
  InputFile& operator=(const InputFile&) = delete;
  ~InputFile() { ::close(fd_); }

  const std::string& name() const { return name_; }
  std::uint64_t size() const { return size_; }

  void read(std::uint64_t offset, char* out, std::uint64_t count) const {
    while (count > 0) {
      const auto got = ::pread(fd_, out, count, static_cast<off_t>(offset));
      if (got < 0 && errno == EINTR) continue;
      if (got <= 0)
        throw DataError(str(name_, ": offset ", offset, ": cannot be read: ",
                            got < 0 ? std::strerror(errno) : "the file became shorter"));
      offset += static_cast<std::uint64_t>(got), out += got;
      count -= static_cast<std::uint64_t>(got);
    }
  }

 private:
  std::string name_;
  int fd_;
  std::uint64_t size_ = 0;
};

io::SafetensorsHeader read_header(const InputFile& file) {
  std::string first(std::min<std::uint64_t>(8, file.size()), '\0');
  file.read(0, first.data(), first.size());
  const auto length = io::safetensors_header_length(first, file.size(), file.name());
  std::string json(length, '\0');
  file.read(8, json.data(), length);
  return io::parse_safetensors_header(json, file.size(), file.name());
}

/// The checksums of a file, taken out of its metadata; null where it has none.
nlohmann::json take_checksums(io::SafetensorsHeader& header, const std::string& file) {
  const auto entry = header.metadata.extract(kChecksums);
  if (entry.empty()) return nullptr;
  auto checksums = nlohmann::json::parse(entry.mapped(), nullptr, false);
  if (!checksums.is_object()) throw DataError(str(file, ": ", kChecksums, " is not a JSON object"));
  if (checksums.size() != header.tensors.size() + 1)
    throw DataError(str(file, ": ", kChecksums, " lists ", checksums.size(),
                        " checksums, expected one for the header and one for each of ",
                        header.tensors.size(), " tensors"));
  return checksums;
}

void check(const nlohmann::json& checksums, const std::string& name, std::uint32_t crc,
           const std::string& where) {
  if (checksums.is_null()) return;
  const auto found = checksums.find(name);
  if (found == checksums.end() || !found->is_number_unsigned())
    throw DataError(str(where, ": no checksum in ", kChecksums));
  if (*found != crc)
    throw DataError(str(where, ": checksum differs; the file is damaged: take another copy"));
}

}  // namespace

void write_tensor_file(const std::filesystem::path& path, const TensorMap& tensors,
                       const std::map<std::string, std::string>& metadata) {
  std::vector<at::Tensor> held;
  std::vector<io::SafeTensor> rows;
  nlohmann::json checksums = nlohmann::json::object();
  for (const auto& [name, tensor] : tensors) {
    if (!tensor.defined()) throw DataError(str("tensor '", name, "' is undefined"));
    if (name == kHeader) throw DataError(str("tensor name '", kHeader, "' is reserved"));
    held.push_back(tensor.detach().to(at::kCPU).contiguous());
    rows.push_back({name, file_type(name, tensor), tensor.sizes().vec(), bytes_of(held.back())});
    checksums[name] = io::crc32c(rows.back().data);
  }
  if (metadata.contains(kChecksums))
    throw DataError(str("metadata key ", kChecksums, " is reserved"));
  checksums[kHeader] = header_checksum(rows, metadata);
  auto complete = metadata;
  complete[kChecksums] = checksums.dump();
  const auto layout = io::lay_out_safetensors(rows, complete);
  std::vector<std::string_view> parts{layout.head};
  for (const auto i : layout.order) parts.push_back(rows[i].data);
  io::write_file_atomically(path, parts, io::ReadBack::yes);
}

TensorFile read_tensor_file(const std::filesystem::path& path) {
  const InputFile file(path);
  auto header = read_header(file);
  const auto checksums = take_checksums(header, file.name());
  check(checksums, kHeader, header_checksum(header.tensors, header.metadata),
        file.name() + ": header");
  TensorFile out;
  for (std::size_t i = 0; i < header.tensors.size(); ++i) {
    const auto& row = header.tensors[i];
    auto tensor = at::empty(row.shape, torch_type(row.dtype));
    file.read(header.begin[i], static_cast<char*>(tensor.mutable_data_ptr()), header.size[i]);
    check(checksums, row.name, io::crc32c(bytes_of(tensor)),
          str(file.name(), ": offset ", header.begin[i], ": tensor '", row.name, "'"));
    out.tensors.emplace_back(row.name, std::move(tensor));
  }
  out.metadata = std::move(header.metadata);
  return out;
}

}  // namespace run
}  // namespace namid
