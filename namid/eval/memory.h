// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>

#include "namid/data/dataset.h"
#include "namid/models/classifier.h"

namespace namid::eval {

/// Bytes of "2G", "512M", "800k" (powers of 1024) or a plain number; OptionError for anything else.
std::int64_t parse_bytes(const std::string& text);

/// The largest compute batch, at most `asked`, that keeps the process within `max_memory` (as
/// parse_bytes; empty: no limit): the memory it holds now, plus the largest that forward and input
/// gradient hold at once on one row and on two, extrapolated, plus an attack's own copies of the
/// batch. A multiple of 16 where it is above 16. OptionError if not even one row fits.
int fitting_compute_batch(const models::Classifier& model, const data::Dataset& dataset, int asked,
                          const std::string& max_memory);

}  // namespace namid::eval
