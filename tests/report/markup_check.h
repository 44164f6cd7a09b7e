// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace namid::testing {

/// Checks a page as a reader's parser sees it, with code of its own: every tag closed in order,
/// every attribute quoted, no bare < or &. Returns the first fault, empty if there is none;
/// collects element names and attribute names and values.
class MarkupCheck {
 public:
  std::vector<std::string> elements, attribute_names, attribute_values;

  std::string run(std::string_view page) {
    while (!page.empty()) {
      if (page[0] == '<') {
        const std::string fault = tag(page);
        if (!fault.empty()) return fault;
      } else if (page[0] == '&' && !starts_reference(page)) {
        return "bare & before: " + std::string(page.substr(0, 30));
      } else {
        page.remove_prefix(1);
      }
    }
    return open_.empty() ? "" : "never closed: " + open_.back();
  }

 private:
  static bool starts_reference(std::string_view text) {
    for (const std::string_view known : {"&amp;", "&lt;", "&gt;", "&quot;", "&#39;"}) {
      if (text.starts_with(known)) return true;
    }
    return false;
  }

  std::string tag(std::string_view& page) {
    const auto end = page.find('>');
    if (end == std::string_view::npos) return "tag without end";
    std::string_view body = page.substr(1, end - 1);
    page.remove_prefix(end + 1);
    if (body == "!DOCTYPE html") return "";
    if (body.starts_with('/')) return closing(body.substr(1));
    const bool is_empty = body.ends_with('/');
    if (is_empty) body.remove_suffix(1);
    const auto name_end = body.find(' ');
    elements.emplace_back(body.substr(0, name_end));
    if (!is_empty) open_.push_back(elements.back());
    return attributes(name_end == std::string_view::npos ? "" : body.substr(name_end));
  }

  std::string closing(std::string_view name) {
    if (open_.empty() || open_.back() != name) return "closes out of order: " + std::string(name);
    open_.pop_back();
    return "";
  }

  std::string attributes(std::string_view rest) {
    while (!rest.empty()) {
      const auto quote = rest.find("=\"");
      if (rest[0] != ' ' || quote == std::string_view::npos) return "bad attribute";
      const auto end = rest.find('"', quote + 2);
      if (end == std::string_view::npos) return "attribute without end";
      attribute_names.emplace_back(rest.substr(1, quote - 1));
      attribute_values.emplace_back(rest.substr(quote + 2, end - quote - 2));
      if (attribute_values.back().find('<') != std::string::npos) return "< in attribute";
      rest.remove_prefix(end + 1);
    }
    return "";
  }

  std::vector<std::string> open_;
};

inline std::string markup_fault(std::string_view page) {
  return MarkupCheck().run(page);
}

}  // namespace namid::testing
