// SPDX-License-Identifier: Apache-2.0
#include "namid/models/seeded_scope.h"

namespace namid::models {
namespace {
std::recursive_mutex& scope_mutex() {
  static std::recursive_mutex mutex;
  return mutex;
}
}  // namespace

SeededScope::SeededScope(std::uint64_t seed) : alone_(scope_mutex()) {
  at::Generator generator = at::detail::getDefaultCPUGenerator();
  const std::lock_guard lock(generator.mutex());
  saved_ = generator.get_state();
  generator.set_current_seed(seed);
}

SeededScope::~SeededScope() {
  at::Generator generator = at::detail::getDefaultCPUGenerator();
  const std::lock_guard lock(generator.mutex());
  generator.set_state(saved_);
}

}  // namespace namid::models
