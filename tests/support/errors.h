// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <exception>
#include <functional>
#include <string>

namespace namid::testing {

/// The message of the Error that `action` throws; "no such error" if it throws none.
template <class Error = std::exception>
std::string message_of(const std::function<void()>& action) {
  try {
    action();
  } catch (const Error& error) {
    return error.what();
  }
  return "no such error";
}

}  // namespace namid::testing
