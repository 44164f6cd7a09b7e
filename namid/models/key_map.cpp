// SPDX-License-Identifier: Apache-2.0
#include "namid/models/key_map.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <array>
#include <set>

#include "namid/core/error.h"
#include "namid/core/format.h"

namespace namid::models {
namespace {

constexpr std::array<std::string_view, 10> kWrappers{"module",     "_orig_mod", "model",   "net",
                                                     "network",    "backbone",  "encoder", "0",
                                                     "classifier", "1"};

struct Rename {
  std::string_view from, to;
};
constexpr std::array<Rename, 6> kRenames{{{"downsample", "shortcut"},
                                          {"fc", "linear"},
                                          {"classifier", "linear"},
                                          {"head", "linear"},
                                          {"linear", "fc"},
                                          {"shortcut", "downsample"}}};
constexpr std::int64_t kMostChannels = 16;
constexpr std::size_t kShown = 6;

std::set<std::string> names_of(const TensorMap& tensors) {
  std::set<std::string> names;
  for (const auto& entry : tensors) names.insert(entry.first);
  return names;
}

std::string_view last_part(std::string_view name) {
  return name.substr(name.rfind('.') + 1);
}

std::vector<double> numbers(const at::Tensor& tensor) {
  const auto values = tensor.detach().to(at::kCPU, at::kDouble).flatten().contiguous();
  const auto* data = values.const_data_ptr<double>();
  return {data, data + values.numel()};
}

/// The wrapper that all names begin with, with its dot; empty if there is none, or if the names are
/// expected as they are.
std::string shared_wrapper(const TensorMap& file, const std::set<std::string>& expected) {
  if (file.empty() || expected.contains(file.front().first)) return "";
  const auto first = file.front().first.substr(0, file.front().first.find('.'));
  if (std::find(kWrappers.begin(), kWrappers.end(), first) == kWrappers.end()) return "";
  const auto wrapper = first + ".";
  const bool shared = std::all_of(file.begin(), file.end(), [&](const auto& entry) {
    return entry.first.starts_with(wrapper) && !expected.contains(entry.first);
  });
  return shared ? wrapper : "";
}

/// The name with one part replaced.
std::string replaced(const std::string& name, const Rename& rename) {
  std::string out;
  for (std::size_t at = 0; at <= name.size();) {
    const auto end = std::min(name.find('.', at), name.size());
    const auto part = std::string_view(name).substr(at, end - at);
    out += str(at == 0 ? "" : ".", part == rename.from ? rename.to : part);
    at = end + 1;
  }
  return out;
}

std::string renamed(const std::string& name, const std::set<std::string>& expected) {
  if (expected.contains(name)) return name;
  for (const auto& first : kRenames) {
    const auto once = replaced(name, first);
    if (expected.contains(once)) return once;
    for (const auto& second : kRenames)
      if (auto twice = replaced(once, second); expected.contains(twice)) return twice;
  }
  return name;
}

bool is_half(const at::Tensor& tensor) {
  return tensor.scalar_type() == at::kHalf || tensor.scalar_type() == at::kBFloat16;
}

void fit_types(TensorMap& state, const TensorMap& expected) {
  for (auto& [name, tensor] : state)
    if (is_half(tensor))
      if (const auto own = find_tensor(expected, name);
          own.defined() && own.scalar_type() == at::kFloat)
        tensor = tensor.to(at::kFloat);
  const auto given = names_of(state);
  for (const auto& [name, own] : expected)
    if (last_part(name) == "num_batches_tracked" && !given.contains(name))
      state.emplace_back(name, at::zeros_like(own));
}

TensorMap by_order(const TensorMap& file, const TensorMap& expected) {
  TensorMap places = expected;
  if (places.size() != file.size())  // counters that old files lack have no place in the order
    std::erase_if(
        places, [](const auto& entry) { return last_part(entry.first) == "num_batches_tracked"; });
  if (places.size() != file.size())
    throw DataError(
        str("names by order: the file has ", file.size(), " tensors, the network ", places.size()));
  TensorMap state;
  for (std::size_t i = 0; i < file.size(); ++i) {
    if (file[i].second.sizes() != places[i].second.sizes())
      throw DataError(str("names by order: tensor ", i + 1, ", '", file[i].first,
                          "', does not have the shape of ", places[i].first));
    state.emplace_back(places[i].first, file[i].second);
  }
  return state;
}

}  // namespace

MappedWeights split_normalisation(const TensorMap& file, const TensorMap& expected) {
  const auto known = names_of(expected);
  MappedWeights out;
  for (const auto& [name, tensor] : file) {
    const auto last = last_part(name);
    const bool is_mean = last == "mean" || last == "mu", is_std = last == "std" || last == "sigma";
    const bool taken = (is_mean || is_std) && std::count(name.begin(), name.end(), '.') <= 2 &&
                       tensor.numel() <= kMostChannels &&
                       at::isFloatingType(tensor.scalar_type()) && !known.contains(name);
    if (!taken)
      out.state.emplace_back(name, tensor);
    else
      (is_mean ? out.mean : out.std) = numbers(tensor);
  }
  return out;
}

TensorMap map_keys(const TensorMap& file, const TensorMap& expected, KeyNames how) {
  if (how == KeyNames::exact) return file;
  auto state = file;
  if (how == KeyNames::order) {
    state = by_order(file, expected);
  } else {
    const auto known = names_of(expected);
    for (auto wrapper = shared_wrapper(state, known); !wrapper.empty();
         wrapper = shared_wrapper(state, known))
      for (auto& entry : state) entry.first.erase(0, wrapper.size());
    std::set<std::string> given;
    for (std::size_t i = 0; i < state.size(); ++i) {
      state[i].first = renamed(state[i].first, known);
      if (!given.insert(state[i].first).second)
        throw DataError(str("names: '", file[i].first, "' and another tensor would both be ",
                            state[i].first, "; try keys = exact"));
    }
  }
  fit_types(state, expected);
  return state;
}

std::string explain_keys(const TensorMap& file, const TensorMap& expected) {
  const auto known = names_of(expected), given = names_of(file);
  std::vector<std::string> missing;
  for (const auto& name : known)
    if (!given.contains(name)) missing.push_back(name);
  std::string text;
  std::size_t shown = 0;
  for (const auto& name : given) {
    if (known.contains(name) || shown == kShown) continue;
    const auto guess = nearest(name, missing);
    if (guess.empty()) continue;
    text += str(shown++ == 0 ? "; nearest: " : ", ", "'", name, "' in the file to ", guess);
  }
  try {
    by_order(file, expected);
    return "; all shapes fit in the file's order: keys = order takes them so" + text;
  } catch (const DataError&) {
    return text;
  }
}

}  // namespace namid::models
