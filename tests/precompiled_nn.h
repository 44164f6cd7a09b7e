// SPDX-License-Identifier: Apache-2.0
// Precompiled for the tests of what builds networks or optimises them. No header includes this
// file.
#pragma once

#include <gtest/gtest.h>

#include "namid/precompiled_nn.h"
