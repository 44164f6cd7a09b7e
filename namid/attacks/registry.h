// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "namid/attacks/attack.h"
#include "namid/core/option_set.h"

namespace namid::attacks {

/// What `namid list attacks` tells of an attack.
struct AttackInfo {
  std::string_view name;     ///< "pgd"
  std::string_view summary;  ///< one line
  std::string_view paper;    ///< key in docs/papers.bib
  std::vector<Norm> norms;   ///< it can attack in
  bool targeted = false;     ///< can move towards a given class
  bool gradient = false;     ///< needs input gradients
  bool own_loss = true;  ///< takes a loss of the caller's (Context::loss), if gradient also that
  int min_classes = 2;   ///< models of fewer classes are refused
  Budget budget = {};    ///< default
};

/// Every attack within a norm, in the order of the docs.
std::span<const AttackInfo> attack_table();

/// The attacks that no norm bounds (Norm::none): `namid attack` has them, and no suite.
std::span<const AttackInfo> unbounded_attacks();

/// An attack chosen by name, with options of its own to be set; a value: copies share nothing.
class NamedAttack {
 public:
  /// OptionError with the nearest name for an unknown one.
  explicit NamedAttack(std::string_view name);
  NamedAttack(const NamedAttack& other);
  NamedAttack& operator=(const NamedAttack& other);
  NamedAttack(NamedAttack&&) noexcept;
  NamedAttack& operator=(NamedAttack&&) noexcept;
  ~NamedAttack();

  const AttackInfo& info() const;
  /// Adds the options to `set`, which must not outlive this object (nor its assignments).
  void add_options(OptionSet& set, std::string section);
  Budget& budget();
  /// OptionError for options out of range.
  void validate() const;
  /// Rounds (rounds.h) that the attack takes on a model of that many classes.
  int rounds(std::int64_t classes) const;

  AttackResult operator()(const Classifier& model, const at::Tensor& x, const at::Tensor& y,
                          const Context& context = {}) const;

  /// The options and the function behind them; how registry.cpp binds an attack.
  struct Bound;

 private:
  const AttackInfo* info_;
  std::unique_ptr<Bound> bound_;
};

}  // namespace namid::attacks
