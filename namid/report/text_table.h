// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "namid/report/report.h"

namespace namid::report {

/// Lines of cells, all of one length; the first line is the header.
using TableLines = std::vector<std::vector<std::string>>;

/// The lines in columns of text, or as a Markdown table whose source is aligned too.
std::string text_table(const TableLines& lines, TableFormat format);

}  // namespace namid::report
