// SPDX-License-Identifier: Apache-2.0
#include "namid/core/format.h"
#include "namid/io/pt2.h"
#include "namid/io/sha256.h"

namespace namid::io {
namespace {

template <class... Cases>
struct Overloaded : Cases... {
  using Cases::operator()...;
};
template <class... Cases>
Overloaded(Cases...) -> Overloaded<Cases...>;

std::string item_text(const Pt2Item& item) {
  return std::visit(
      Overloaded{[](std::monostate) { return std::string("none"); },
                 [](bool value) { return str(value); },
                 [](std::int64_t value) { return str(value); },
                 [](double value) { return str("f", value); },
                 [](const std::string& text) { return str("\"", text, "\""); },
                 [](Pt2Value value) { return str("%", value.index); },
                 [](DType dtype) { return std::string(dtype_name(dtype)); },
                 [](Pt2MemoryFormat format) { return str("m", static_cast<int>(format)); },
                 [](Pt2Strided) { return std::string("strided"); },
                 [](Pt2Device) { return std::string("device"); }},
      item);
}

void add(Sha256& hash, const std::string& text) {
  hash.update(text.c_str(), text.size() + 1);  // with its end, so that no two lists run together
}

}  // namespace

std::string pt2_graph_sha256(const Pt2Program& program) {
  Sha256 hash;
  for (const auto& tensor : program.state) {
    add(hash, str("state %", tensor.value, " ", static_cast<int>(tensor.role), " ",
                  dtype_name(tensor.dtype)));
    add(hash, tensor.name);
    for (const auto size : tensor.sizes) add(hash, str(size));
  }
  for (const auto& extent : program.input.extents)
    add(hash, str("input ", extent.dynamic ? 0 : extent.size));
  add(hash, str("input %", program.input.value, " output %", program.output.value));
  for (const auto& node : program.nodes) {
    add(hash, str("node ", node.target));
    for (const auto& argument : node.arguments) {
      add(hash, str(argument.is_list ? "list " : "one ", argument.name));
      for (const auto& item : argument.items) add(hash, item_text(item));
    }
    for (const auto& result : node.results) {
      add(hash, result.is_list ? "results" : "result");
      for (const auto value : result.values) add(hash, str("%", value));
    }
  }
  return hash.hex();
}

}  // namespace namid::io
