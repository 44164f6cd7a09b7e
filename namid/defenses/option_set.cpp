// SPDX-License-Identifier: Apache-2.0
#include "namid/defenses/option_set.h"

namespace namid::defenses {

void add_options(OptionSet& set, Defense defense, DefenseOptions& options) {
  if (defense != Defense::natural) set.add("attack", options.attack);
  switch (defense) {
    case Defense::trades:
      set.add("trades", options.trades);
      return;
    case Defense::mart:
      set.add("mart", options.mart);
      return;
    case Defense::mma:
      set.add("mma", options.mma);
      return;
    case Defense::at_mim:
      set.add("at_mim", options.at_mim).add("namid", options.namid, false);
      return;
    case Defense::namid:
      set.add("namid", options.namid);
      return;
    case Defense::namid_t:
      set.add("namid", options.namid).add("trades", options.trades);
      return;
    case Defense::namid_m:
      set.add("namid", options.namid).add("mart", options.mart);
      return;
    case Defense::natural:
    case Defense::standard:
    case Defense::mma_reference:
      return;
  }
}

}  // namespace namid::defenses
