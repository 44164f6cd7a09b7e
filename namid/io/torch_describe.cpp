// SPDX-License-Identifier: Apache-2.0
#include "namid/core/format.h"
#include "namid/io/text.h"
#include "namid/io/torch_tree.h"

namespace namid::io {
namespace {

constexpr std::size_t kLongest = 100;
constexpr std::size_t kShownItems = 8;

std::string shortened(std::string_view text) {
  if (text.size() <= kLongest) return printable(text);
  return printable(text.substr(0, kLongest - 3)).substr(0, kLongest - 3) + "...";
}

std::string hex_of(std::string_view little_endian) {
  std::string text;
  for (const char c : little_endian) {
    const auto byte = static_cast<unsigned char>(c);
    text.insert(0, {"0123456789abcdef"[byte >> 4], "0123456789abcdef"[byte & 15]});
  }
  return "0x" + text;
}

std::string describe_at(const Pickle& pickle, PickleId id, int depth);

std::string list_of(const Pickle& pickle, const std::vector<PickleId>& items, const char* brackets,
                    int depth) {
  if (depth == 0 && !items.empty())
    return str(brackets[0], items.size(), items.size() == 1 ? " item" : " items", brackets[1]);
  std::string text(1, brackets[0]);
  for (std::size_t i = 0; i < items.size() && text.size() < kLongest; ++i) {
    if (i == kShownItems) return text + str(", ... ", items.size(), " items", brackets[1]);
    text += (i == 0 ? "" : ", ") + describe_at(pickle, items[i], depth - 1);
  }
  return text + brackets[1];
}

/// The older form names the classes of modules by persistent ids.
std::string persistent_text(const Pickle& pickle, const PickleValue& value) {
  const auto& items = pickle[value.items[0]].items;
  const bool is_class = items.size() == 4 && pickle[items[1]].kind == PickleKind::global;
  return is_class ? global_name(pickle[items[1]]) : "a storage";
}

std::string describe_at(const Pickle& pickle, PickleId id, int depth) {
  const auto& value = pickle[id];
  switch (value.kind) {
    case PickleKind::none:
      return "None";
    case PickleKind::boolean:
      return value.integer != 0 ? "True" : "False";
    case PickleKind::integer:
      return std::to_string(value.integer);
    case PickleKind::big_integer:
      return hex_of(value.text);
    case PickleKind::number:
      return shortest(value.number);
    case PickleKind::bytes:
      return str("b'", shortened(value.text), "'");
    case PickleKind::text:
      return str("'", shortened(value.text), "'");
    case PickleKind::list:
      return list_of(pickle, value.items, "[]", depth);
    case PickleKind::set:
      return list_of(pickle, value.items, "{}", depth);
    case PickleKind::tuple:
      return list_of(pickle, value.items, "()", depth);
    case PickleKind::dict:
      return str("{", value.items.size() / 2, value.items.size() == 2 ? " key}" : " keys}");
    case PickleKind::global:
      return global_name(value);
    case PickleKind::persistent:
      return persistent_text(pickle, value);
    case PickleKind::call:
      break;
  }
  if (depth == 0) return "an object";
  return describe_at(pickle, value.items[0], depth - 1) +
         list_of(pickle, pickle[value.items[1]].items, "()", depth - 1);
}

}  // namespace

std::string describe(const Pickle& pickle, PickleId id) {
  return shortened(describe_at(pickle, id, 2));
}

std::string global_name(const PickleValue& global) {
  auto name = shortened(global.text);
  if (const auto space = name.find(' '); space != std::string::npos) name[space] = '.';
  return name;
}

}  // namespace namid::io
