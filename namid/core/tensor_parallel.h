// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <c10/util/FunctionRef.h>

#include <cstdint>

namespace namid {

/// Calls `task(first, last)` on pieces of [begin, end) that are at least `grain` long, on
/// LibTorch's own threads: at::parallel_for runs in the caller's thread where a source is compiled
/// without OpenMP, and a second OpenMP would bring a second set of threads. Pieces must not depend
/// on each other; how many there are depends on at::get_num_threads(). A piece that throws ends
/// there; of several, what the first of them in order threw is thrown again once all have ended.
void parallel_for(std::int64_t begin, std::int64_t end, std::int64_t grain,
                  c10::function_ref<void(std::int64_t, std::int64_t)> task);

/// Calls `task(i)` once for each i of [0, count), on LibTorch's threads; each takes the next when
/// it has done one, so that a thread that is held up holds no other up. What is thrown is thrown
/// again once all threads have ended; what was not begun by then may be left undone.
void parallel_each(std::int64_t count, c10::function_ref<void(std::int64_t)> task);

}  // namespace namid
