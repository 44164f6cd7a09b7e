// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>

#include "namid/core/error.h"
#include "namid/report/report.h"

namespace namid::testing {

/// A run's report as text.
inline std::string page_of(const std::filesystem::path& run) {
  std::ifstream file(report::write_report(run), std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

/// The message of the DataError that a report ends in.
inline std::string data_error_of(const std::filesystem::path& run) {
  try {
    report::write_report(run);
  } catch (const DataError& error) {
    return error.what();
  }
  return "no error";
}

}  // namespace namid::testing
