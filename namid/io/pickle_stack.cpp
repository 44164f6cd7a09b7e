// SPDX-License-Identifier: Apache-2.0
// What the instructions of pickle_machine.cpp do to stack and values.
#include "namid/core/format.h"
#include "namid/io/pickle_machine.h"

namespace namid::io {
namespace {

/// UTF-8 of characters up to U+00FF to one byte each; false if there are others.
bool to_latin1(std::string_view utf8, std::string& out) {
  out.reserve(utf8.size());
  for (std::size_t i = 0; i < utf8.size(); ++i) {
    const auto c = static_cast<unsigned char>(utf8[i]);
    if (c < 0x80) {
      out += utf8[i];
    } else if ((c == 0xc2 || c == 0xc3) && i + 1 < utf8.size()) {
      out += static_cast<char>((c & 3) << 6 | (static_cast<unsigned char>(utf8[++i]) & 0x3f));
    } else {
      return false;
    }
  }
  return true;
}

}  // namespace

/// Items of a value that is no call; a call has its own behind callable, arguments and state.
inline constexpr std::size_t kState = 2, kContents = 3;
constexpr std::size_t kLongestInteger = 64;

void PickleMachine::push(PickleId id) {
  if (++pushes_ > 2 * max_objects_)
    cursor_.fail(str("expected at most ", max_objects_, " objects"));
  stack_.push_back(id);
}

PickleId PickleMachine::keep(PickleValue value) {
  if (values_.size() >= max_objects_)
    cursor_.fail(str("expected at most ", max_objects_, " objects"));
  values_.push_back(std::move(value));
  return static_cast<PickleId>(values_.size() - 1);
}

std::string_view PickleMachine::own(std::string text) {
  owned_bytes_ += text.size();
  if (owned_bytes_ > max_owned_)
    cursor_.fail("the texts of the pickle add up to more than its file");
  return owned_.emplace_back(std::move(text));
}

void PickleMachine::make(PickleValue value) {
  push(keep(std::move(value)));
}

void PickleMachine::make_integer(std::int64_t value) {
  make({PickleKind::integer, value});
}

void PickleMachine::make_long(std::uint64_t length) {
  if (length > kLongestInteger)
    cursor_.fail(str("expected an integer of at most ", kLongestInteger, " bytes"));
  const auto bytes = cursor_.take(length, "integer");
  if (length > 8) return make({PickleKind::big_integer, 0, 0, as_text(bytes)});
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < length; ++i)
    value |= std::to_integer<std::uint64_t>(bytes[i]) << 8 * i;
  if (length > 0 && length < 8 && value >> (8 * length - 1))
    value |= ~std::uint64_t{0} << 8 * length;
  make_integer(static_cast<std::int64_t>(value));
}

void PickleMachine::make_text(PickleKind kind, std::uint64_t length) {
  make({kind, 0, 0, as_text(cursor_.take(length, "text"))});
}

void PickleMachine::make_tuple(std::size_t count) {
  make({PickleKind::tuple, 0, 0, {}, pop_last(count)});
}

void PickleMachine::make_global(std::string_view module, std::string_view name) {
  make({PickleKind::global, 0, 0, own(str(module, " ", name))});
}

PickleId PickleMachine::pop() {
  return pop_last(1)[0];
}

std::vector<PickleId> PickleMachine::pop_last(std::size_t count) {
  const auto floor = marks_.empty() ? 0 : marks_.back();
  if (stack_.size() < floor + count) cursor_.fail("the pickle takes more than is on the stack");
  const auto first = stack_.end() - static_cast<std::ptrdiff_t>(count);
  std::vector<PickleId> items(first, stack_.end());
  stack_.erase(first, stack_.end());
  return items;
}

std::vector<PickleId> PickleMachine::pop_to_mark() {
  if (marks_.empty()) cursor_.fail("expected a mark on the stack");
  const auto count = stack_.size() - marks_.back();
  auto items = pop_last(count);
  marks_.pop_back();
  return items;
}

