// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "namid/models/classifier.h"

namespace namid::models {

/// The same classifier computed in bfloat16: its forward runs under LibTorch's autocast on its
/// device, so that convolutions and matrix products take bfloat16 copies of their float32 operands
/// (8 bits of precision, float32's range), the last linear layer among them; what autocast leaves
/// alone stays as it is. Normalisation is float32. Logits come back as float32 and are
/// differentiable by the images; the gradient goes through the same bfloat16 layers.
///
/// For making adversarial images, never for judging them: logits are off by about 2⁻⁸ of the
/// largest. A handle on the model, not a copy: weights, mode and info are the model's, and remain
/// float32. The calling thread's autocast state is restored after every forward. A model without a
/// layer that autocast knows computes as before. OptionError where this LibTorch has no autocast
/// for the model's device.
Classifier in_bfloat16(const Classifier& model);

}  // namespace namid::models
