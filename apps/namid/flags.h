// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <CLI/CLI.hpp>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "namid/core/option_set.h"

namespace namid::app {

/// Command-line flags of an OptionSet: `--section-key`, `--key` where only one section has it,
/// `--section` for a section's "name", `--set section.key=value`, `--config FILE`. Precedence:
/// default < profile < file < flag.
class Flags {
 public:
  /// Adds the flags to `app`. The set's structs must outlive the parse.
  Flags(CLI::App& app, OptionSet set);
  /// After parsing: the file first, then flags, then --set; then `choose_defaults`, which may look
  /// at the values and change any, and all that was given once more, so that it wins. Throws
  /// OptionError for unknown flags (with the nearest match), keys and values.
  void apply(const std::function<void()>& choose_defaults = {}) const;

 private:
  void assign(const std::string& config) const;

  struct Given {
    std::string path;
    std::string text;
    CLI::Option* option;
  };

  CLI::App& app_;
  OptionSet set_;
  std::vector<std::unique_ptr<Given>> given_;
  std::unique_ptr<std::string> config_ = std::make_unique<std::string>();
  std::unique_ptr<std::vector<std::string>> assignments_ =
      std::make_unique<std::vector<std::string>>();
};

/// The value that `arguments` give the option, by the precedence of Flags; nothing if none does.
/// For options that decide which flags there are, before there are any to parse.
std::optional<std::string> find_given(const OptionEntry& entry,
                                      std::span<const std::string> arguments);

/// Throws OptionError naming the first argument of `app` that no option took, with the nearest
/// flag.
void refuse_extras(const CLI::App& app);

}  // namespace namid::app
