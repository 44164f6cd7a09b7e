// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "namid/core/error.h"
#include "namid/core/format.h"
#include "namid/io/torch_tree.h"

namespace namid::io {
namespace {

constexpr std::size_t kMaxDimensions = 64;
constexpr int kMaxWrappers = 4;  // a Parameter of a subclass of a tensor

/// What a tensor is rebuilt from: storage, offset, shape and strides, then, of a version 3, the
/// element type as item 6.
struct Recipe {
  const std::vector<PickleId>* arguments = nullptr;
  bool names_dtype = false;
};

/// Items of a list or tuple, or of torch.Size(...) of one.
const std::vector<PickleId>& sequence(const Pickle& pickle, PickleId id) {
  const auto* value = &pickle[id];
  if (value->kind == PickleKind::call && pickle[value->items[0]].text == "torch Size" &&
      pickle[value->items[1]].items.size() == 1)
    value = &pickle[pickle[value->items[1]].items[0]];
  if (value->kind != PickleKind::tuple && value->kind != PickleKind::list)
    throw DataError(str(pickle.name(), ": expected a list of sizes of a tensor"));
  return value->items;
}

std::vector<std::int64_t> sizes(const Pickle& pickle, PickleId id) {
  std::vector<std::int64_t> out;
  for (const auto item : sequence(pickle, id)) {
    const auto size = pickle.expect(item, PickleKind::integer, "sizes of a tensor").integer;
    if (size < 0) throw DataError(str(pickle.name(), ": a tensor of size or stride ", size));
    out.push_back(size);
  }
  if (out.size() > kMaxDimensions)
    throw DataError(str(pickle.name(), ": a tensor of ", out.size(), " dimensions"));
  return out;
}

/// Follows what wraps a tensor to the call that rebuilds it.
Recipe find_recipe(const Pickle& pickle, PickleId id) {
  for (int depth = 0; depth < kMaxWrappers; ++depth) {
    const auto& call = pickle[id];
    if (call.kind != PickleKind::call || pickle[call.items[0]].kind != PickleKind::global)
      return {};
    auto name = pickle[call.items[0]].text;
    const auto* arguments = &pickle[call.items[1]].items;
    if (name == "torch._tensor _rebuild_from_type_v2" && arguments->size() >= 3) {
      name = pickle[(*arguments)[0]].text;
      if (pickle[(*arguments)[2]].kind != PickleKind::tuple) return {};
      arguments = &pickle[(*arguments)[2]].items;
    }
    if (name == "torch._utils _rebuild_tensor_v3" && arguments->size() >= 7)
      return {arguments, true};
    if ((name == "torch._utils _rebuild_tensor_v2" || name == "torch._utils _rebuild_tensor") &&
        arguments->size() >= 4)
      return {arguments, false};
    const bool wraps = name == "torch._utils _rebuild_parameter" ||
                       name == "torch._utils _rebuild_parameter_with_state" ||
                       name == "torch.nn.parameter Parameter" ||
                       name == "torch.nn.parameter Buffer";
    if (!wraps || arguments->empty()) return {};
    id = (*arguments)[0];
  }
  return {};
}

/// Every element must lie in the storage; products in 128 bits, as a hostile shape overflows 64.
void check_extent(const TorchTensor& tensor, std::uint64_t elements, const std::string& file) {
  __extension__ using Wide = unsigned __int128;
  Wide last = static_cast<Wide>(tensor.offset), count = 1;
  bool empty = false;
  for (std::size_t d = 0; d < tensor.shape.size(); ++d) {
    const auto size = static_cast<Wide>(tensor.shape[d]);
    empty |= size == 0;
    count *= std::max<Wide>(size, 1);
    if (size > 0) last += (size - 1) * static_cast<Wide>(tensor.strides[d]);
    if (count >> 62 || last >> 62) throw DataError(str(file, ": a tensor of impossible size"));
  }
  if (!empty && last >= elements)
    throw DataError(str(file, ": a tensor reaches to element ", static_cast<std::uint64_t>(last),
                        " of a storage of ", elements));
}

}  // namespace

std::optional<TorchTensor> find_tensor(const Pickle& pickle, const TorchStorages& storages,
                                       PickleId id) {
  const auto recipe = find_recipe(pickle, id);
  if (!recipe.arguments) return std::nullopt;
  const auto& arguments = *recipe.arguments;
  const auto* storage = storages.find(arguments[0]);
  if (!storage) return std::nullopt;
  auto dtype = storage->dtype;
  if (recipe.names_dtype) {
    const auto text = pickle.expect(arguments[6], PickleKind::global, "a type of elements").text;
    dtype = torch_dtype(text.substr(text.find(' ') + 1));
  }
  if (!dtype) return std::nullopt;
  TorchTensor tensor{
      .dtype = *dtype,
      .shape = sizes(pickle, arguments[2]),
      .strides = sizes(pickle, arguments[3]),
      .offset = pickle.expect(arguments[1], PickleKind::integer, "an offset").integer,
      .storage = storage->index};
  if (tensor.strides.size() != tensor.shape.size() || tensor.offset < 0)
    throw DataError(str(pickle.name(), ": a tensor whose offset or strides do not fit its shape"));
  const auto bytes = storages.all()[storage->index].data.size();
  check_extent(tensor, bytes / dtype_size(*dtype), pickle.name());
  return tensor;
}

}  // namespace namid::io
