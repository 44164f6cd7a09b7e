// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "namid/attacks/compat.h"
#include "namid/attacks/pgd.h"
#include "namid/attacks/registry.h"

namespace namid::eval {

class Ledger;

/// How the attacks of a suite are combined. each: every attack on all correctly classified samples,
/// a column of its own, the worst case beside it. worst_case: a broken sample is not attacked
/// again. A sample is robust that no attack broke; a natural error counts as broken.
enum class Combine { each, worst_case };

/// What round 1 of an attack broke, in order of the ids.
struct Lesson {
  Random random;  ///< of the attack
  SampleIds ids;
  at::Tensor labels, reached;  ///< int64 (M): label, and class at x_adv
  std::int64_t classes = 0;
};

/// An attack as the runner sees it.
struct AttackEntry {
  using Function =
      std::function<attacks::AttackResult(const models::Classifier&, const at::Tensor& x,
                                          const at::Tensor& y, const attacks::Context&)>;
  std::string name;  ///< in the ledger; the random stream is "test/<name>"
  attacks::Budget budget;
  std::string options;  ///< as text; ledgers of other options are refused
  Function run;
  /// Rounds (attacks/rounds.h) on a model of that many classes; each is a stage of its own.
  std::function<int(std::int64_t classes)> rounds = [](std::int64_t) { return 1; };
  int min_classes = 2;  ///< models of fewer classes are refused
  /// All rounds at once, unpadded, drawn from a torch generator seeded anew for every batch: what
  /// reference code does, and so dependent on batch size and order.
  bool sequential = false;
  /// Share of the survivors that a round attacks (discarding.h); empty: all of them.
  std::function<double(int round)> share = {};
  /// What the rounds from the third on run instead, told by the second; empty: the same.
  std::function<Function(const Lesson&)> learn = {};
  /// A search of the smallest norm: later rounds attack also what it broke.
  bool nearest = false;
  /// Attacks only samples of which nothing before it found a perturbation within its budget.
  bool beyond = false;
  /// Rounds from `first` on attack again what survived with a margin below `near` (rescue.h).
  struct Rescue {
    int first = 0;
    double near = 0;
  };
  std::optional<Rescue> rescue = {};
};

struct Suite {
  std::string name;
  Combine combine = Combine::each;
  std::vector<AttackEntry> attacks;
  std::optional<models::Classifier> surrogate = {};  ///< what the attacks see instead (surrogate.h)
  std::optional<models::Classifier> compiled = {};   ///< the model as attacks see it (compiled.h)
  std::string kernels = {};                         ///< of what is compiled of what the attacks see
  std::optional<models::Classifier> bfloat16 = {};  ///< the model as attacks see it (rescue.h)
  std::string precision = {};  ///< of what the attacks see: "bfloat16, near 0.25"; empty: float32
  /// Further attacks, told by what those above found; without a stopping rule.
  std::function<std::vector<AttackEntry>(const Ledger&)> afterwards = {};
  std::string afterwards_options = {};  ///< what they depend on besides
};

/// Whose AutoAttack. v2023: upstream, 100 iterations; reference: the copy in the released code of
/// NAMID, 40 iterations (spec of both: docs/eval.md).
enum class AutoAttackVersion { v2023, reference };

struct SuiteOptions {
  std::string suite = "pgd";
  Automatic<Combine> combine = {};
  AutoAttackVersion aa_version = AutoAttackVersion::v2023;
  attacks::Compat compat = attacks::Compat::none;
  static constexpr auto fields() {
    using T = SuiteOptions;
    return std::tuple{
        field("suite", &T::suite,
              "pgd (set by --attack-...), autoattack, autoattack-plus, autoattack-rand, apgd-ce+t, "
              "malt, a3, quick, or a list such as 'apgd-ce(steps=50), square(queries=1000)'"),
        field(
            "combine", &T::combine,
            "each attack on all samples (each), or on those not broken yet (worst_case); auto: as "
            "the suite"),
        field("aa_version", &T::aa_version,
              "AutoAttack's settings: upstream of 2023, or the released code's 40 iterations"),
        field("compat", &T::compat,
              "autoattack: repeat the reference's draws and oddities; results then depend on "
              "--batch-size")};
  }
};
NAMID_CHECK_FIELDS(SuiteOptions);

/// What `namid list suites` tells.
struct SuiteInfo {
  std::string_view name, attacks, description;
};
std::vector<SuiteInfo> list_suites();

/// The attacks of `options.suite` with `pgd.budget`:
///   pgd              PGD with the options `pgd`, called "pgd-<steps>"; each
///   autoattack       apgd-ce, apgd-t, fab-t, square (Croce & Hein 2020, arXiv:2003.01690; L1:
///                    2021, arXiv:2103.01208), worst_case, as are the following
///   autoattack-plus  apgd-ce, apgd-dlr, fab, square, apgd-t, fab-t; 5 restarts of the first three
///   autoattack-rand  apgd-ce, apgd-dlr over 20 draws a step (EOT)
///   apgd-ce+t        the first two attacks of autoattack: an upper bound of it, and no AutoAttack
///   malt             malt with its defaults (Melamed et al. 2024, arXiv:2407.02240)
///   a3               a3 with online discarding (discarding.h; Liu et al. 2022, arXiv:2203.05154)
///   quick            apgd-ce of 20 steps, apgd-t of 20 steps on 3 targets: comparable with no
///                    published figure
///   a list           attacks of the registry, in parentheses their options, else their defaults;
///                    targets = least-likely, random or all (attacks/targets.h) too, where the
///                    attack can be targeted and has no option of that name
/// OptionError for an unknown suite, attack or option (with the nearest name), a norm that an
/// attack cannot do, a targeted attack, or an attack named twice.
Suite make_suite(const SuiteOptions& options, const attacks::PgdOptions& pgd);

/// OptionError for a model of fewer classes than an attack needs, with what can be run instead.
void check_classes(const Suite& suite, std::int64_t classes);

/// "pgd-40" for 40 steps; norm, epsilon and all else are in its options. OptionError for options
/// out of range and for a targeted attack, which says nothing about accuracy.
AttackEntry pgd_entry(const attacks::PgdOptions& options);

/// An attack of the registry under a name of its own. OptionError as pgd_entry, and for a norm that
/// the attack cannot do.
AttackEntry entry_of(attacks::NamedAttack attack, std::string name);

}  // namespace namid::eval

namespace namid {
template <>
struct EnumNames<eval::Combine> {
  static constexpr std::array kNames{"each", "worst_case"};
};
template <>
struct EnumNames<eval::AutoAttackVersion> {
  static constexpr std::array kNames{"2023", "reference"};
};
}  // namespace namid
