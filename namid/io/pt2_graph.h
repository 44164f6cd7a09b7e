// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "namid/io/pt2.h"
#include "namid/io/pt2_json.h"

namespace namid::io {

/// The element type behind a number of the export schema. DataError for one without a DType.
DType pt2_dtype(const JsonView& code);

/// Fills `program` from models/NAME.json, but for types, shapes and storage of the state.
void read_pt2_graph(const JsonView& document, Pt2Program& program);

}  // namespace namid::io
