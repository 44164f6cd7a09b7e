// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "namid/io/cifar.h"

namespace namid::io {

/// Parses a file of CIFAR's python version: a pickled dict with `data`, a uint8 array (N, 3072),
/// and `labels` or `fine_labels`. The pickle is read inertly. DataError as for parse_cifar.
CifarBatch parse_cifar_python(ByteSpan bytes, const std::string& name, Cifar kind);

/// The class names in batches.meta (`label_names`) or meta (`fine_label_names`).
std::vector<std::string> parse_cifar_names(ByteSpan bytes, const std::string& name, Cifar kind);

}  // namespace namid::io
