// SPDX-License-Identifier: Apache-2.0
// Precompiled for the sources of the library; no header includes this file or torch/torch.h.
#pragma once

#include <torch/torch.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>
