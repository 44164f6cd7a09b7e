// SPDX-License-Identifier: Apache-2.0
// Precompiled for the tests. No header includes this file.
#pragma once

#include <gtest/gtest.h>

#include "namid/precompiled.h"
