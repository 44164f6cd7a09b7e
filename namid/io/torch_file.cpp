// SPDX-License-Identifier: Apache-2.0
#include "namid/io/torch_file.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <set>

#include "namid/core/error.h"
#include "namid/core/format.h"
#include "namid/io/torch_tree.h"

namespace namid::io {
namespace {

constexpr std::string_view kMagic = "\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19";
constexpr std::int64_t kProtocol = 1001;
constexpr std::string_view kPickle = "data.pkl";
constexpr std::size_t kMaxGlobals = 1000;
constexpr std::size_t kExtraText = std::size_t{4} << 20;

/// The folder of the archive that holds data.pkl, with its slash.
std::string find_folder(const ZipArchive& archive) {
  const ZipEntry* found = nullptr;
  for (const auto& entry : archive.entries()) {
    const bool named = entry.name == kPickle || entry.name.ends_with(str("/", kPickle));
    if (named && (!found || entry.name.size() < found->name.size())) found = &entry;
  }
  if (!found)
    throw DataError(
        str(archive.name(), ": a zip archive without data.pkl is no file of torch.save",
            archive.find("models/model.json") ? "; it looks like a torch.export program" : ""));
  return found->name.substr(0, found->name.size() - kPickle.size());
}

/// What reading tensors and plain containers needs, so that it is no news.
bool is_harmless(std::string_view global) {
  constexpr std::array kKnown{"collections OrderedDict",
                              "collections defaultdict",
                              "collections Counter",
                              "_codecs encode",
                              "torch Size",
                              "torch device",
                              "torch._utils _rebuild_tensor",
                              "torch._utils _rebuild_tensor_v2",
                              "torch._utils _rebuild_tensor_v3",
                              "torch._utils _rebuild_parameter",
                              "torch._utils _rebuild_parameter_with_state",
                              "torch._tensor _rebuild_from_type_v2",
                              "torch.nn.parameter Parameter",
                              "torch.nn.parameter Buffer",
                              "torch.storage UntypedStorage"};
  constexpr std::array kBuiltins{"set", "frozenset", "dict", "list", "int", "float"};
  if (std::find(kKnown.begin(), kKnown.end(), global) != kKnown.end()) return true;
  const auto name = global.substr(global.find(' ') + 1);
  const auto module = global.substr(0, global.find(' '));
  if (module == "torch") return torch_dtype(name).has_value() || name.ends_with("Storage");
  return (module == "builtins" || module == "__builtin__") &&
         std::find(kBuiltins.begin(), kBuiltins.end(), name) != kBuiltins.end();
}

void reverse_elements(Bytes& bytes, DType dtype) {
  const auto size = static_cast<std::ptrdiff_t>(dtype == DType::c64 ? 4 : dtype_size(dtype));
  if (size == 1) return;
  for (auto at = bytes.begin(); at != bytes.end(); at += size) std::reverse(at, at + size);
}

/// Copies the elements in the order of the shape.
void gather(const TorchTensor& tensor, const std::byte* from, Bytes& out) {
  const auto size = dtype_size(tensor.dtype);
  const auto rank = tensor.shape.size();
  std::vector<std::int64_t> index(rank);
  auto at = tensor.offset;
  for (std::size_t to = 0; to < out.size(); to += size) {
    std::memcpy(out.data() + to, from + static_cast<std::size_t>(at) * size, size);
    for (auto d = rank; d-- > 0;) {
      at += tensor.strides[d];
      if (++index[d] < tensor.shape[d]) break;
      at -= tensor.strides[d] * tensor.shape[d];
      index[d] = 0;
    }
  }
}

bool is_contiguous(const TorchTensor& tensor) {
  std::int64_t expected = 1;
  for (auto d = tensor.shape.size(); d-- > 0;) {
    if (tensor.shape[d] != 1 && tensor.strides[d] != expected) return false;
    expected *= tensor.shape[d];
  }
  return true;
}

}  // namespace

bool may_be_torch_file(ByteSpan bytes) {
  const auto text = as_text(bytes.first(std::min<std::size_t>(bytes.size(), 32)));
  return text.starts_with("PK\x03\x04") || text.starts_with("PK\x05\x06") ||
         (text.starts_with("\x80") && text.find(kMagic) != std::string_view::npos);
}

TorchFile::TorchFile(ByteSpan bytes, std::string name, std::uint64_t max_bytes)
    : name_(std::move(name)), max_bytes_(max_bytes) {
  is_zip_ = !as_text(bytes).starts_with("\x80");
  if (is_zip_)
    read_zip(bytes);
  else
    read_legacy(bytes);
}

void TorchFile::read_zip(ByteSpan bytes) {
  const ZipArchive archive(bytes, name_, max_bytes_);
  const auto folder = find_folder(archive);
  std::deque<Bytes> inflated;
  Checksum ignored = Checksum::none;
  if (const auto* entry = archive.find(folder + "byteorder"))
    if (as_text(checked_content(archive, *entry, inflated, ignored)) == "big")
      storages_.set_big_endian();
  const auto& entry = *archive.find(str(folder, kPickle));
  const Pickle pickle(checked_content(archive, entry, inflated, ignored), archive.name_of(entry),
                      pickle_object_cap(bytes.size()));
  storages_.declare(pickle);
  storages_.read_records(archive, folder + "data/", max_bytes_);
  read_tree(pickle, bytes.size());
}

/// Five pickles: magic number, version, system, contents, keys of the storages; then these.
void TorchFile::read_legacy(ByteSpan bytes) {
  Cursor cursor(bytes, name_);
  const auto next = [&](const char* what) {
    Pickle pickle(cursor.rest(), str(name_, "[", what, "]"), pickle_object_cap(bytes.size()));
    cursor.take(pickle.end(), what);
    return pickle;
  };
  const auto magic = next("magic number");
  if (magic[magic.root()].kind != PickleKind::big_integer || magic[magic.root()].text != kMagic)
    throw DataError(str(name_, ": a pickle, but no file of torch.save: no magic number"));
  const auto version = next("version");
  if (version[version.root()].integer != kProtocol)
    throw DataError(str(name_, ": expected version ", kProtocol, " of the format, got ",
                        version[version.root()].integer));
  const auto system = next("system");
  if (const auto little = system.find(system.root(), "little_endian");
      little && system[*little].kind == PickleKind::boolean && system[*little].integer == 0)
    storages_.set_big_endian();
  const auto contents = next("contents");
  const auto keys = next("keys");
  storages_.declare(contents);
  storages_.read_sequence(cursor, keys.texts(keys.root(), "keys of storages"));
  if (cursor.remaining() != 0) cursor.fail("expected the end of the file");
  read_tree(contents, bytes.size());
}

void TorchFile::read_tree(const Pickle& pickle, std::uint64_t file_bytes) {
  auto tree = walk_tree(pickle, storages_, static_cast<std::size_t>(file_bytes) + kExtraText);
  tensors_ = std::move(tree.tensors);
  objects_ = std::move(tree.objects);
  std::set<std::string> foreign;
  for (PickleId id = 0; id < pickle.size() && foreign.size() < kMaxGlobals; ++id)
    if (pickle[id].kind == PickleKind::global && !is_harmless(pickle[id].text))
      foreign.insert(global_name(pickle[id]));
  globals_.assign(foreign.begin(), foreign.end());
}

Bytes TorchFile::contents(const TorchTensor& tensor) const {
  std::uint64_t size = dtype_size(tensor.dtype);
  for (const auto extent : tensor.shape)
    size = checked_product(name_, 0, size, static_cast<std::uint64_t>(extent));
  if (size > max_bytes_)
    throw DataError(str(name_, ": tensor '", tensor.name, "' asks for ", size,
                        " bytes, more than the ", max_bytes_, " allowed"));
  Bytes out(size);
  if (size == 0) return out;
  const auto data = storages_.all()[tensor.storage].data;
  if (is_contiguous(tensor))
    std::memcpy(out.data(),
                data.data() + static_cast<std::size_t>(tensor.offset) * dtype_size(tensor.dtype),
                size);
  else
    gather(tensor, data.data(), out);
  if (storages_.is_big_endian()) reverse_elements(out, tensor.dtype);
  return out;
}

}  // namespace namid::io
