// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "namid/eval/suite.h"

namespace namid::eval {

/// The suite, its attacks shown the compiled model (engine/compile.h) instead of the model itself,
/// which goes on to predict and to judge: no verdict rests on compiled code. `kernels` names how it
/// computes; a ledger of other kernels is refused. Empty, not compiled: the suite as it is.
Suite through_engine(Suite suite, const models::Classifier& compiled, const std::string& kernels);

}  // namespace namid::eval
