// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "namid/attacks/pgd.h"
#include "namid/eval/suite.h"

namespace namid::app {

/// A column of a table of transfer attacks: a suite (eval/suite.h) under a name, with the PGD
/// options and the budget it is made of.
struct Column {
  std::string name;
  eval::SuiteOptions suite;
  attacks::PgdOptions attack;
};

/// The columns of a comma-separated list. Each is
///   pgd-N       PGD of N steps with the other options of `attack` (pgd: with its own steps)
///   a suite     of `namid list suites`: one column, broken by any of its attacks
///   an attack   of the registry, in parentheses its options; norm and epsilon too, which are
///               otherwise those of `attack`
///   NAME=...    any of these under another name
///   paper-linf  the paper's Tables 2 and 5: pgd-40, autoattack, fwa-40, ti-dim
///   paper-l2    the paper's Table 6: pgd-40, cw, ddn
/// OptionError for an empty list, a name given twice or unfit for a folder, and as make_suite.
std::vector<Column> columns_of(const std::string& list, const attacks::PgdOptions& attack,
                               eval::AutoAttackVersion version = {});

}  // namespace namid::app
