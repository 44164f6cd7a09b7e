// SPDX-License-Identifier: Apache-2.0
// Precompiled for most sources: tensors and autograd, not torch's modules and optimisers, whose
// headers double its size and with it the time of every compilation. No header includes this file.
#pragma once

#include <torch/csrc/autograd/autograd.h>
#include <torch/types.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>
