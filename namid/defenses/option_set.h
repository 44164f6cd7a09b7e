// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "namid/core/option_set.h"
#include "namid/defenses/registry.h"

namespace namid::defenses {

/// Adds the options that `defense` reads to `set`, which must not outlive `options`: those of the
/// training attack under "attack" (natural: none), then its own ("trades", "namid", ...), for whom
/// a defence is used by itself and need not see those of the others. bn_updates and full_batch,
/// which belong to the loop around it, are not among them.
void add_options(OptionSet& set, Defense defense, DefenseOptions& options);

}  // namespace namid::defenses
