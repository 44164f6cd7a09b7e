// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <string>
#include <string_view>

#include "namid/core/confidence_sequence.h"

namespace namid {

enum class Quantity { natural, robust };
template <>
struct EnumNames<Quantity> {
  static constexpr std::array kNames{"natural", "robust"};
};

enum class Comparison { at_least, above, at_most, below };
template <>
struct EnumNames<Comparison> {
  static constexpr std::array kNames{">=", ">", "<=", "<"};
};

/// A claim about an accuracy on a set of images, e.g. robust accuracy ≥ 0.45.
struct Claim {
  Quantity quantity = Quantity::robust;
  Comparison comparison = Comparison::at_least;
  double threshold = 0;  ///< a share in [0, 1]

  bool holds(double accuracy) const;
};

/// "robust>=0.45", "natural > 90%", "robust>=9/20": natural or robust; >=, >, <= or <; a share in
/// [0, 1], a percentage or a fraction; blanks do not matter. The threshold is the double nearest to
/// the text, so K/N = 45/100 meets 45%. Throws OptionError saying what is expected.
Claim parse_claim(std::string_view text);

/// The text that parse_claim reads back as the same claim: "robust>=0.45".
std::string to_string(const Claim& claim);

enum class Decision { no, yes, open };
template <>
struct EnumNames<Decision> {
  static constexpr std::array kNames{"no", "yes", "not yet"};
};

/// Whether the sequence decides the claim about the set's own images: yes (no) where it holds
/// (fails) for every count not excluded. Asked after each image, a wrong answer has probability
/// alpha at most in all; after the last image the answer is never open.
Decision decide(const Claim& claim, const ConfidenceSequence& sequence);

}  // namespace namid
