// SPDX-License-Identifier: Apache-2.0
#include "namid/models/inspect.h"

#include <map>
#include <nlohmann/json.hpp>

#include "namid/core/error.h"
#include "namid/core/format.h"
#include "namid/io/npz.h"
#include "namid/io/pt2.h"
#include "namid/io/sha256.h"
#include "namid/io/text.h"
#include "namid/io/torch_file.h"
#include "namid/models/weight_file.h"

namespace namid::models {
namespace {

using nlohmann::json;

std::int64_t elements_of(const std::vector<std::int64_t>& shape) {
  std::int64_t count = 1;
  for (const auto extent : shape) count *= extent;
  return count;
}

json row(const std::string& name, std::string_view dtype, const std::vector<std::int64_t>& shape,
         std::size_t element) {
  return {{"name", name},
          {"dtype", dtype},
          {"shape", shape},
          {"bytes", elements_of(shape) * static_cast<std::int64_t>(element)}};
}

bool is_contiguous(const std::vector<std::int64_t>& shape,
                   const std::vector<std::int64_t>& strides) {
  std::int64_t expected = 1;
  for (auto d = shape.size(); d-- > 0; expected *= shape[d])
    if (shape[d] != 1 && strides[d] != expected) return false;
  return true;
}

json torch_tensor(const io::TorchFile& file, const io::TorchTensor& tensor) {
  auto out =
      row(tensor.name, io::dtype_name(tensor.dtype), tensor.shape, io::dtype_size(tensor.dtype));
  const auto& storage = file.storages()[tensor.storage];
  out["storage"] = io::printable(storage.key);
  if (storage.data.size() != out["bytes"] || !is_contiguous(tensor.shape, tensor.strides)) {
    out["strides"] = tensor.strides;
    out["offset"] = tensor.offset;
  }
  return out;
}

json inspect_torch(io::ByteSpan bytes, const std::string& name) {
  const io::TorchFile file(bytes, name);
  json out = {{"tensors", json::array()},
              {"objects", json::array()},
              {"imports", file.foreign_globals()},
              {"checksum", file.is_zip() ? "crc32" : "none"}};
  std::int64_t unverified = 0;
  for (const auto& tensor : file.tensors()) {
    out["tensors"].push_back(torch_tensor(file, tensor));
    unverified += file.storages()[tensor.storage].checksum != io::Checksum::verified;
  }
  for (const auto& object : file.objects())
    out["objects"].push_back({{"name", object.name}, {"text", object.text}});
  out["unverified"] = unverified;
  try {
    out["entry"] = io::state_dict_prefix(file, "");
  } catch (const DataError& error) {
    out["entry_problem"] = error.what();
  }
  return out;
}

json inspect_safetensors(io::ByteSpan bytes, const std::filesystem::path& path) {
  const auto file = io::parse_safetensors(io::as_text(bytes), path.string());
  const bool checked = file.metadata.contains("namid.crc32c");
  json out = {{"tensors", json::array()},
              {"checksum", checked ? "crc32c" : "none"},
              {"unverified", checked ? 0 : static_cast<std::int64_t>(file.tensors.size())}};
  for (const auto& tensor : file.tensors)
    out["tensors"].push_back(row(io::printable(tensor.name), io::dtype_name(tensor.dtype),
                                 tensor.shape, io::dtype_size(tensor.dtype)));
  out["metadata"] = json::object();
  for (const auto& [key, value] : run::read_tensor_file(path).metadata)
    out["metadata"][io::printable(key)] = io::printable(value);
  return out;
}

json inspect_npz(io::ByteSpan bytes, const std::string& name) {
  const io::NpzFile file(bytes, name);
  json out = {{"tensors", json::array()}, {"checksum", "crc32"}, {"unverified", 0}};
  for (const auto& array : file.names()) {
    try {
      const auto values = file.read(array);
      out["tensors"].push_back(row(io::printable(array), io::name_of(values.type), values.shape,
                                   io::size_of(values.type)));
    } catch (const DataError&) {
      const auto text = file.read_text(array);
      out["tensors"].push_back(row(io::printable(array), "text", text.shape, 0));
    }
  }
  return out;
}

json inspect_zip(io::ByteSpan bytes, const std::string& name) {
  const io::ZipArchive archive(bytes, name);
  json out = {{"members", json::array()}, {"checksum", "crc32"}};
  std::int64_t unverified = 0;
  for (const auto& entry : archive.entries()) {
    std::deque<io::Bytes> inflated;
    auto checksum = io::Checksum::none;
    io::checked_content(archive, entry, inflated, checksum);
    unverified += checksum != io::Checksum::verified;
    out["members"].push_back(
        {{"name", io::printable(entry.name)}, {"bytes", entry.size}, {"packed", entry.packed}});
  }
  out["unverified"] = unverified;
  return out;
}

/// {dtype, shape}; null for an extent that is dynamic.
json port(const io::Pt2Port& of) {
  auto shape = json::array();
  for (const auto& extent : of.extents)
    shape.push_back(extent.dynamic ? json() : json(extent.size));
  return {{"dtype", io::dtype_name(of.dtype)}, {"shape", shape}};
}

const char* name_of(io::Pt2Role role) {
  switch (role) {
    case io::Pt2Role::parameter:
      return "parameter";
    case io::Pt2Role::buffer:
      return "buffer";
    case io::Pt2Role::constant:
      return "constant";
  }
  return "";
}

json program_tensor(const io::Pt2Tensor& tensor) {
  auto out = row(io::printable(tensor.name), io::dtype_name(tensor.dtype), tensor.sizes,
                 io::dtype_size(tensor.dtype));
  out["role"] = name_of(tensor.role);
  if (!is_contiguous(tensor.sizes, tensor.strides)) {
    out["strides"] = tensor.strides;
    out["offset"] = tensor.offset;
  }
  return out;
}

void add_program(json& out, const io::Pt2Program& program) {
  out["tensors"] = json::array();
  for (const auto& tensor : program.state) out["tensors"].push_back(program_tensor(tensor));
  std::map<std::string, int> operators;
  for (const auto& node : program.nodes) ++operators[io::printable(node.target)];
  out["operators"] = operators;
  out["input"] = port(program.input);
  out["output"] = port(program.output);
  out["torch"] = io::printable(program.torch);
  out["graph_sha256"] = io::pt2_graph_sha256(program);
  const auto note = json::parse(program.note, nullptr, false);
  out["note"] = note.is_discarded() ? json(io::printable(program.note)) : note;
}

/// The members of the archive and, if namid can run it, its program.
json inspect_pt2(io::ByteSpan bytes, const std::string& name) {
  auto out = inspect_zip(bytes, name);
  try {
    add_program(out, io::parse_pt2(bytes, name));
  } catch (const DataError& error) {
    out["program_problem"] = error.what();
  }
  return out;
}

json contents(io::ByteSpan bytes, const std::filesystem::path& path) {
  const auto name = path.string();
  switch (weight_format(bytes, name)) {
    case WeightFormat::safetensors:
      return inspect_safetensors(bytes, path);
    case WeightFormat::npz:
      return inspect_npz(bytes, name);
    case WeightFormat::zip:
      return io::is_pt2(bytes) ? inspect_pt2(bytes, name) : inspect_zip(bytes, name);
    case WeightFormat::torch:
    case WeightFormat::torch_legacy:
      return inspect_torch(bytes, name);
  }
  return {};
}

}  // namespace

json inspect_file(const std::filesystem::path& path) {
  const auto bytes = io::read_file(path);
  auto out = contents(bytes, path);
  out["file"] = io::printable(path.string());
  out["format"] =
      io::is_pt2(bytes) ? "torch.export program" : to_string(weight_format(bytes, path.string()));
  out["bytes"] = bytes.size();
  out["sha256"] = io::sha256_hex(bytes.data(), bytes.size());
  std::int64_t elements = 0;
  const auto tensors = out.value("tensors", json::array());
  for (const auto& tensor : tensors)
    elements += elements_of(tensor["shape"].get<std::vector<std::int64_t>>());
  out["elements"] = elements;
  return out;
}

}  // namespace namid::models
