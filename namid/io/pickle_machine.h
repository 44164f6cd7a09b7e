// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "namid/io/pickle.h"

namespace namid::io {

/// The stack machine that pickles are programs of, without the instructions that act.
class PickleMachine {
 public:
  PickleMachine(ByteSpan bytes, const std::string& name, std::size_t max_objects)
      : cursor_(bytes, name), max_objects_(max_objects), max_owned_(bytes.size() + (1 << 20)) {}

  /// Runs to the STOP and returns the result.
  PickleId run();
  /// Offset behind the STOP.
  std::uint64_t end() const { return cursor_.offset(); }
  /// The values, and the texts that do not stand in the bytes as they are.
  std::pair<std::deque<PickleValue>, std::deque<std::string>> take() {
    return {std::move(values_), std::move(owned_)};
  }

 private:
  void step(std::uint8_t opcode);
  bool step_scalar(std::uint8_t opcode);
  bool step_container(std::uint8_t opcode);
  bool step_memo(std::uint8_t opcode);
  bool step_inert(std::uint8_t opcode);

  bool step_text(std::uint8_t opcode);

  void push(PickleId id);
  PickleId keep(PickleValue value);
  std::string_view own(std::string text);
  void make(PickleValue value);
  void make_integer(std::int64_t value);
  void make_text(PickleKind kind, std::uint64_t length);
  void make_tuple(std::size_t count);
  void make_long(std::uint64_t length);
  void make_global(std::string_view module, std::string_view name);
  PickleId pop();
  std::vector<PickleId> pop_last(std::size_t count);
  std::vector<PickleId> pop_to_mark();
  std::vector<PickleId>& items_of_top(PickleKind kind);
  void add_items(PickleKind kind, const std::vector<PickleId>& items);
  std::string_view line();
  void call(bool is_new_object);
  bool carry_out(std::string_view callable, const std::vector<PickleId>& arguments);
  void make_dict_of(PickleId pairs);
  void encode_latin1(PickleId from, PickleId encoding);
  void build();

  Cursor cursor_;
  std::size_t max_objects_, max_owned_;
  std::size_t pushes_ = 0, owned_bytes_ = 0;
  std::deque<PickleValue> values_;
  std::deque<std::string> owned_;
  std::vector<PickleId> stack_;
  std::vector<std::size_t> marks_;
  std::vector<PickleId> memo_;  // indices count up from 0; kNothing where one was left out
  std::unordered_map<PickleId, PickleId> made_of_;  // one copy, however often it is asked for
};

}  // namespace namid::io
