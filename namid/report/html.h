// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace namid::report {

/// `text` for element content and quoted attribute values: & < > " ' become references; bytes that
/// are no UTF-8, control characters and bidirectional overrides become U+FFFD.
std::string escape(std::string_view text);

struct Attribute {
  std::string_view name;
  std::string value;
};
using Attributes = std::initializer_list<Attribute>;

/// Writes HTML with inline SVG that is also well-formed XML. There is no way to write raw markup:
/// text and attribute values are escaped, and names are checked. std::logic_error (a defect of the
/// caller, never of the data) for a script, frame, form or link-loading element, an event
/// attribute, and an href or src that is neither an anchor of this page nor a PNG in a data URL.
class Html {
 public:
  Html& open(std::string_view tag, Attributes attributes = {});
  Html& close();  ///< the innermost open element
  Html& text(std::string_view content);
  Html& empty(std::string_view tag, Attributes attributes = {});
  /// open, text, close
  Html& element(std::string_view tag, std::string_view content, Attributes attributes = {});
  /// Another writer's finished content; std::logic_error if it has open elements.
  Html& append(const Html& part);

  bool is_empty() const { return out_.empty(); }
  /// The markup; std::logic_error if an element is still open.
  const std::string& markup() const;

 private:
  void start(std::string_view tag, Attributes attributes);
  std::string out_;
  std::vector<std::string> open_;
};

/// A whole document: doctype, language, character set, viewport, a policy that forbids everything
/// but inline styles and images in data URLs, title, style sheet, body.
std::string html_page(std::string_view title, std::string_view style, const Html& body);

}  // namespace namid::report