/// Where what is added to the top of the stack goes: a subclass of list or dict, which stands here
/// as the call that makes it, gets a list or dict of its own.
std::vector<PickleId>& PickleMachine::items_of_top(PickleKind kind) {
  const auto floor = marks_.empty() ? 0 : marks_.back();
  if (stack_.size() <= floor) cursor_.fail("expected a container to add to, the stack is empty");
  auto id = stack_.back();
  if (values_[id].kind == PickleKind::call) {
    auto& call = values_[id].items;
    if (call.size() <= kState) call.push_back(keep({}));
    if (call.size() <= kContents) call.push_back(keep({kind}));
    id = call[kContents];
  }
  if (values_[id].kind != kind)
    cursor_.fail(str("expected a ",
                     kind == PickleKind::list   ? "list"
                     : kind == PickleKind::dict ? "dict"
                                                : "set",
                     " to add to"));
  return values_[id].items;
}

void PickleMachine::add_items(PickleKind kind, const std::vector<PickleId>& items) {
  auto& to = items_of_top(kind);
  if (kind == PickleKind::dict && items.size() % 2 != 0)
    cursor_.fail("expected a value for each key");
  to.insert(to.end(), items.begin(), items.end());
}

std::string_view PickleMachine::line() {
  const auto rest = as_text(cursor_.rest());
  const auto end = rest.find('\n');
  if (end == std::string_view::npos) cursor_.fail("expected the end of a line");
  cursor_.take(end + 1, "line");
  return rest.substr(0, end);
}

void PickleMachine::call(bool is_new_object) {
  const auto items = pop_last(2);
  if (values_[items[1]].kind != PickleKind::tuple) cursor_.fail("expected a tuple of arguments");
  if (!is_new_object && values_[items[0]].kind == PickleKind::global &&
      carry_out(values_[items[0]].text, values_[items[1]].items))
    return;
  make({PickleKind::call, 0, 0, {}, items});
}

bool PickleMachine::carry_out(std::string_view callable, const std::vector<PickleId>& arguments) {
  const auto is_builtin = [&](std::string_view name) {
    return callable.ends_with(name) &&
           (callable == str("builtins ", name) || callable == str("__builtin__ ", name));
  };
  const auto count = arguments.size();
  if (callable == "collections defaultdict" ||
      (callable == "collections OrderedDict" && count == 0)) {
    make({PickleKind::dict});
    return true;
  }
  if (callable == "collections OrderedDict" && count == 1) {
    make_dict_of(arguments[0]);
    return true;
  }
  if (callable == "collections Counter" && count == 1 &&
      values_[arguments[0]].kind == PickleKind::dict) {
    push(arguments[0]);
    return true;
  }
  if (is_builtin("set") || is_builtin("frozenset")) {
    if (count == 0) make({PickleKind::set});
    if (count == 1)
      push(arguments[0]);  // the list of its items; a copy could be made again and again
    if (count <= 1) return true;
  }
  if (callable != "_codecs encode" || count != 2) return false;
  encode_latin1(arguments[0], arguments[1]);
  return true;
}

/// OrderedDict([[key, value], ...]), as Python 2 writes it.
void PickleMachine::make_dict_of(PickleId pairs) {
  if (const auto known = made_of_.find(pairs); known != made_of_.end()) return push(known->second);
  PickleValue dict{PickleKind::dict};
  for (const auto pair : values_[pairs].items) {
    const auto& items = values_[pair].items;
    if (items.size() != 2) cursor_.fail("expected pairs of key and value");
    dict.items.insert(dict.items.end(), items.begin(), items.end());
  }
  make(std::move(dict));
  made_of_[pairs] = stack_.back();
}

void PickleMachine::encode_latin1(PickleId from, PickleId encoding) {
  if (values_[from].kind != PickleKind::text || values_[encoding].text != "latin1")
    cursor_.fail("expected a text to encode as latin1");
  if (const auto known = made_of_.find(from); known != made_of_.end()) return push(known->second);
  std::string bytes;
  if (!to_latin1(values_[from].text, bytes)) cursor_.fail("expected a text of latin1 characters");
  make({PickleKind::bytes, 0, 0, own(std::move(bytes))});
  made_of_[from] = stack_.back();
}

/// The attributes of a dict or set, as the OrderedDicts of state dicts have, are dropped.
void PickleMachine::build() {
  const auto state = pop();
  if (stack_.empty()) cursor_.fail("expected an object to give its state to");
  auto& object = values_[stack_.back()];
  if (object.kind == PickleKind::dict || object.kind == PickleKind::set) return;
  if (object.kind != PickleKind::call) cursor_.fail("expected an object to give its state to");
  if (object.items.size() > kState)
    object.items[kState] = state;
  else
    object.items.push_back(state);
}

}  // namespace namid::io
