// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "namid/defenses/at_mim.h"
#include "namid/defenses/mart.h"
#include "namid/defenses/mma.h"
#include "namid/defenses/namid.h"
#include "namid/defenses/trades.h"

namespace namid::defenses {

enum class Defense {
  natural,
  standard,
  trades,
  mart,
  mma,
  mma_reference,
  at_mim,
  namid,
  namid_t,
  namid_m
};

/// Row of `namid list defenses`.
struct DefenseInfo {
  Defense defense;
  std::string name, description;
  std::string paper;       ///< key in docs/papers.bib; empty: none
  std::string estimators;  ///< objectives whose estimators it needs; empty: none
  bool in_reference;       ///< the released code has it: BnUpdates::reference, `reference` profile
};
std::vector<DefenseInfo> list_defenses();
DefenseInfo defense_info(Defense defense);
bool needs_estimators(Defense defense);

/// What `make_objective` binds: the options of every defence; each reads its own.
struct DefenseOptions {
  PgdOptions attack = {};  ///< training attack; its loss is set by the defence
  TradesOptions trades = {};
  MartOptions mart = {};
  MmaOptions mma = {};
  AtMimOptions at_mim = {};
  NamidOptions namid = {};
  BnUpdates bn_updates = BnUpdates::once;
  std::int64_t full_batch = 0;  ///< batch size of the run; smaller batches are partial ones
};

/// OptionError where the released code has no such defence, or one that cannot be computed
/// (mma-reference in L2). `option`: what asked for it, e.g. "profile".
void check_in_reference(Defense defense, attacks::Norm norm, std::string_view option);

/// OptionError for options of this defence that are out of range or do not fit each other, and for
/// estimators that are missing, or were trained with another objective than it needs.
void check_defense(Defense defense, const DefenseOptions& options,
                   const std::optional<mi::EstimatorPair>& estimators);

/// Binds options and estimators (those that the defence uses, on the model's device; deep copies
/// are taken and frozen) to an objective, after `check_defense`.
Objective make_objective(Defense defense, const DefenseOptions& options,
                         const std::optional<mi::EstimatorPair>& estimators = {});

}  // namespace namid::defenses

namespace namid {
template <>
struct EnumNames<defenses::Defense> {
  static constexpr std::array kNames{"natural",       "standard", "trades", "mart",    "mma",
                                     "mma-reference", "at-mim",   "namid",  "namid-t", "namid-m"};
};
}  // namespace namid
