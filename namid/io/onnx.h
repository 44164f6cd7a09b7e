// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace namid::io {

/// A float32 tensor of an ONNX model: an initializer, or with no values an input or output.
struct OnnxTensor {
  std::string name;
  std::vector<std::int64_t> shape;
  std::vector<float> values = {};
};

using OnnxValue = std::variant<std::int64_t, float, std::vector<std::int64_t>>;

struct OnnxNode {
  std::string type;  ///< "Conv"
  std::string name;
  std::vector<std::string> inputs, outputs;
  std::vector<std::pair<std::string, OnnxValue>> attributes = {};
};

/// A model of one input and one output, nodes in an order in which inputs come first.
struct OnnxModel {
  std::string name;
  OnnxTensor input, output;
  std::vector<OnnxNode> nodes;
  std::vector<OnnxTensor> weights;
};

/// The bytes of a .onnx file: IR version 8, operator set 13. Nothing is checked.
std::string write_onnx(const OnnxModel& model);

}  // namespace namid::io
