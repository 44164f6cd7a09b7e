// SPDX-License-Identifier: Apache-2.0
#include "namid/io/torch_tree.h"

#include <algorithm>
#include <set>

#include "namid/core/error.h"
#include "namid/core/format.h"
#include "namid/io/text.h"

namespace namid::io {
namespace {

constexpr std::size_t kMaxDepth = 64, kMaxKey = 500, kMaxObjects = 10'000;
constexpr std::size_t kTensorBytes = 256;  // what a tensor takes, its name aside

bool is_sequence(PickleKind kind) {
  return kind == PickleKind::list || kind == PickleKind::tuple || kind == PickleKind::set;
}

class Walker {
 public:
  Walker(const Pickle& pickle, const TorchStorages& storages, std::size_t max_text)
      : pickle_(pickle),
        storages_(storages),
        text_left_(max_text),
        visits_left_(2 * pickle.size() + 1000) {}

  TorchTree take() {
    visit(pickle_.root(), {});
    if (more_objects_ > 0) tree_.objects.push_back({"...", str(more_objects_, " more objects")});
    return std::move(tree_);
  }

 private:
  /// Where a value stands: at which character of the name its part of a state dict begins, and
  /// whether a module holds it.
  struct Place {
    std::size_t container = 0;
    bool in_module = false;
  };

  void visit(PickleId id, Place place) {
    if (visits_left_-- == 0) fail("its values are shared too often");
    const auto& value = pickle_[id];
    const bool is_container = value.kind == PickleKind::dict || value.kind == PickleKind::call ||
                              (is_sequence(value.kind) && has_containers(value));
    if (!is_container) return add_object(id);
    if (auto tensor = find_tensor(pickle_, storages_, id)) {
      spend(name_.size() + kTensorBytes);
      tensor->name = name_;
      tensor->container = place.container;
      tree_.tensors.push_back(std::move(*tensor));
      return;
    }
    if (std::find(path_.begin(), path_.end(), id) != path_.end() || path_.size() == kMaxDepth)
      return;
    path_.push_back(id);
    enter(id, place);
    path_.pop_back();
  }

  void enter(PickleId id, Place place) {
    const auto& items = pickle_[id].items;
    if (pickle_[id].kind == PickleKind::dict) {
      for (std::size_t i = 0; i + 1 < items.size(); i += 2)
        below(key_text(items[i]), items[i + 1], {begin_of_child()});
    } else if (is_sequence(pickle_[id].kind)) {
      for (std::size_t i = 0; i < items.size(); ++i)
        below(std::to_string(i), items[i], {begin_of_child()});
    } else {
      add_object(id);
      if (items.size() > 2 && is_script(items))
        return visit_script(items[2], place.in_module ? place.container : begin_of_child());
      if (items.size() > 2 && is_module(items[2]))
        return visit_module(items[2], place.in_module ? place.container : begin_of_child());
      for (std::size_t i = 2; i < items.size(); ++i)
        if (pickle_[items[i]].kind != PickleKind::none) visit(items[i], place);
    }
  }

  bool is_module(PickleId state) const {
    return pickle_[state].kind == PickleKind::dict && dict_at(state, "_parameters") &&
           dict_at(state, "_modules");
  }

  /// TorchScript keeps parameters, buffers and children of a module as plain attributes.
  bool is_script(const std::vector<PickleId>& call) const {
    return pickle_[call[0]].kind == PickleKind::global &&
           pickle_[call[0]].text.starts_with("__torch__.") &&
           pickle_[call[2]].kind == PickleKind::dict;
  }

  void visit_script(PickleId state, std::size_t container) {
    const auto& items = pickle_[state].items;
    for (std::size_t i = 0; i + 1 < items.size(); i += 2)
      below(key_text(items[i]), items[i + 1], {container, true});
  }

  /// Parameters, buffers, then children, as Module.state_dict() has them.
  void visit_module(PickleId state, std::size_t container) {
    const auto without = names_of(pickle_.find(state, "_non_persistent_buffers_set"));
    for (const auto* part : {"_parameters", "_buffers", "_modules"}) {
      const auto dict = dict_at(state, part);
      if (!dict) continue;
      const auto& items = pickle_[*dict].items;
      for (std::size_t i = 0; i + 1 < items.size(); i += 2) {
        const auto key = key_text(items[i]);
        if (pickle_[items[i + 1]].kind == PickleKind::none) continue;
        if (!without.contains(key)) below(key, items[i + 1], {container, true});
      }
    }
  }

  std::set<std::string> names_of(const std::optional<PickleId>& set) const {
    std::set<std::string> names;
    if (!set || !is_sequence(pickle_[*set].kind)) return names;
    for (const auto item : pickle_[*set].items) names.insert(key_text(item));
    return names;
  }

  std::optional<PickleId> dict_at(PickleId dict, std::string_view key) const {
    const auto found = pickle_.find(dict, key);
    return found && pickle_[*found].kind == PickleKind::dict ? found : std::nullopt;
  }

  bool has_containers(const PickleValue& sequence) const {
    return std::any_of(sequence.items.begin(), sequence.items.end(), [&](PickleId item) {
      const auto kind = pickle_[item].kind;
      return is_sequence(kind) || kind == PickleKind::dict || kind == PickleKind::call;
    });
  }

  std::string key_text(PickleId id) const {
    const auto& key = pickle_[id];
    if (key.kind != PickleKind::text && key.kind != PickleKind::bytes) return describe(pickle_, id);
    if (key.text.size() > kMaxKey) fail(str("a key of ", key.text.size(), " characters"));
    return printable(key.text);
  }

  void below(const std::string& key, PickleId id, Place place) {
    const auto length = name_.size();
    name_ += str(name_.empty() ? "" : ".", key);
    visit(id, place);
    name_.resize(length);
  }

  std::size_t begin_of_child() const { return name_.empty() ? 0 : name_.size() + 1; }

  void add_object(PickleId id) {
    if (tree_.objects.size() == kMaxObjects) {
      ++more_objects_;
      return;
    }
    auto text = describe(pickle_, id);
    spend(name_.size() + text.size());
    tree_.objects.push_back({name_, std::move(text)});
  }

  void spend(std::size_t bytes) {
    if (bytes > text_left_) fail("its names add up to more than its size");
    text_left_ -= bytes;
  }

  [[noreturn]] void fail(std::string_view what) const {
    throw DataError(str(pickle_.name(), ": ", what));
  }

  const Pickle& pickle_;
  const TorchStorages& storages_;
  std::size_t text_left_, visits_left_, more_objects_ = 0;
  std::string name_;
  std::vector<PickleId> path_;
  TorchTree tree_;
};

}  // namespace

TorchTree walk_tree(const Pickle& pickle, const TorchStorages& storages, std::size_t max_text) {
  return Walker(pickle, storages, max_text).take();
}

}  // namespace namid::io
