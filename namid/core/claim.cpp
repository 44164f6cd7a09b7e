// SPDX-License-Identifier: Apache-2.0
#include "namid/core/claim.h"

#include <algorithm>
#include <cctype>
#include <iterator>
#include <string>

namespace namid {
namespace {

constexpr std::string_view kExpected =
    "expected a claim such as robust>=0.45, robust>45% or natural>=9/10";

/// "45.1%" through "45.1e-2": dividing 45.1 by 100 would round twice.
double parse_share(const std::string& text) {
  if (!text.ends_with('%')) return parse_number(text);
  const auto digits = text.substr(0, text.size() - 1);
  const bool plain = digits.find_first_of("eE/") == std::string::npos;
  return plain ? parse_number(digits + "e-2") : parse_number(digits) / 100;
}

[[noreturn]] void refuse(std::string_view text, std::string_view why) {
  throw OptionError(str(kExpected, ", got '", text, "'", why));
}

}  // namespace

bool Claim::holds(double accuracy) const {
  switch (comparison) {
    case Comparison::at_least:
      return accuracy >= threshold;
    case Comparison::above:
      return accuracy > threshold;
    case Comparison::at_most:
      return accuracy <= threshold;
    case Comparison::below:
      return accuracy < threshold;
  }
  return false;
}

Claim parse_claim(std::string_view text) {
  std::string plain;
  std::copy_if(text.begin(), text.end(), std::back_inserter(plain),
               [](unsigned char c) { return !std::isspace(c); });
  const auto sign = plain.find_first_of("<>");
  if (sign == std::string::npos) refuse(text, "");
  const bool equal = plain.substr(sign + 1, 1) == "=";
  Claim claim;
  claim.comparison = plain[sign] == '>' ? (equal ? Comparison::at_least : Comparison::above)
                                        : (equal ? Comparison::at_most : Comparison::below);
  const auto quantity = plain.substr(0, sign);
  const auto& names = EnumNames<Quantity>::kNames;
  const auto found = std::find(names.begin(), names.end(), quantity);
  if (found == names.end()) refuse(text, ": the quantity is natural or robust");
  claim.quantity = static_cast<Quantity>(found - names.begin());
  try {
    claim.threshold = parse_share(plain.substr(sign + (equal ? 2 : 1)));
  } catch (const OptionError& error) {
    refuse(text, str(": ", error.what()));
  }
  if (!between(0, 1).contains(claim.threshold))
    refuse(text, ": the threshold is a share in [0, 1] or a percentage");
  return claim;
}

std::string to_string(const Claim& claim) {
  return str(to_string(claim.quantity), to_string(claim.comparison), claim.threshold);
}

Decision decide(const Claim& claim, const ConfidenceSequence& sequence) {
  const auto [low, high] = sequence.interval();
  const bool at_low = claim.holds(low), at_high = claim.holds(high);
  if (at_low != at_high) return Decision::open;
  return at_low ? Decision::yes : Decision::no;
}

}  // namespace namid
