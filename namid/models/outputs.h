// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>

#include "namid/core/options.h"
#include "namid/models/classifier.h"

namespace namid::models {

/// What a program gives. probabilities: its softmax cannot be taken out.
enum class Outputs { logits, probabilities };

/// The classifier whose logits are log p, where `model` gives p = softmax(z): log p = z up to a
/// constant of each row, which no attack's loss feels. What was rounded to 0 cannot be told apart
/// any more and becomes log 1e-38, without gradient. Of `Outputs::logits`, `model` itself; of the
/// other, `model` is put in eval mode.
Classifier with_logits(const Classifier& model, Outputs outputs);

}  // namespace namid::models

namespace namid {
template <>
struct EnumNames<models::Outputs> {
  static constexpr std::array kNames{"logits", "probabilities"};
};
}  // namespace namid
