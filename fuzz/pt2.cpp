// SPDX-License-Identifier: Apache-2.0
#include "namid/io/pt2.h"

#include "fuzz/fuzz.h"
#include "namid/io/zip.h"

namespace {

using namespace namid;

void read(io::ByteSpan bytes) {
  const auto program = io::parse_pt2(bytes, "f", fuzz::kMaxContents);
  io::pt2_graph_sha256(program);
}

constexpr std::string_view kWeights =
    R"({"config":{"weight":{"path_name":"weight_0","is_param":true,"use_pickle":false,)"
    R"("tensor_meta":{"dtype":7,"storage_offset":{"as_int":0},"layout":7,)"
    R"("sizes":[{"as_int":3},{"as_int":2}],"strides":[{"as_int":2},{"as_int":1}]}}}})";

io::Bytes copy_of(std::string_view text) {
  const auto view = io::as_bytes(text);
  return {view.begin(), view.end()};
}

}  // namespace

/// A graph by itself is put into an archive with one weight of shape (3, 2), called `weight`: the
/// checksums of a mutated archive would not be right.
void namid::fuzz::parse(io::ByteSpan bytes) {
  if (!io::as_text(bytes).starts_with("{")) return read(bytes);
  read(
      io::encode_zip({{"f/data/weights/weight_0", io::Bytes(24)},
                      {"f/data/weights/model_weights_config.json", copy_of(kWeights)},
                      {"f/data/constants/model_constants_config.json", copy_of(R"({"config":{}})")},
                      {"f/models/model.json", {bytes.begin(), bytes.end()}},
                      {"f/archive_format", copy_of("pt2")},
                      {"f/archive_version", copy_of("0")},
                      {"f/byteorder", copy_of("little")}}));
}
