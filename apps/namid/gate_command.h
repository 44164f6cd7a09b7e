// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <CLI/CLI.hpp>

namespace namid::app {

/// `namid gate`: whether a finished evaluation shows claims, and keeps within a drop from a
/// baseline.
void add_gate(CLI::App& app);

}  // namespace namid::app
