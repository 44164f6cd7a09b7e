// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "io/corruption.h"
#include "namid/io/pt2.h"
#include "namid/io/zip.h"

// A small program of torch.export, by hand, so that each part can be spoilt.

namespace namid::testing::pt2 {

using io::as_bytes;
using io::Bytes;
using io::encode_zip;
using io::parse_pt2;
using nlohmann::json;

inline json tensor_meta(const std::vector<std::int64_t>& sizes,
                        const std::vector<std::int64_t>& strides) {
  json meta{{"dtype", 7},
            {"storage_offset", {{"as_int", 0}}},
            {"layout", 7},
            {"sizes", json::array()},
            {"strides", json::array()}};
  for (const auto size : sizes) meta["sizes"].push_back({{"as_int", size}});
  for (const auto stride : strides) meta["strides"].push_back({{"as_int", stride}});
  return meta;
}

inline json tensor(const std::string& name) {
  return {{"as_tensor", {{"name", name}}}};
}

inline json named(const std::string& name, const json& argument) {
  return {{"name", name}, {"arg", argument}, {"kind", 1}};
}

/// y = linear(x.reshape(batch, -1), w) + 0.5 for images of 2 numbers and 3 classes: what
/// torch.export writes, by hand, so that each part can be spoilt.
struct Parts {
  json graph, weights, constants;
  std::vector<std::pair<std::string, Bytes>> extra;
  std::string format = "pt2", version = "0", order = "little", root = "net/";
  Bytes storage = Bytes(24, std::byte{1});

  Parts() {
    const json batch{{"as_expr", {{"expr_str", "s0"}, {"hint", {{"as_int", 2}}}}}};
    json image = tensor_meta({1, 2}, {2, 1}), logits = tensor_meta({1, 3}, {3, 1});
    image["sizes"][0] = logits["sizes"][0] = batch;
    const json nodes{
        {{"target", "torch.ops.aten.sym_size.int"},
         {"inputs", {named("self", tensor("x")), named("dim", {{"as_int", 0}})}},
         {"outputs", json::array({{{"as_sym_int", {{"as_name", "n"}}}}})},
         {"metadata", {{"stack_trace", "somewhere"}}},
         {"name", "n"}},
        {{"target", "torch.ops.aten.reshape.default"},
         {"inputs",
          {named("self", tensor("x")),
           named("shape", {{"as_sym_ints", {{{"as_name", "n"}}, {{"as_int", -1}}}}})}},
         {"outputs", json::array({tensor("flat")})},
         {"name", "flat"}},
        {{"target", "torch.ops.aten.linear.default"},
         {"inputs", {named("input", tensor("flat")), named("weight", tensor("p_w"))}},
         {"outputs", json::array({tensor("linear")})},
         {"name", "linear"}},
        {{"target", "torch.ops.aten.add.Tensor"},
         {"inputs", {named("self", tensor("linear")), named("other", {{"as_float", 0.5}})}},
         {"outputs", json::array({tensor("y")})},
         {"name", "y"}}};
    graph = {{"schema_version", {{"major", 8}, {"minor", 20}}},
             {"torch_version", "2.13.0"},
             {"graph_module",
              {{"graph", {{"nodes", nodes}, {"tensor_values", {{"x", image}, {"y", logits}}}}},
               {"signature",
                {{"input_specs",
                  {{{"parameter", {{"arg", {{"name", "p_w"}}}, {"parameter_name", "w"}}}},
                   {{"user_input", {{"arg", tensor("x")}}}}}},
                 {"output_specs", json::array({{{"user_output", {{"arg", tensor("y")}}}}})}}}}}};
    weights = {{"config",
                {{"w",
                  {{"path_name", "weight_0"},
                   {"is_param", true},
                   {"use_pickle", false},
                   {"tensor_meta", tensor_meta({3, 2}, {2, 1})}}}}}};
    constants = {{"config", json::object()}};
  }

  json& nodes() { return graph["graph_module"]["graph"]["nodes"]; }
  json& signature() { return graph["graph_module"]["signature"]; }
  json& weight() { return weights["config"]["w"]; }

  Bytes bytes() const {
    const auto text = [](const std::string& content) {
      const auto view = as_bytes(content);
      return Bytes(view.begin(), view.end());
    };
    std::vector<std::pair<std::string, Bytes>> members{
        {root + "data/weights/weight_0", storage},
        {root + "data/weights/model_weights_config.json", text(weights.dump())},
        {root + "data/constants/model_constants_config.json", text(constants.dump())},
        {root + "models/model.json", text(graph.dump())},
        {root + "archive_format", text(format)},
        {root + "archive_version", text(version)},
        {root + "byteorder", text(order)}};
    for (const auto& [name, content] : extra) members.emplace_back(root + name, content);
    return encode_zip(members);
  }
  std::string message() const {
    const auto file = bytes();
    return message_of([&] { parse_pt2(file, "net.pt2"); });
  }
};

}  // namespace namid::testing::pt2
