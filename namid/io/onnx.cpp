// SPDX-License-Identifier: Apache-2.0
#include "namid/io/onnx.h"

#include "namid/core/version.h"
#include "namid/io/protobuf.h"

// Field numbers are those of onnx.proto of ONNX 1.8 (IR version 7) and later.

namespace namid::io {
namespace {

constexpr std::int64_t kIrVersion = 8, kOperatorSet = 13, kFloat = 1;

/// AttributeProto { name = 1; f = 2; i = 3; ints = 8; type = 20 }, types FLOAT 1, INT 2, INTS 7.
std::string attribute(const std::string& name, const OnnxValue& value) {
  ProtobufWriter out;
  out.bytes(1, name);
  if (const auto* number = std::get_if<float>(&value))
    return out.number(2, *number).varint(20, 1).text();
  if (const auto* integer = std::get_if<std::int64_t>(&value))
    return out.varint(3, *integer).varint(20, 2).text();
  for (const auto entry : std::get<std::vector<std::int64_t>>(value)) out.varint(8, entry);
  return out.varint(20, 7).text();
}

/// NodeProto { input = 1; output = 2; name = 3; op_type = 4; attribute = 5 }
std::string node(const OnnxNode& node) {
  ProtobufWriter out;
  for (const auto& input : node.inputs) out.bytes(1, input);
  for (const auto& output : node.outputs) out.bytes(2, output);
  out.bytes(3, node.name).bytes(4, node.type);
  for (const auto& [name, value] : node.attributes) out.bytes(5, attribute(name, value));
  return out.text();
}

/// TensorProto { dims = 1; data_type = 2; name = 8; raw_data = 9 }
std::string initializer(const OnnxTensor& tensor) {
  ProtobufWriter out;
  for (const auto extent : tensor.shape) out.varint(1, extent);
  return out.varint(2, kFloat)
      .bytes(8, tensor.name)
      .bytes(9, {reinterpret_cast<const char*>(tensor.values.data()),
                 tensor.values.size() * sizeof(float)})
      .text();
}

/// ValueInfoProto { name = 1; type = 2 { tensor_type = 1 { elem_type = 1; shape = 2 { dim = 1 {
/// dim_value = 1 } } } } }
std::string port(const OnnxTensor& tensor) {
  ProtobufWriter shape, type, holder, out;
  for (const auto extent : tensor.shape) shape.bytes(1, ProtobufWriter().varint(1, extent).text());
  type.varint(1, kFloat).bytes(2, shape.text());
  holder.bytes(1, type.text());
  return out.bytes(1, tensor.name).bytes(2, holder.text()).text();
}

}  // namespace

std::string write_onnx(const OnnxModel& model) {
  ProtobufWriter
      graph;  // GraphProto { node = 1; name = 2; initializer = 5; input = 11; output = 12 }
  for (const auto& entry : model.nodes) graph.bytes(1, node(entry));
  graph.bytes(2, model.name);
  for (const auto& tensor : model.weights) graph.bytes(5, initializer(tensor));
  graph.bytes(11, port(model.input)).bytes(12, port(model.output));
  const auto operators = ProtobufWriter().bytes(1, "").varint(2, kOperatorSet).text();
  ProtobufWriter
      out;  // ModelProto { ir_version = 1; producer = 2, 3; graph = 7; opset_import = 8 }
  return out.varint(1, kIrVersion)
      .bytes(2, "namid")
      .bytes(3, version())
      .bytes(7, graph.text())
      .bytes(8, operators)
      .text();
}

}  // namespace namid::io
