// SPDX-License-Identifier: Apache-2.0
#include "namid/engine/workspace.h"

#include <cstdlib>
#include <string>

#include "namid/core/error.h"
#if defined(__linux__)
#include <sys/mman.h>
#endif

namespace namid::engine {
namespace {

constexpr std::size_t kHugePage = std::size_t{2} << 20;

}  // namespace

void Workspace::Free::operator()(void* memory) const {
  std::free(memory);
}

float* Workspace::take(std::size_t floats) {
  const auto wanted = (floats * sizeof(float) + kHugePage - 1) / kHugePage * kHugePage;
  if (!memory_ || wanted > bytes_) {
    memory_.reset();
    bytes_ = 0;
    memory_.reset(std::aligned_alloc(kHugePage, wanted));
    if (!memory_)
      throw ResourceError("engine: no memory for a workspace of " + std::to_string(wanted >> 20) +
                          " MiB; use a smaller batch");
#if defined(__linux__)
    // The 36 planes of a block lie far apart: with small pages, every store would miss the TLB.
    madvise(memory_.get(), wanted, MADV_HUGEPAGE);
#endif
    bytes_ = wanted;
  }
  return static_cast<float*>(memory_.get());
}

}  // namespace namid::engine
