// SPDX-License-Identifier: Apache-2.0
#include "namid/models/weight_file.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <fstream>
#include <set>

#include "namid/core/error.h"
#include "namid/core/format.h"
#include "namid/io/atomic_file.h"
#include "namid/io/npz.h"
#include "namid/io/torch_file.h"
#include "namid/io/torch_write.h"
#include "namid/run/tensor_types.h"

namespace namid::models {
namespace {

constexpr std::array<const char*, 5> kFormats{"safetensors", "torch (zip)", "torch (legacy)", "npz",
                                              "zip"};
constexpr std::array<const char*, 3> kTorchExtensions{".pth", ".pt", ".bin"};

bool is_torch_path(const std::filesystem::path& path) {
  return std::find(kTorchExtensions.begin(), kTorchExtensions.end(), path.extension()) !=
         kTorchExtensions.end();
}

at::Tensor tensor_of(io::ByteSpan bytes, const std::vector<std::int64_t>& shape, io::DType dtype) {
  auto tensor = at::empty(shape, run::torch_type(dtype));
  if (!bytes.empty()) std::memcpy(tensor.mutable_data_ptr(), bytes.data(), bytes.size());
  return tensor;
}

void read_torch(io::ByteSpan bytes, const std::string& name, const std::string& entry,
                WeightFile& out) {
  const io::TorchFile file(bytes, name);
  out.entry = io::state_dict_prefix(file, entry);
  auto left = io::kMaxBytes;
  for (const auto& tensor : file.tensors()) {
    if (!tensor.name.starts_with(out.entry)) continue;
    auto content = file.contents(tensor);
    if (content.size() > left)
      throw DataError(str(name, ": its tensors add up to more than ", io::kMaxBytes, " bytes"));
    left -= content.size();
    out.tensors.emplace_back(tensor.name.substr(out.entry.size()),
                             tensor_of(content, tensor.shape, tensor.dtype));
    out.unverified += file.storages()[tensor.storage].checksum != io::Checksum::verified;
  }
}

io::DType dtype_of(io::NpyType type) {
  constexpr std::array kTypes{io::DType::boolean, io::DType::u8,  io::DType::i8,  io::DType::u16,
                              io::DType::i16,     io::DType::u32, io::DType::i32, io::DType::u64,
                              io::DType::i64,     io::DType::f32, io::DType::f64};
  return kTypes[static_cast<std::size_t>(type)];  // in the order of NpyType
}

void read_npz(io::ByteSpan bytes, const std::string& name, WeightFile& out) {
  const io::NpzFile file(bytes, name);
  auto left = io::kMaxBytes;
  for (const auto& array : file.names()) {
    const auto values = file.read(array);
    if (values.data.size() > left)
      throw DataError(str(name, ": its arrays add up to more than ", io::kMaxBytes, " bytes"));
    left -= values.data.size();
    out.tensors.emplace_back(array, tensor_of(values.data, values.shape, dtype_of(values.type)));
  }
}

void read_safetensors(io::ByteSpan bytes, const std::filesystem::path& path, WeightFile& out) {
  const auto header = io::parse_safetensors(io::as_text(bytes), path.string());
  auto file = run::read_tensor_file(path);
  out.tensors = std::move(file.tensors);
  out.metadata = std::move(file.metadata);
  if (!header.metadata.contains("namid.crc32c"))
    out.unverified = static_cast<std::int64_t>(out.tensors.size());
}

}  // namespace

std::string to_string(WeightFormat format) {
  return kFormats[static_cast<std::size_t>(format)];
}

WeightFormat weight_format(io::ByteSpan bytes, const std::string& file) {
  const auto text = io::as_text(bytes);
  // First, because the length before it may begin with the bytes of another format.
  if (text.size() > 8 && text[8] == '{') return WeightFormat::safetensors;
  if (text.starts_with("PK")) {
    const io::ZipArchive archive(bytes, file);
    bool has_pickle = false, has_array = false;
    for (const auto& entry : archive.entries()) {
      has_pickle |= entry.name == "data.pkl" || entry.name.ends_with("/data.pkl");
      has_array |= entry.name.ends_with(".npy");
    }
    return has_pickle ? WeightFormat::torch : has_array ? WeightFormat::npz : WeightFormat::zip;
  }
  if (text.starts_with("\x80")) return WeightFormat::torch_legacy;
  throw DataError(str(file,
                      ": no weights of a known format; expected safetensors, a file of "
                      "torch.save (.pth, .pt) or .npz"));
}

WeightFile read_weight_file(const std::filesystem::path& path, const std::string& entry) {
  const auto bytes = io::read_file(path);
  const auto name = path.string();
  WeightFile out{.format = weight_format(bytes, name)};
  if (out.format == WeightFormat::zip)
    throw DataError(str(name,
                        ": a zip archive without data.pkl and without arrays holds no weights "
                        "that are read"));
  const bool is_torch =
      out.format == WeightFormat::torch || out.format == WeightFormat::torch_legacy;
  if (!is_torch && !entry.empty() && entry != ".")
    throw OptionError(str("entry: ", name, " is a file of ", to_string(out.format),
                          ", which has no parts to choose from"));
  if (is_torch)
    read_torch(bytes, name, entry, out);
  else if (out.format == WeightFormat::npz)
    read_npz(bytes, name, out);
  else
    read_safetensors(bytes, path, out);
  std::set<std::string_view> names;
  for (const auto& tensor : out.tensors)
    if (!names.insert(tensor.first).second)
      throw DataError(str(name, ": two tensors are called '", tensor.first, "'"));
  return out;
}

void check_weight_path(const std::filesystem::path& path) {
  if (path.extension() != ".safetensors" && !is_torch_path(path))
    throw OptionError(str(path.string(),
                          ": expected a name that ends in .safetensors, .pth, .pt or "
                          ".bin, which says the format"));
}

void write_weight_file(const std::filesystem::path& path, const TensorMap& tensors,
                       const std::map<std::string, std::string>& metadata) {
  check_weight_path(path);
  if (!is_torch_path(path)) return run::write_tensor_file(path, tensors, metadata);
  std::vector<at::Tensor> held;
  std::vector<io::SafeTensor> rows;
  for (const auto& [name, tensor] : tensors) {
    held.push_back(tensor.detach().to(at::kCPU).contiguous());
    rows.push_back(
        {name, run::file_type(name, tensor), tensor.sizes().vec(), run::bytes_of(held.back())});
  }
  const auto bytes = io::encode_torch_file(rows);
  const auto text = io::as_text(bytes);
  io::write_file_atomically(path, std::span(&text, 1), io::ReadBack::yes);
}

}  // namespace namid::models
