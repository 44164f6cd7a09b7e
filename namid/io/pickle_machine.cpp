// SPDX-License-Identifier: Apache-2.0
#include "namid/io/pickle_machine.h"

#include <bit>
#include <charconv>

#include "namid/core/format.h"

namespace namid::io {
namespace {

constexpr std::uint8_t kNewestProtocol = 5;
constexpr PickleId kNothing = 0xffffffff;

}  // namespace

PickleId PickleMachine::run() {
  for (;;) {
    const auto opcode = cursor_.little<std::uint8_t>("pickle opcode");
    if (opcode == '.') break;
    step(opcode);
  }
  return pop();
}

void PickleMachine::step(std::uint8_t opcode) {
  if (step_scalar(opcode) || step_text(opcode) || step_container(opcode) || step_memo(opcode) ||
      step_inert(opcode))
    return;
  cursor_.fail(str("pickle opcode ", static_cast<int>(opcode), " is not supported"));
}

bool PickleMachine::step_scalar(std::uint8_t opcode) {
  switch (opcode) {
    case 'N':
      make({});
      return true;
    case 0x88:
      make({PickleKind::boolean, 1});
      return true;
    case 0x89:
      make({PickleKind::boolean, 0});
      return true;
    case 'J':
      make_integer(static_cast<std::int32_t>(cursor_.little<std::uint32_t>("integer")));
      return true;
    case 'K':
      make_integer(cursor_.little<std::uint8_t>("integer"));
      return true;
    case 'M':
      make_integer(cursor_.little<std::uint16_t>("integer"));
      return true;
    case 0x8a:
      make_long(cursor_.little<std::uint8_t>("integer"));
      return true;
    case 0x8b:
      make_long(cursor_.little<std::uint32_t>("integer"));
      return true;
    case 'I': {
      const auto text = line();
      std::int64_t value = 0;
      const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
      if (error != std::errc() || end != text.data() + text.size())
        cursor_.fail("expected an integer");
      if (text == "00" || text == "01")
        make({PickleKind::boolean, value});
      else
        make_integer(value);
      return true;
    }
    case 'G':
      make({PickleKind::number, 0, std::bit_cast<double>(cursor_.big<std::uint64_t>("number"))});
      return true;
    default:
      return false;
  }
}

bool PickleMachine::step_text(std::uint8_t opcode) {
  switch (opcode) {
    case 'U':
    case 'C':
      make_text(PickleKind::bytes, cursor_.little<std::uint8_t>("length"));
      return true;
    case 'T':
    case 'B':
      make_text(PickleKind::bytes, cursor_.little<std::uint32_t>("length"));
      return true;
    case 0x8e:
    case 0x96:
      make_text(PickleKind::bytes, cursor_.little<std::uint64_t>("length"));
      return true;
    case 0x8c:
      make_text(PickleKind::text, cursor_.little<std::uint8_t>("length"));
      return true;
    case 'X':
      make_text(PickleKind::text, cursor_.little<std::uint32_t>("length"));
      return true;
    case 0x8d:
      make_text(PickleKind::text, cursor_.little<std::uint64_t>("length"));
      return true;
    default:
      return false;
  }
}

bool PickleMachine::step_container(std::uint8_t opcode) {
  switch (opcode) {
    case '(':
      if (marks_.size() >= max_objects_) cursor_.fail("too many marks");
      marks_.push_back(stack_.size());
      return true;
    case 0x8f:
      make({PickleKind::set});
      return true;
    case 0x90:
      add_items(PickleKind::set, pop_to_mark());
      return true;
    case 0x91:
      make({PickleKind::set, 0, 0, {}, pop_to_mark()});
      return true;
    case ']':
      make({PickleKind::list});
      return true;
    case '}':
      make({PickleKind::dict});
      return true;
    case ')':
      make({PickleKind::tuple});
      return true;
    case 0x85:
    case 0x86:
    case 0x87:
      make_tuple(static_cast<std::size_t>(opcode - 0x84));
      return true;
    case 't':
      make({PickleKind::tuple, 0, 0, {}, pop_to_mark()});
      return true;
    case 'l':
      make({PickleKind::list, 0, 0, {}, pop_to_mark()});
      return true;
    case 'd': {
      auto items = pop_to_mark();
      make({PickleKind::dict});
      add_items(PickleKind::dict, items);
      return true;
    }
    case 'a':
      add_items(PickleKind::list, pop_last(1));
      return true;
    case 'e':
      add_items(PickleKind::list, pop_to_mark());
      return true;
    case 's':
      add_items(PickleKind::dict, pop_last(2));
      return true;
    case 'u':
      add_items(PickleKind::dict, pop_to_mark());
      return true;
    case '0':
      pop();
      return true;
    case '1':
      pop_to_mark();
      return true;
    default:
      return false;
  }
}

bool PickleMachine::step_memo(std::uint8_t opcode) {
  const auto put = [&](std::size_t index) {
    if (stack_.empty()) cursor_.fail("expected a value to remember, the stack is empty");
    if (index >= max_objects_) cursor_.fail("too many objects to remember");
    if (index >= memo_.size()) memo_.resize(index + 1, kNothing);
    memo_[index] = stack_.back();
  };
  const auto get = [&](std::size_t index) {
    if (index >= memo_.size() || memo_[index] == kNothing)
      cursor_.fail(str("value ", index, " was never remembered"));
    push(memo_[index]);
  };
  switch (opcode) {
    case 'q':
      put(cursor_.little<std::uint8_t>("memo index"));
      return true;
    case 'r':
      put(cursor_.little<std::uint32_t>("memo index"));
      return true;
    case 0x94:
      put(memo_.size());
      return true;
    case 'h':
      get(cursor_.little<std::uint8_t>("memo index"));
      return true;
    case 'j':
      get(cursor_.little<std::uint32_t>("memo index"));
      return true;
    case '2':
      push(pop());
      push(stack_.back());
      return true;
    default:
      return false;
  }
}

bool PickleMachine::step_inert(std::uint8_t opcode) {
  switch (opcode) {
    case 0x80:
      if (cursor_.little<std::uint8_t>("protocol") > kNewestProtocol)
        cursor_.fail(str("expected pickle protocol 2 to ", static_cast<int>(kNewestProtocol)));
      return true;
    case 0x95:
      cursor_.take(8, "frame");
      return true;
    case 'c': {
      const auto module = line();
      make_global(module, line());
      return true;
    }
    case 0x93: {
      const auto names = pop_last(2);
      make_global(values_[names[0]].text, values_[names[1]].text);
      return true;
    }
    case 'Q':
      make({PickleKind::persistent, 0, 0, {}, pop_last(1)});
      return true;
    case 'R':
      call(false);
      return true;
    case 0x81:
      call(true);
      return true;
    case 0x92:
      pop();  // keyword arguments, which no container of weights has
      call(true);
      return true;
    case 'b':
      build();
      return true;
    default:
      return false;
  }
}

}  // namespace namid::io
