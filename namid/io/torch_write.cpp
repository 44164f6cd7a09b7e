// SPDX-License-Identifier: Apache-2.0
// Opcodes are those of protocol 2 in Python's pickletools.
#include "namid/io/torch_write.h"

#include <algorithm>

#include "namid/core/error.h"
#include "namid/core/format.h"
#include "namid/io/torch_storages.h"
#include "namid/io/zip.h"

namespace namid::io {
namespace {

constexpr std::uint64_t kAlignment = 64;

class PickleWriter {
 public:
  PickleWriter() { out_ = "\x80\x02"; }
  PickleWriter& op(char opcode) {
    out_ += opcode;
    return *this;
  }
  PickleWriter& little(std::uint64_t value, int bytes) {
    for (; bytes > 0; --bytes, value >>= 8) out_ += static_cast<char>(value & 0xff);
    return *this;
  }
  PickleWriter& text(std::string_view value) {
    op('X').little(value.size(), 4);
    out_ += value;
    return *this;
  }
  PickleWriter& integer(std::int64_t value) {
    if (value >= 0 && value <= 0xff) return op('K').little(static_cast<std::uint64_t>(value), 1);
    if (value >= 0 && value <= 0x7fffffff)
      return op('J').little(static_cast<std::uint64_t>(value), 4);
    return op('\x8a').little(8, 1).little(static_cast<std::uint64_t>(value), 8);
  }
  PickleWriter& global(std::string_view module, std::string_view name) {
    out_ += str("c", module, "\n", name, "\n");
    return *this;
  }
  PickleWriter& empty_ordered_dict() {
    return global("collections", "OrderedDict").op(')').op('R');
  }
  std::string take() { return std::move(out_.append(".")); }

 private:
  std::string out_;
};

std::vector<std::int64_t> contiguous_strides(const std::vector<std::int64_t>& shape) {
  std::vector<std::int64_t> strides(shape.size(), 1);
  for (auto d = shape.size(); d-- > 1;)
    strides[d - 1] = strides[d] * std::max<std::int64_t>(shape[d], 1);
  return strides;
}

void put_integers(PickleWriter& out, const std::vector<std::int64_t>& values) {
  out.op('(');
  for (const auto value : values) out.integer(value);
  out.op('t');
}

/// torch._utils._rebuild_tensor_v2(storage, offset, size, stride, requires_grad, hooks), or _v3
/// with the element type behind, for types that have no storage class.
void put_tensor(PickleWriter& out, const SafeTensor& tensor, const std::string& key) {
  const auto storage = torch_storage_class(tensor.dtype);
  const bool typed = !storage.empty();
  const auto count = tensor.data.size() / (typed ? dtype_size(tensor.dtype) : 1);
  out.global("torch._utils", typed ? "_rebuild_tensor_v2" : "_rebuild_tensor_v3");
  out.op('(').op('(').text("storage");
  out.global(typed ? "torch" : "torch.storage", typed ? storage : "UntypedStorage");
  out.text(key).text("cpu").integer(static_cast<std::int64_t>(count)).op('t').op('Q');
  out.integer(0);
  put_integers(out, tensor.shape);
  put_integers(out, contiguous_strides(tensor.shape));
  out.op('\x89').empty_ordered_dict();
  if (!typed) out.global("torch", torch_dtype_name(tensor.dtype));
  out.op('t').op('R');
}

}  // namespace

Bytes encode_torch_file(const std::vector<SafeTensor>& tensors) {
  lay_out_safetensors(tensors, {});  // refuses what cannot be written
  PickleWriter pickle;
  pickle.empty_ordered_dict().op('(');
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    pickle.text(tensors[i].name);
    put_tensor(pickle, tensors[i], std::to_string(i));
  }
  const auto program = pickle.op('u').take();
  std::vector<ZipMember> members{{"archive/data.pkl", as_bytes(program)},
                                 {"archive/byteorder", as_bytes("little")}};
  for (std::size_t i = 0; i < tensors.size(); ++i)
    members.push_back({str("archive/data/", i), as_bytes(tensors[i].data)});
  members.push_back({"archive/version", as_bytes("3\n")});
  return encode_zip(members, {.alignment = kAlignment});
}

}  // namespace namid::io
