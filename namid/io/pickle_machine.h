// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
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
      : cursor_(bytes, name), max_objects_(max_objects) {}

  /// Runs to the STOP; the values, and which of them is the result.
  std::pair<std::vector<PickleValue>, PickleId> run();

 private:
  void step(std::uint8_t opcode);
  bool step_scalar(std::uint8_t opcode);
  bool step_container(std::uint8_t opcode);
  bool step_memo(std::uint8_t opcode);
  bool step_inert(std::uint8_t opcode);

  void push(PickleId id);
  void make(PickleValue value);
  void make_integer(std::int64_t value);
  void make_text(PickleKind kind, std::uint64_t length);
  void make_tuple(std::size_t count);
  PickleId pop();
  std::vector<PickleId> pop_last(std::size_t count);
  std::vector<PickleId> pop_to_mark();
  PickleValue& top(PickleKind kind, const char* what);
  void add_items(PickleKind kind, std::vector<PickleId> items);
  std::string line();
  void call(bool is_new_object);
  bool carry_out(const PickleValue& callable, PickleId arguments);
  void build();

  Cursor cursor_;
  std::size_t max_objects_;
  std::size_t pushes_ = 0;
  std::vector<PickleValue> values_;
  std::vector<PickleId> stack_;
  std::vector<std::size_t> marks_;
  std::unordered_map<std::uint32_t, PickleId> memo_;
  std::unordered_map<PickleId, PickleId> encoded_;  // one copy per text, however often it is asked
};

}  // namespace namid::io
