// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>

namespace namid::app {

/// Runs work(0), ..., work(n − 1), each in a process of its own, and waits for all of them. A
/// signal that ends this process is passed on, so that they save their state and stop. Throws
/// run::Interrupted if one of them was interrupted, else the first one's failure under its own
/// exit code. To be called before threads or a GPU are in use, which a fork does not take along.
void run_jobs(int n, const std::function<void(int)>& work);

}  // namespace namid::app
