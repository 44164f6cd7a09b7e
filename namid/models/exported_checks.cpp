// SPDX-License-Identifier: Apache-2.0
#include "namid/core/error.h"
#include "namid/core/format.h"
#include "namid/models/copy_state.h"
#include "namid/models/exported_ops.h"

namespace namid::models {
namespace {

/// BatchNorm by its inner names: input, weight, bias, running mean, running variance; of each that
/// is given one number per channel.
void check_statistics(const std::vector<c10::IValue>& arguments) {
  if (!arguments[0].isTensor() || arguments[0].toTensor().dim() < 2)
    throw DataError("expected images with channels");
  const auto channels = arguments[0].toTensor().size(1);
  for (std::size_t i = 1; i <= 4; ++i) {
    if (!arguments[i].isTensor() || !arguments[i].toTensor().defined()) continue;
    const auto& given = arguments[i].toTensor();
    if (given.dim() != 1 || given.size(0) != channels || !given.is_floating_point())
      throw DataError(str("expected one number for each of ", channels, " channels, got ",
                          shape_text(given.sizes())));
  }
  if (arguments[3].isNone() || arguments[4].isNone())
    throw DataError("expected running statistics");
}

}  // namespace

ArgumentCheck argument_check(const std::string& name) {
  const bool statistics = name == "native_batch_norm" || name == "_native_batch_norm_legit" ||
                          name == "_native_batch_norm_legit_no_training" ||
                          name == "_batch_norm_no_update";
  return statistics ? check_statistics : nullptr;
}

}  // namespace namid::models
