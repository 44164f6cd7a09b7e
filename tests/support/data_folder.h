// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>

namespace namid::testing {

/// The folder of local test data, from NAMID_TEST_DATA; empty if unset.
inline std::filesystem::path data_folder() {
  const char* folder = std::getenv("NAMID_TEST_DATA");
  return folder ? std::filesystem::path(folder) : std::filesystem::path();
}

}  // namespace namid::testing

/// First line of a test that reads local data.
#define NAMID_NEEDS_DATA()                        \
  if (::namid::testing::data_folder().empty()) {  \
    GTEST_SKIP() << "NAMID_TEST_DATA is not set"; \
  }
