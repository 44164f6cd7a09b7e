// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "namid/io/bytes.h"
#include "namid/io/npy.h"

namespace namid::io {

/// Index of a value in its Pickle.
using PickleId = std::uint32_t;

/// global: a name that Python would import ("module name"), here nothing but that name. call: what
/// Python would call, here only written down: items = {callable, arguments, then state if any}.
/// persistent: items = {id}.
enum class PickleKind {
  none,
  boolean,
  integer,
  number,
  bytes,
  text,
  list,
  tuple,
  dict,
  global,
  call,
  persistent
};

struct PickleValue {
  PickleKind kind = PickleKind::none;
  std::int64_t integer = 0;     ///< integer, boolean
  double number = 0;            ///< number
  std::string text;             ///< bytes, text (UTF-8), global
  std::vector<PickleId> items;  ///< list, tuple; dict: key, value, key, value; call; persistent
};

/// A Python pickle, read without executing anything: no import, no call, no class. A few calls
/// whose meaning is fixed are carried out by namid itself: collections.OrderedDict() is an empty
/// dict and _codecs.encode(text, "latin1") the bytes it stands for.
class Pickle {
 public:
  /// Protocols 2 to 5, as far as data need them. DataError for damaged pickles, opcodes beyond
  /// that, and more than `max_objects` pushes on the stack. Neither parsing nor destruction
  /// recurses.
  Pickle(ByteSpan bytes, std::string name, std::size_t max_objects = 200'000);

  const std::string& name() const { return name_; }
  PickleId root() const { return root_; }
  const PickleValue& operator[](PickleId id) const { return values_[id]; }
  /// The value under a text or bytes key of a dict. DataError if `dict` is none or lacks the key.
  PickleId at(PickleId dict, std::string_view key) const;
  std::optional<PickleId> find(PickleId dict, std::string_view key) const;
  /// The value, if it is of this kind; else DataError "name: expected WHAT".
  const PickleValue& expect(PickleId id, PickleKind kind, std::string_view what) const;
  /// The integers of a list or tuple.
  std::vector<std::int64_t> integers(PickleId id, std::string_view what) const;
  /// The texts of a list or tuple of text or bytes.
  std::vector<std::string> texts(PickleId id, std::string_view what) const;
  /// A numpy array. DataError for object and other types and if size and shape do not agree.
  NpyArray array(PickleId id, std::string_view what, std::uint64_t max_bytes = kMaxBytes) const;

 private:
  std::string name_;
  std::vector<PickleValue> values_;
  PickleId root_ = 0;
};

}  // namespace namid::io
