// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "namid/core/option_set.h"

namespace namid::io {

/// A value as a document holds it, with its text as `OptionEntry::set_text` reads it.
struct Literal {
  enum class Kind { boolean, integer, number, text, list, other };
  Kind kind = Kind::other;
  std::string text = {};
};

/// Joins the items of a list; `other` if one of them is a list, a truth value or holds a comma.
class ListLiteral {
 public:
  void add(const Literal& item);
  Literal take() const { return valid_ ? Literal{Literal::Kind::list, text_} : Literal{}; }

 private:
  std::string text_;
  bool valid_ = true, first_ = true;
};

/// Assigns the literal if its kind fits the entry's type; OptionError "[section] key: ..."
/// otherwise.
void assign(const OptionEntry& entry, const Literal& literal);

/// The entry of exactly this path. Throws OptionError with the nearest path.
const OptionEntry& exact_entry(const OptionSet& options, const std::string& path);

/// Throws OptionError if no option lies in `section` or below it.
void check_section(const OptionSet& options, const std::string& section);

}  // namespace namid::io
