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

void PickleMachine::push(PickleId id) {
  if (++pushes_ > max_objects_) cursor_.fail(str("expected at most ", max_objects_, " objects"));
  stack_.push_back(id);
}

void PickleMachine::make(PickleValue value) {
  push(static_cast<PickleId>(values_.size()));
  values_.push_back(std::move(value));
}

void PickleMachine::make_integer(std::int64_t value) {
  make({PickleKind::integer, value});
}

void PickleMachine::make_text(PickleKind kind, std::uint64_t length) {
  make({kind, 0, 0, std::string(as_text(cursor_.take(length, "text")))});
}

void PickleMachine::make_tuple(std::size_t count) {
  make({PickleKind::tuple, 0, 0, {}, pop_last(count)});
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

PickleValue& PickleMachine::top(PickleKind kind, const char* what) {
  const auto floor = marks_.empty() ? 0 : marks_.back();
  if (stack_.size() <= floor || values_[stack_.back()].kind != kind)
    cursor_.fail(str("expected ", what, " to add to"));
  return values_[stack_.back()];
}

void PickleMachine::add_items(PickleKind kind, std::vector<PickleId> items) {
  auto& to = top(kind, kind == PickleKind::list ? "a list" : "a dict").items;
  if (kind == PickleKind::dict && items.size() % 2 != 0)
    cursor_.fail("expected a value for each key");
  to.insert(to.end(), items.begin(), items.end());
}

std::string PickleMachine::line() {
  std::string text;
  for (;;) {
    const auto c = static_cast<char>(cursor_.little<std::uint8_t>("line"));
    if (c == '\n') return text;
    text += c;
  }
}

void PickleMachine::call(bool is_new_object) {
  const auto items = pop_last(2);
  if (values_[items[1]].kind != PickleKind::tuple) cursor_.fail("expected a tuple of arguments");
  if (!is_new_object && carry_out(values_[items[0]], items[1])) return;
  make({PickleKind::call, 0, 0, {}, items});
}

bool PickleMachine::carry_out(const PickleValue& callable, PickleId arguments) {
  if (callable.kind != PickleKind::global) return false;
  const auto& given = values_[arguments].items;
  if (callable.text == "collections OrderedDict" && given.empty()) {
    make({PickleKind::dict});
    return true;
  }
  if (callable.text != "_codecs encode" || given.size() != 2) return false;
  const auto from = given[0];
  if (values_[from].kind != PickleKind::text || values_[given[1]].text != "latin1")
    cursor_.fail("expected a text to encode as latin1");
  if (const auto known = encoded_.find(from); known != encoded_.end()) {
    push(known->second);
    return true;
  }
  std::string bytes;
  if (!to_latin1(values_[from].text, bytes)) cursor_.fail("expected a text of latin1 characters");
  make({PickleKind::bytes, 0, 0, std::move(bytes)});
  encoded_[from] = stack_.back();
  return true;
}

/// The attributes of an OrderedDict, as state dicts have, are dropped.
void PickleMachine::build() {
  const auto state = pop();
  if (stack_.empty()) cursor_.fail("expected an object to give its state to");
  auto& object = values_[stack_.back()];
  if (object.kind == PickleKind::dict) return;
  if (object.kind != PickleKind::call || object.items.size() != 2)
    cursor_.fail("expected an object to give its state to");
  object.items.push_back(state);
}

}  // namespace namid::io
