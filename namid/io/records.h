// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>

#include "namid/core/option_set.h"

namespace namid::io {

/// The present values as TOML: one [table] per section, each key under its help and range as a
/// comment. Reads back exactly by `apply_toml`.
std::string to_toml(const OptionSet& options);

/// Assigns every key of a TOML document. Numbers may be texts too ("8/255", "auto", large seeds).
/// Throws OptionError "<name>:<line>: ..." for broken syntax, an unknown section or key (with the
/// nearest one), a value of another type or out of range.
void apply_toml(const OptionSet& options, std::string_view text, const std::string& name);

/// The text of one value of a TOML document, as OptionEntry::set_text reads it; nothing if it is
/// not there. Throws OptionError for broken syntax.
std::optional<std::string> find_in_toml(std::string_view text, std::string_view path,
                                        const std::string& name);

/// The present values as JSON, nested by section; numbers read back exactly.
nlohmann::json to_json(const OptionSet& options);

/// Assigns every key of such a document; the counterpart of `apply_toml`, errors start with `name`.
void apply_json(const OptionSet& options, const nlohmann::json& record, const std::string& name);

}  // namespace namid::io
