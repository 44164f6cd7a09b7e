// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>

#include "namid/eval/ledger.h"

namespace namid::eval {

/// An entry in which two identities differ; where one lacks it, its value is "nothing".
struct IdentityDifference {
  std::string key, first, second;
};

/// The first one, by key; those whose key begins with "environment" do not count.
std::optional<IdentityDifference> difference_of(const Ledger::Identity& first,
                                                const Ledger::Identity& second);

}  // namespace namid::eval
