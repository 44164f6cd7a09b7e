// SPDX-License-Identifier: Apache-2.0
// Precompiled for the commands. No header includes this file.
#pragma once

#include <CLI/CLI.hpp>

#include "namid/precompiled.h"
