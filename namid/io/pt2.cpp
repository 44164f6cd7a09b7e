// SPDX-License-Identifier: Apache-2.0
#include "namid/io/pt2.h"

#include <algorithm>
#include <limits>
#include <map>
#include <nlohmann/json.hpp>

#include "namid/core/error.h"
#include "namid/core/format.h"
#include "namid/io/pt2_graph.h"
#include "namid/io/pt2_json.h"
#include "namid/io/zip.h"

namespace namid::io {
namespace {

constexpr auto kAgain = "; export again with torch 2.8 or later, torch.export.save(program, FILE)";
constexpr std::uint64_t kLargest = std::uint64_t{1} << 40;  // of a size, stride or offset
constexpr std::size_t kMostDimensions = 64;
/// Left out of the graph: source lines and module paths, most of the text.
const std::vector<std::string_view> kDropped{"metadata", "module_call_graph", "guards_code"};

/// The members of the archive by their names below its one folder.
class Archive {
 public:
  Archive(ByteSpan bytes, const std::string& file, std::uint64_t max_bytes)
      : file_(file), archive_bytes_(bytes.size()), zip_(bytes, file, max_bytes) {
    const auto& entries = zip_.entries();
    if (entries.empty()) throw DataError(str(file, ": an empty archive"));
    root_ = entries.front().name.substr(0, entries.front().name.find('/') + 1);
    if (!zip_.find(root_ + "archive_format") || text("archive_format") != "pt2")
      throw DataError(str(file, ": a zip archive, but none of torch.export", kAgain));
    if (text("archive_version") != "0")
      throw DataError(str(file, ": archive version ", text("archive_version").substr(0, 16),
                          " is not read, only 0"));
    if (zip_.find(root_ + "byteorder") && text("byteorder") != "little")
      throw DataError(str(file, ": written on a big-endian machine, which is not read"));
  }

  std::string root() const { return root_.substr(0, root_.size() - 1); }
  std::string where(const std::string& member) const { return str(file_, "[", root_, member, "]"); }
  bool has(const std::string& member) const { return zip_.find(root_ + member) != nullptr; }

  /// A stored member without a copy. PyTorch writes a checksum of 0 where it was told to compute
  /// none; that one is not compared.
  ByteSpan span(const std::string& member) const {
    const auto* entry = zip_.find(root_ + member);
    if (!entry) throw DataError(str(where(member), ": missing; the archive is not complete"));
    if (entry->deflated)
      throw DataError(str(where(member), ": compressed; torch.export stores members as they are"));
    const auto bytes = zip_.packed_bytes(*entry);
    if (entry->crc != 0 && crc32_of(bytes) != entry->crc)
      throw DataError(str(where(member), ": the checksum differs: the archive is damaged"));
    return bytes;
  }
  std::string_view text(const std::string& member) const { return as_text(span(member)); }

  nlohmann::json json(const std::string& member,
                      const std::vector<std::string_view>& dropped = {}) const {
    const auto content = text(member);
    check_size(where(member), 0, content.size(), kMaxPt2Json);
    return parse_json_capped(content, where(member), dropped, json_value_cap(archive_bytes_));
  }

  /// NAME of the only models/NAME.json.
  std::string model() const {
    const std::string folder = root_ + "models/", ending = ".json";
    std::string found;
    for (const auto& entry : zip_.entries()) {
      if (!entry.name.starts_with(folder) || !entry.name.ends_with(ending)) continue;
      if (!found.empty()) throw DataError(str(file_, ": holds several models; export one alone"));
      found = entry.name.substr(folder.size(), entry.name.size() - folder.size() - ending.size());
    }
    if (found.empty())
      throw DataError(
          str(file_, ": holds no graph (models/*.json), only compiled code perhaps", kAgain));
    return found;
  }

