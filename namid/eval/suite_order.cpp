// SPDX-License-Identifier: Apache-2.0
#include "namid/eval/suite_order.h"

#include <algorithm>
#include <sstream>

namespace namid::eval {

std::vector<std::string> suite_order(const Ledger& ledger) {
  const auto held = ledger.attacks();
  const auto identity = ledger.identity();
  const auto suite = identity.find("attacks");
  std::istringstream listed(suite == identity.end() ? "" : suite->second);
  std::vector<std::string> names;
  for (std::string name; std::getline(listed, name, ',');)
    if (std::find(held.begin(), held.end(), name) != held.end()) names.push_back(name);
  for (const auto& name : held)
    if (std::find(names.begin(), names.end(), name) == names.end()) names.push_back(name);
  return names;
}

}  // namespace namid::eval
