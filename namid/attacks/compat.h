// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>

#include "namid/core/options.h"

namespace namid::attacks {

/// Whose oddities an attack repeats. none: no one's; autoattack: the reference code of AutoAttack
/// of 2023, as each attack's header lists.
enum class Compat { none, autoattack };

}  // namespace namid::attacks

namespace namid {
template <>
struct EnumNames<attacks::Compat> {
  static constexpr std::array kNames{"none", "autoattack"};
};
}  // namespace namid
