// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <initializer_list>
#include <string_view>

#include "namid/core/options.h"

namespace namid::attacks {

/// Whose oddities an attack repeats, as each attack's header lists. none: no one's; autoattack: the
/// reference code of AutoAttack of 2023; reference: the released code of NAMID and the libraries it
/// calls; torchattacks: 3.5.1; foolbox: 3.3.4.
enum class Compat { none, autoattack, reference, torchattacks, foolbox };

/// OptionError "[cw] compat: expected none or reference, got foolbox" where an attack has no such
/// form; `none` is always known.
void check_compat(Compat compat, std::initializer_list<Compat> known, std::string_view where);

}  // namespace namid::attacks

namespace namid {
template <>
struct EnumNames<attacks::Compat> {
  static constexpr std::array kNames{"none", "autoattack", "reference", "torchattacks", "foolbox"};
};
}  // namespace namid
