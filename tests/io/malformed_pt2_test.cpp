// SPDX-License-Identifier: Apache-2.0
// Programs of torch.export that are damaged or hostile; see malformed.h for what is promised.
#include "io/malformed.h"
#include "io/pt2_parts.h"
#include "namid/core/format.h"

namespace namid::io {
namespace {

using namespace testing;  // NOLINT(google-build-using-namespace): the builders of bad files
using nlohmann::json;
using testing::pt2::Parts;
using testing::pt2::tensor_meta;

void read_program(ByteSpan bytes, const std::string& name) {
  const auto program = parse_pt2(bytes, name, kCap);
  pt2_graph_sha256(program);
}

/// The small program with one part changed.
template <typename Change>
Bytes with(const Change& change) {
  Parts parts;
  change(parts);
  return parts.bytes();
}

/// The same with another text for the graph.
Bytes of_graph(const std::string& text) {
  const auto fill = [](const std::string& content) { return to_bytes(content); };
  return encode_zip({{"n/models/model.json", fill(text)},
                     {"n/data/weights/model_weights_config.json", fill(R"({"config":{}})")},
                     {"n/data/constants/model_constants_config.json", fill(R"({"config":{}})")},
                     {"n/archive_format", fill("pt2")},
                     {"n/archive_version", fill("0")},
                     {"n/byteorder", fill("little")}});
}

TEST(Malformed, ProgramArchives) {
  const auto good = Parts().bytes();
  auto cut = good, flipped_weight = good, flipped_graph = good, long_name = good;
  cut.resize(cut.size() - 12);
  flipped_weight.at(find_nth(flipped_weight, std::string(24, '\1'), 0) + 7) ^= std::byte{16};
  flipped_graph.at(find_nth(flipped_graph, "aten.linear", 0) + 5) ^= std::byte{1};
  const auto member = [](const std::string& name, const Bytes& content) {
    return with([&](Parts& parts) { parts.extra.emplace_back(name, content); });
  };
  expect_harmless(
      {{"good.pt2", good, ""},
       {"empty.pt2", {}, "empty.pt2"},
       {"signature-alone.pt2", to_bytes("PK\x03\x04"), "expected a zip archive"},
       {"cut.pt2", cut, "cut off"},
       {"flipped-weight.pt2", flipped_weight, "checksum"},
       {"flipped-graph.pt2", flipped_graph, "checksum"},
       {"bomb.pt2", deflated("n/models/model.json", 1 << 20, 60 << 20), "bomb.pt2"},
       {"bomb-hidden.pt2", deflated("n/models/model.json", 48 << 20, 100), "bomb-hidden.pt2"},
       {"twice.pt2", member("models/model.json", to_bytes("{}")), "twice"},
       {"second-model.pt2", member("models/other.json", to_bytes("{}")), "several models"},
       {"pickle-beside.pt2", member("data/sample_inputs/model.pt", to_bytes("cos\nsystem\n")), ""},
       {"pickled-weights.pt2", with([](Parts& parts) { parts.weight()["use_pickle"] = true; }),
        "pickle"},
       {"climbing-path.pt2",
        with([](Parts& parts) { parts.weight()["path_name"] = "../../../../etc/passwd"; }),
        "missing"}},
      read_program);
}

TEST(Malformed, WeightsOfPrograms) {
  constexpr std::int64_t kHuge = std::int64_t{1} << 40;
  const auto shaped = [](const json& meta) {
    return with([&](Parts& parts) { parts.weight()["tensor_meta"] = meta; });
  };
  const auto changed = [](const char* key, const json& value) {
    return with([&](Parts& parts) { parts.weight()["tensor_meta"][key] = value; });
  };
  const auto ones = [&](std::size_t dimensions) {
    const std::vector<std::int64_t> each(dimensions, 1);
    return shaped(tensor_meta(each, each));
  };
  expect_harmless(
      {{"short-storage.pt2", with([](Parts& parts) { parts.storage.resize(20); }), "has 20"},
       {"beyond.pt2", shaped(tensor_meta({4, 2}, {2, 1})), "needs 32 bytes"},
       {"overflow.pt2", shaped(tensor_meta({kHuge, kHuge}, {0, 0})), "overflow.pt2"},
       {"stride-overflow.pt2", shaped(tensor_meta({2, kHuge}, {kHuge, kHuge})), "overflow.pt2"},
       {"repeated-number.pt2", shaped(tensor_meta({kHuge}, {0})), "repeated-number.pt2"},
       {"backwards.pt2", shaped(tensor_meta({3, 2}, {2, -1})), "got -1"},
       {"negative-size.pt2", shaped(tensor_meta({-3, -2}, {2, 1})), "got -3"},
       {"offset.pt2", changed("storage_offset", {{"as_int", kHuge}}), "beyond its storage"},
       {"offset-2^63.pt2", changed("storage_offset", {{"as_int", ~std::uint64_t{0}}}),
        "offset-2^63"},
       {"fraction.pt2", changed("sizes", json::array({{{"as_int", 1.5}}})), "sizes[0]"},
       {"65-dimensions.pt2", ones(65), "at most 64 dimensions, got 65"},
       {"20000-dimensions.pt2", ones(20'000), "at most 64 dimensions"},
       {"many-dimensions.pt2", ones(100'000), "more values than a file of this size"}},
      read_program);
}

TEST(Malformed, GraphsOfPrograms) {
  const auto nodes = [](const json& list) {
    return with([&](Parts& parts) { parts.nodes() = list; });
  };
  const auto deep = [](int levels) { return repeated("[", levels) + repeated("]", levels); };
  const auto cycle = with([](Parts& parts) { std::swap(parts.nodes()[1], parts.nodes()[2]); });
  expect_harmless(
      {{"no-json.pt2", of_graph("graph"), "no-json.pt2[n/models/model.json]"},
       {"cut-json.pt2", of_graph(R"({"graph_module":{"graph":)"), "cut-json.pt2[n/models"},
       {"list.pt2", of_graph("[]"), "list.pt2[n/models"},
       {"deep.pt2", of_graph(deep(1'000'000)), "deeper than 64"},
       {"deep-object.pt2", of_graph(repeated("{\"a\":", 500'000)), "deeper than 64"},
       {"utf8.pt2", of_graph("{\"\xff\xfe\":1}"), "utf8.pt2[n/models"},
       {"twice-key.pt2", of_graph(R"({"graph_module":1,"graph_module":{}})"),
        "'graph_module' is there twice"},
       {"no-nodes.pt2", nodes(json::array()), "no-nodes.pt2"},
       {"number-nodes.pt2", nodes(7), "expected a list"},
       {"many-empty-nodes.pt2", nodes(json(std::vector<json>(90'000, json::object()))), "nodes[0]"},
       {"values.pt2", of_graph("[" + repeated("{},", 1'000'000) + "0]"), "more values than"},
       {"words.pt2", of_graph("[" + repeated("\"0123456789abcdef\",", 90'000) + "0]"), "words.pt2"},
       {"cycle.pt2", cycle, "before it is defined"}},
      read_program);
}

}  // namespace
}  // namespace namid::io
