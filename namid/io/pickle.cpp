// SPDX-License-Identifier: Apache-2.0
#include "namid/io/pickle.h"

#include <tuple>

#include "namid/core/error.h"
#include "namid/core/format.h"
#include "namid/io/pickle_machine.h"

namespace namid::io {

Pickle::Pickle(ByteSpan bytes, std::string name, std::size_t max_objects) : name_(std::move(name)) {
  PickleMachine machine(bytes, name_,
                        max_objects == 0 ? pickle_object_cap(bytes.size()) : max_objects);
  root_ = machine.run();
  end_ = machine.end();
  std::tie(values_, texts_) = machine.take();
}

const PickleValue& Pickle::expect(PickleId id, PickleKind kind, std::string_view what) const {
  if (values_[id].kind != kind) throw DataError(str(name_, ": expected ", what, " in the pickle"));
  return values_[id];
}

std::optional<PickleId> Pickle::find(PickleId dict, std::string_view key) const {
  const auto& items = expect(dict, PickleKind::dict, "a dict").items;
  for (std::size_t i = items.size(); i >= 2; i -= 2) {
    const auto& candidate = values_[items[i - 2]];
    const bool named = candidate.kind == PickleKind::text || candidate.kind == PickleKind::bytes;
    if (named && candidate.text == key) return items[i - 1];
  }
  return std::nullopt;
}

PickleId Pickle::at(PickleId dict, std::string_view key) const {
  if (const auto found = find(dict, key)) return *found;
  throw DataError(str(name_, ": expected a key '", key, "' in the pickle"));
}

std::vector<std::int64_t> Pickle::integers(PickleId id, std::string_view what) const {
  const bool is_tuple = values_[id].kind == PickleKind::tuple;
  std::vector<std::int64_t> out;
  for (const auto item : expect(id, is_tuple ? PickleKind::tuple : PickleKind::list, what).items)
    out.push_back(expect(item, PickleKind::integer, str("integers as ", what)).integer);
  return out;
}

std::vector<std::string> Pickle::texts(PickleId id, std::string_view what) const {
  const bool is_tuple = values_[id].kind == PickleKind::tuple;
  std::vector<std::string> out;
  for (const auto item : expect(id, is_tuple ? PickleKind::tuple : PickleKind::list, what).items) {
    const bool is_bytes = values_[item].kind == PickleKind::bytes;
    out.emplace_back(expect(item, is_bytes ? PickleKind::bytes : PickleKind::text, what).text);
  }
  return out;
}

namespace {

bool is_truth(const PickleValue& value) {
  return value.integer != 0;
}

/// numpy.dtype("u1", ...) with the state (version, "<", ...).
NpyDescr descr_of(const Pickle& pickle, PickleId id) {
  const auto& dtype = pickle.expect(id, PickleKind::call, "a numpy dtype").items;
  const auto& arguments = pickle[dtype[1]].items;
  if (pickle[dtype[0]].text != "numpy dtype" || arguments.empty())
    throw DataError(str(pickle.name(), ": expected a numpy dtype in the pickle"));
  std::string order;
  if (dtype.size() > 2) {
    const auto& state = pickle.expect(dtype[2], PickleKind::tuple, "the state of a dtype").items;
    if (state.size() > 1) order = pickle[state[1]].text;
  }
  return parse_descr(str(order, pickle[arguments[0]].text), pickle.name(), 0);
}

bool is_reconstruct(std::string_view global) {
  return global == "numpy.core.multiarray _reconstruct" ||
         global == "numpy._core.multiarray _reconstruct";
}

}  // namespace

NpyArray Pickle::array(PickleId id, std::string_view what, std::uint64_t max_bytes) const {
  const auto& call = expect(id, PickleKind::call, str("a numpy array as ", what)).items;
  if (!is_reconstruct(values_[call[0]].text) || call.size() != 3)
    throw DataError(str(name_, ": expected a numpy array as ", what, " in the pickle"));
  const auto& state = expect(call[2], PickleKind::tuple, "the state of an array").items;
  if (state.size() != 5) throw DataError(str(name_, ": expected 5 items as the state of an array"));
  auto shape = integers(state[1], "the shape of an array");
  const auto descr = descr_of(*this, state[2]);
  const auto& data = expect(state[4], PickleKind::bytes, "the bytes of an array").text;
  std::uint64_t size = size_of(descr.type);
  for (const auto extent : shape) {
    if (extent < 0) throw DataError(str(name_, ": expected no negative size, got ", extent));
    size = checked_product(name_, 0, size, static_cast<std::uint64_t>(extent));
  }
  check_size(name_, 0, size, max_bytes);
  if (data.size() != size)
    throw DataError(str(name_, ": ", what, ": expected ", size, " bytes, got ", data.size()));
  const auto bytes = as_bytes(data);
  auto arranged =
      rearrange(Bytes(bytes.begin(), bytes.end()), descr, shape, is_truth(values_[state[3]]));
  return {descr.type, std::move(shape), std::move(arranged)};
}

}  // namespace namid::io
