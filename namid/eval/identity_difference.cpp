// SPDX-License-Identifier: Apache-2.0
#include "namid/eval/identity_difference.h"

namespace namid::eval {

std::optional<IdentityDifference> difference_of(const Ledger::Identity& first,
                                                const Ledger::Identity& second) {
  const auto value_in = [](const Ledger::Identity& identity, const std::string& key) {
    const auto entry = identity.find(key);
    return entry == identity.end() ? "nothing" : entry->second;
  };
  auto all = first;
  all.insert(second.begin(), second.end());
  for (const auto& [key, value] : all) {
    if (key.starts_with("environment")) continue;
    IdentityDifference found{key, value_in(first, key), value_in(second, key)};
    if (found.first != found.second) return found;
  }
  return std::nullopt;
}

}  // namespace namid::eval
