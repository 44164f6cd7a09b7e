// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>

#include "namid/eval/certification.h"

namespace namid::eval {

/// OptionError unless the sets of a certification are boxes, which VNN-LIB files can hold.
void check_export(const attacks::Budget& budget);

/// For complete verifiers: what is neither broken nor certified of a ledger with certificates, as
/// network.onnx, sample-<id>.vnnlib and instances.csv (network, question and seconds, as VNN-COMP
/// has it) in `target`, which is made. Returns the number of samples. ResourceError for trouble
/// with the folder.
std::int64_t export_unknown(const Certification& job, const std::filesystem::path& target);

}  // namespace namid::eval
