// SPDX-License-Identifier: Apache-2.0
// Names are those of torch/_export/serde/schema.py, SCHEMA_VERSION (8, 20).
#include "namid/io/pt2_graph.h"

#include <map>

#include "namid/core/error.h"
#include "namid/core/format.h"

namespace namid::io {
namespace {

constexpr std::int64_t kSchema = 8;
constexpr auto kTrainMode =
    "the program changes its own buffers: it was exported in train mode; call model.eval() first "
    "and export again";

/// Every name is defined once, before it is used.
class Names {
 public:
  std::size_t define(const JsonView& view) {
    const auto name = view.text();
    const auto [place, fresh] = index_.emplace(name, index_.size());
    if (!fresh) view.fail(str("value '", name, "' is defined twice"));
    return place->second;
  }
  std::size_t use(const JsonView& view) const {
    const auto name = view.text();
    const auto found = index_.find(name);
    if (found == index_.end()) view.fail(str("value '", name, "' is used before it is defined"));
    return found->second;
  }
  std::size_t size() const { return index_.size(); }

 private:
  std::map<std::string, std::size_t> index_;
};

Pt2MemoryFormat memory_format(const JsonView& view) {
  const auto code = view.integer();
  if (code < 1 || code > 4) view.fail(str("unknown memory format ", code));
  return static_cast<Pt2MemoryFormat>(code);
}

Pt2Strided layout(const JsonView& view) {
  constexpr std::int64_t kStrided = 7;
  if (view.integer() != kStrided) view.fail("expected a strided layout; others are not read");
  return {};
}

/// {"as_name": ...} or a literal under another key: symbolic numbers.
template <class Literal>
Pt2Item symbolic(const JsonView& view, const Names& names, const Literal& literal) {
  const auto [kind, value] = view.only();
  if (kind == "as_name") return Pt2Value{names.use(value)};
  return literal(value);
}

Pt2Item optional_tensor(const JsonView& view, const Names& names) {
  const auto [kind, value] = view.only();
  if (kind == "as_none") return std::monostate{};
  return Pt2Value{names.use(value["name"])};
}

/// The item that `kind` ("as_int", or the singular of "as_ints") announces.
Pt2Item item(const std::string& kind, const JsonView& view, const Names& names) {
  const auto whole = [](const JsonView& v) { return v.integer(); };
  const auto real = [](const JsonView& v) { return v.number(); };
  const auto truth = [](const JsonView& v) { return v.boolean(); };
  if (kind == "as_none") return std::monostate{};
  if (kind == "as_tensor") return Pt2Value{names.use(view["name"])};
  if (kind == "as_optional_tensor") return optional_tensor(view, names);
  if (kind == "as_int") return view.integer();
  if (kind == "as_float") return view.number();
  if (kind == "as_bool") return view.boolean();
  if (kind == "as_string") return view.text();
  if (kind == "as_sym_int") return symbolic(view, names, whole);
  if (kind == "as_sym_float") return symbolic(view, names, real);
  if (kind == "as_sym_bool") return symbolic(view, names, truth);
  if (kind == "as_scalar_type") return pt2_dtype(view);
  if (kind == "as_memory_format") return memory_format(view);
  if (kind == "as_layout") return layout(view);
  if (kind == "as_device") return Pt2Device{};
  view.fail(str("arguments of kind '", kind, "' are not supported"));
}

bool is_list_kind(const std::string& kind) {
  static const std::map<std::string, bool> lists{
      {"as_tensors", true},  {"as_optional_tensors", true},
      {"as_ints", true},     {"as_floats", true},
      {"as_bools", true},    {"as_strings", true},
      {"as_sym_ints", true}, {"as_sym_floats", true},
      {"as_sym_bools", true}};
  return lists.count(kind) > 0;
}

Pt2Argument argument(const JsonView& view, const Names& names) {
  Pt2Argument result{.name = view["name"].text()};
  const auto [kind, value] = view["arg"].only();
  result.is_list = is_list_kind(kind);
  if (!result.is_list) {
    result.items.push_back(item(kind, value, names));
    return result;
  }
  const auto singular = kind.substr(0, kind.size() - 1);
  for (const auto& entry : value.list()) result.items.push_back(item(singular, entry, names));
  return result;
}

/// A node's result defines its names.
Pt2Result result(const JsonView& view, Names& names) {
  const auto [kind, value] = view.only();
  if (kind == "as_none") return {};
  if (kind == "as_tensor") return {.values = {names.define(value["name"])}};
  if (kind == "as_tensors") {
    Pt2Result list{.is_list = true};
    for (const auto& entry : value.list()) list.values.push_back(names.define(entry["name"]));
    return list;
  }
  if (kind == "as_sym_int" || kind == "as_sym_float" || kind == "as_sym_bool")
    return {.values = {names.define(value["as_name"])}};
  view.fail(str("results of kind '", kind, "' are not supported"));
}

Pt2Node node(const JsonView& view, Names& names) {
  Pt2Node made{.target = view["target"].text()};
  try {
    for (const auto& input : view["inputs"].list())
      made.arguments.push_back(argument(input, names));
    for (const auto& output : view["outputs"].list()) made.results.push_back(result(output, names));
  } catch (const DataError& error) {
    throw DataError(str(error.what(), " (a node of ", made.target, ")"));
  }
  const auto name = view.find("name");
  made.name = name ? name->text() : made.target;
  return made;
}

Pt2Port port(const JsonView& graph, const JsonView& tensor, std::size_t value) {
  const auto name = tensor["name"].text();
  const auto meta = graph["tensor_values"][name.c_str()];
  Pt2Port made{.value = value, .dtype = pt2_dtype(meta["dtype"])};
  for (const auto& extent : meta["sizes"].list()) {
    const auto [kind, size] = extent.only();
    if (kind == "as_int") {
      made.extents.push_back({.size = size.integer()});
      continue;
    }
    const auto hint = size.find("hint");
    made.extents.push_back({.size = hint ? (*hint)["as_int"].integer() : 0, .dynamic = true});
  }
  return made;
}

/// The values that stand at the start: state and the one input. An input's name in the graph is
/// that of its spec, in order.
void read_inputs(const JsonView& graph, const JsonView& signature, Names& names,
                 Pt2Program& program) {
  static const std::map<std::string, std::pair<Pt2Role, const char*>> roles{
      {"parameter", {Pt2Role::parameter, "parameter_name"}},
      {"buffer", {Pt2Role::buffer, "buffer_name"}},
      {"tensor_constant", {Pt2Role::constant, "tensor_constant_name"}}};
  int inputs = 0;
  const auto specs = signature["input_specs"];
  for (const auto& spec : specs.list()) {
    const auto [kind, view] = spec.only();
    if (const auto role = roles.find(kind); role != roles.end()) {
      program.state.push_back({.role = role->second.first,
                               .name = view[role->second.second].text(),
                               .value = names.define(view["arg"]["name"])});
    } else if (kind == "user_input") {
      const auto [type, tensor] = view["arg"].only();
      if (type != "as_tensor" || ++inputs > 1)
        view.fail("expected a program of one input, a batch of images");
      program.input = port(graph, tensor, names.define(tensor["name"]));
    } else {
      view.fail(str("inputs of kind '", kind, "' are not supported"));
    }
  }
  if (inputs == 0) specs.fail("expected a program of one input, a batch of images");
}

void read_output(const JsonView& graph, const JsonView& signature, const Names& names,
                 Pt2Program& program) {
  int outputs = 0;
  const auto specs = signature["output_specs"];
  for (const auto& spec : specs.list()) {
    const auto [kind, view] = spec.only();
    if (kind == "buffer_mutation") view.fail(kTrainMode);
    if (kind != "user_output") view.fail(str("outputs of kind '", kind, "' are not supported"));
    const auto [type, tensor] = view["arg"].only();
    if (type != "as_tensor" || ++outputs > 1)
      view.fail("expected a program that returns one tensor, the logits");
    program.output = port(graph, tensor, names.use(tensor["name"]));
  }
  if (outputs == 0) specs.fail("expected a program that returns one tensor, the logits");
}

}  // namespace

DType pt2_dtype(const JsonView& code) {
  static const std::map<std::int64_t, DType> types{
      {1, DType::u8},  {2, DType::i8},  {3, DType::i16}, {4, DType::i32},      {5, DType::i64},
      {6, DType::f16}, {7, DType::f32}, {8, DType::f64}, {12, DType::boolean}, {13, DType::bf16}};
  const auto found = types.find(code.integer());
  if (found == types.end())
    code.fail(str("element type number ", code.integer(), " of the schema is not supported"));
  return found->second;
}

void read_pt2_graph(const JsonView& document, Pt2Program& program) {
  const auto version = document["schema_version"]["major"];
  if (version.integer() != kSchema)
    version.fail(str("schema version ", version.integer(), " is not read, only ", kSchema,
                     "; export again with torch 2.8 or later"));
  if (const auto torch = document.find("torch_version")) program.torch = torch->text();
  const auto module = document["graph_module"];
  const auto graph = module["graph"], signature = module["signature"];
  Names names;
  read_inputs(graph, signature, names, program);
  for (const auto& view : graph["nodes"].list()) program.nodes.push_back(node(view, names));
  read_output(graph, signature, names, program);
  program.value_count = names.size();
}

}  // namespace namid::io
