// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "namid/io/bytes.h"
#include "namid/io/npy.h"

namespace namid::io {

/// Index of a value in its Pickle.
using PickleId = std::uint32_t;

/// big_integer: one of more than 8 bytes, whose little-endian bytes are in `text`. global: a name
/// that Python would import ("module name"), here nothing but that name. call: what Python would
/// call, here only written down: items = {callable, arguments}, then the object's state and what it
/// contains (a list or dict) where the pickle gives it any; a state that is not given is `none`.
/// persistent: items = {id}.
enum class PickleKind {
  none,
  boolean,
  integer,
  big_integer,
  number,
  bytes,
  text,
  list,
  tuple,
  dict,
  set,
  global,
  call,
  persistent
};

struct PickleValue {
  PickleKind kind = PickleKind::none;
  std::int64_t integer = 0;     ///< integer, boolean
  double number = 0;            ///< number
  std::string_view text;        ///< bytes, text (UTF-8), global, big_integer
  std::vector<PickleId> items;  ///< list, tuple, set; dict: key, value, ...; call; persistent
};

/// How many objects a pickle in a file of that size may make: so many that they, at up to 160 bytes
/// each, take no more memory than the file plus 12 MB.
constexpr std::size_t pickle_object_cap(std::uint64_t file_bytes) {
  return 75'000 + static_cast<std::size_t>(file_bytes / 160);
}

/// A Python pickle, read without executing anything: no import, no call, no class. A few calls
/// whose meaning is fixed are carried out by namid itself: collections.OrderedDict, defaultdict and
/// Counter are dicts, set and frozenset the lists they are made of, and _codecs.encode(text,
/// "latin1") the bytes it stands for. Texts point into the bytes, which must outlive the pickle.
class Pickle {
 public:
  /// Protocols 2 to 5 without out-of-band buffers. DataError for damaged pickles, other opcodes,
  /// more than `max_objects` values or twice as many pushes on the stack (0: pickle_object_cap).
  /// Bytes behind the pickle's end are not looked at. Neither parsing nor destruction recurses.
  Pickle(ByteSpan bytes, std::string name, std::size_t max_objects = 0);
  Pickle(Pickle&&) = default;
  Pickle& operator=(Pickle&&) = default;

  const std::string& name() const { return name_; }
  PickleId root() const { return root_; }
  std::size_t size() const { return values_.size(); }  ///< number of values
  std::uint64_t end() const { return end_; }           ///< offset of what follows the pickle
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
  std::deque<PickleValue> values_;
  std::deque<std::string> texts_;  // those that do not stand in the file as they are
  PickleId root_ = 0;
  std::uint64_t end_ = 0;
};

}  // namespace namid::io
