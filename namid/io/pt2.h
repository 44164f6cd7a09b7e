// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "namid/io/bytes.h"
#include "namid/io/safetensors.h"

// Programs of torch.export (`.pt2` archives, schema 8, as `torch.export.save` of torch 2.8 and
// later writes them) as plain data. Such an archive is a zip file of one folder:
//   archive_format, archive_version, byteorder      "pt2", "0", "little"
//   models/NAME.json                                the graph: nodes in order, each value named
//   once data/weights/NAME_weights_config.json           parameters and buffers: type, sizes,
//   strides data/weights/weight_N                           raw bytes of a storage; several may
//   share it data/constants/...                              the same for constants
//   data/sample_inputs/NAME.pt                      a pickle, which is never looked at
//   extra/...                                       files of the exporter
// Nothing of it is code, and nothing is run.

namespace namid::io {

/// A value of the graph, by its index in order of definition.
struct Pt2Value {
  std::size_t index = 0;
};
enum class Pt2MemoryFormat {
  contiguous = 1,
  channels_last = 2,
  channels_last_3d = 3,
  preserve = 4
};
struct Pt2Strided {};  ///< the only layout
struct Pt2Device {};   ///< any device; a program runs where its weights are

/// One argument, or one entry of a list of them; monostate is None. Texts are op options ("none").
using Pt2Item = std::variant<std::monostate, bool, std::int64_t, double, std::string, Pt2Value,
                             DType, Pt2MemoryFormat, Pt2Strided, Pt2Device>;

struct Pt2Argument {
  std::string name;  ///< as the operator's schema calls it
  bool is_list = false;
  std::vector<Pt2Item> items;  ///< exactly one unless it is a list
};

/// One result of a node: a value, a list of values, or nothing (no list and no values).
struct Pt2Result {
  bool is_list = false;
  std::vector<std::size_t> values;
};

struct Pt2Node {
  std::string name;    ///< "conv2d_3", for messages
  std::string target;  ///< "torch.ops.aten.conv2d.default", "_operator.mul"
  std::vector<Pt2Argument> arguments;
  std::vector<Pt2Result> results;
};

enum class Pt2Role { parameter, buffer, constant };

/// A tensor that the program brings. `storage` points into the bytes that were parsed; the element
/// (i, j, ...) stands at offset + i * strides[0] + j * strides[1] + ... elements, inside of it.
struct Pt2Tensor {
  Pt2Role role = Pt2Role::parameter;
  std::string name;       ///< "layer1.0.conv1.weight"
  std::size_t value = 0;  ///< its index in the graph
  DType dtype = DType::f32;
  std::vector<std::int64_t> sizes, strides;
  std::int64_t offset = 0;
  ByteSpan storage;
};

/// Images or logits. A dynamic extent has the size it had in the example of the export, 0 if that
/// is not said.
struct Pt2Port {
  struct Extent {
    std::int64_t size = 0;
    bool dynamic = false;
  };
  std::size_t value = 0;
  DType dtype = DType::f32;
  std::vector<Extent> extents;
};

struct Pt2Program {
  std::string name;              ///< of the archive's folder: the file's name when written
  std::string torch;             ///< version that wrote it
  std::string note;              ///< text of extra/namid.json; empty: there is none
  std::size_t value_count = 0;   ///< values are 0 ... value_count - 1, each defined once
  std::vector<Pt2Tensor> state;  ///< in the order of the graph's inputs
  Pt2Port input, output;         ///< the one tensor taken, the one tensor returned
  std::vector<Pt2Node> nodes;    ///< each uses only values defined before it
};

/// Cap on the graph's JSON text; nesting is capped at 64.
inline constexpr std::uint64_t kMaxPt2Json = std::uint64_t{64} << 20;

/// The program in the bytes of `file` (a name for messages). The bytes must outlive it. DataError
/// for what is damaged or cut off; for weights kept as pickles, other schemas, several models,
/// several inputs or outputs, values used before they are defined, tensors outside their storage
/// or of more than `max_bytes`; and for a program that changes its buffers, which is one exported
/// in train mode. Takes bytes alone: good for fuzzing.
Pt2Program parse_pt2(ByteSpan bytes, const std::string& file, std::uint64_t max_bytes = kMaxBytes);

/// Whether the bytes are a zip archive that calls itself a .pt2; throws nothing.
bool is_pt2(ByteSpan bytes);

/// SHA-256 (hexadecimal) of what the nodes compute: targets, arguments and wiring, roles, names,
/// types and shapes of the state. Names of values, source lines and the weights' values are not in
/// it.
std::string pt2_graph_sha256(const Pt2Program& program);

}  // namespace namid::io
