// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "namid/report/report.h"
#include "namid/report/results.h"

namespace namid::report {

/// The comparison of rows that are already read; see report.h.
std::string format_rows(const std::vector<ResultRow>& rows, TableFormat format);

}  // namespace namid::report