 private:
  std::string file_;
  std::uint64_t archive_bytes_;
  ZipArchive zip_;
  std::string root_;
};

std::vector<std::int64_t> extents(const JsonView& view) {
  const auto list = view.list();
  if (list.size() > kMostDimensions)
    view.fail(str("expected at most ", kMostDimensions, " dimensions, got ", list.size()));
  std::vector<std::int64_t> numbers;
  for (const auto& entry : list) {
    const auto value = entry["as_int"].integer();
    if (value < 0 || static_cast<std::uint64_t>(value) > kLargest)
      entry.fail(str("expected 0 to 2^40, got ", value));
    numbers.push_back(value);
  }
  return numbers;
}

/// One past the last element of the storage that the tensor reaches.
std::uint64_t reach(const Pt2Tensor& tensor, const JsonView& view) {
  auto last = static_cast<std::uint64_t>(tensor.offset);
  for (std::size_t i = 0; i < tensor.sizes.size(); ++i) {
    if (tensor.sizes[i] == 0) return 0;
    last += checked_product(view.where(), 0, static_cast<std::uint64_t>(tensor.sizes[i] - 1),
                            static_cast<std::uint64_t>(tensor.strides[i]));
    if (last > kLargest) view.fail("reaches beyond its storage");
  }
  return last + 1;
}

void check_extent(const Pt2Tensor& tensor, const JsonView& view, std::uint64_t max_bytes) {
  std::uint64_t bytes = dtype_size(tensor.dtype);
  const auto item = bytes;
  for (const auto size : tensor.sizes)
    bytes = checked_product(view.where(), 0, bytes, static_cast<std::uint64_t>(size));
  check_size(view.where(), 0, bytes, max_bytes);
  const auto needed = checked_product(view.where(), 0, reach(tensor, view), item);
  if (needed > tensor.storage.size())
    view.fail(str("tensor '", tensor.name, "' needs ", needed, " bytes of its storage, which has ",
                  tensor.storage.size()));
}

/// Type, shape and storage of `tensor` from its entry in a configuration.
void fill(Pt2Tensor& tensor, const JsonView& view, const Archive& archive,
          const std::string& folder, std::uint64_t max_bytes) {
  if (view["use_pickle"].boolean())
    view.fail("kept as a pickle, which could run code; export plain tensors (no subclasses)");
  const auto meta = view["tensor_meta"];
  tensor.dtype = pt2_dtype(meta["dtype"]);
  tensor.sizes = extents(meta["sizes"]);
  tensor.strides = extents(meta["strides"]);
  const auto offset = meta["storage_offset"];
  tensor.offset = offset["as_int"].integer();
  if (tensor.offset < 0 || static_cast<std::uint64_t>(tensor.offset) > kLargest ||
      tensor.sizes.size() != tensor.strides.size())
    meta.fail("sizes, strides and storage_offset do not describe a tensor");
  tensor.storage = archive.span(folder + view["path_name"].text());
  check_extent(tensor, view, max_bytes);
}

void read_state(const Archive& archive, const std::string& model, Pt2Program& program,
                std::uint64_t max_bytes) {
  const std::string weights = "data/weights/", constants = "data/constants/";
  const auto weight_file = weights + model + "_weights_config.json";
  const auto constant_file = constants + model + "_constants_config.json";
  const auto weight_json = archive.json(weight_file), constant_json = archive.json(constant_file);
  const auto weight_map = JsonView(weight_json, archive.where(weight_file))["config"];
  const auto constant_map = JsonView(constant_json, archive.where(constant_file))["config"];
  for (auto& tensor : program.state) {
    // Buffers that are not persistent lie with the constants.
    if (const auto weight = weight_map.find(tensor.name.c_str()))
      fill(tensor, *weight, archive, weights, max_bytes);
    else
      fill(tensor, constant_map[tensor.name.c_str()], archive, constants, max_bytes);
  }
}

}  // namespace

Pt2Program parse_pt2(ByteSpan bytes, const std::string& file, std::uint64_t max_bytes) {
  const Archive archive(bytes, file, max_bytes);
  const auto model = archive.model();
  Pt2Program program{.name = archive.root()};
  const auto graph = "models/" + model + ".json";
  {
    const auto document = archive.json(graph, kDropped);
    read_pt2_graph(JsonView(document, archive.where(graph)), program);
  }
  read_state(archive, model, program, max_bytes);
  if (archive.has("extra/namid.json")) program.note = archive.text("extra/namid.json");
  return program;
}

bool is_pt2(ByteSpan bytes) {
  try {
    Archive archive(bytes, "", kMaxBytes);
    return true;
  } catch (const DataError&) {
    return false;
  }
}

}  // namespace namid::io
