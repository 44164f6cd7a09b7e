// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>

#include "namid/core/options.h"

namespace namid {

// What a comparison is able to see: the difference that a two-sided test at level alpha finds with
// probability `power`. To be reported beside "no significant difference".

struct Design {
  double alpha = 0.05;
  double power = 0.8;
  static constexpr auto fields() {
    return std::tuple{
        field("alpha", &Design::alpha, "level of the two-sided test", between(1e-4, 0.5)),
        field("power", &Design::power, "probability of finding the difference",
              between(1e-4, 0.999)),
    };
  }
};
NAMID_CHECK_FIELDS(Design);

/// Power of the paired t test for a mean difference `effect`, where single differences have
/// standard deviation `sd`: P[|T| > t], T noncentral t with pairs - 1 degrees of freedom and shift
/// √pairs · effect / sd, t the two-sided critical value (Cohen 1988, Ch. 2). Exact for normal
/// differences. Throws OptionError unless pairs ≥ 2, sd > 0, effect finite and alpha in range.
double paired_power(double effect, double sd, std::int64_t pairs, double alpha = 0.05);

/// Minimum detectable effect: the effect > 0 with paired_power = power, by bisection to relative
/// 1e-12, in sd's unit. sd is usually the observed one; the figure inherits its error (for 5 pairs
/// ±35 %, one standard error). For the sign-flip test (paired_tests.h) an approximation from below:
/// it has the t test's power as the pairs grow (Hoeffding 1952), and none at all while
/// smallest_sign_flip_p(pairs) > alpha. sd = 0 gives 0. Throws OptionError unless pairs ≥ 2, sd ≥ 0
/// and power > alpha.
double detectable_effect(double sd, std::int64_t pairs, const Design& design = {});

/// Power of the exact McNemar test for a difference of accuracies `difference`, where a share
/// `discordance` of the images is right for exactly one model: Σ_m P[Binomial(images, discordance)
/// = m] P[reject | m], only_first ~ Binomial(m, (1 + difference/discordance)/2). Summed exactly,
/// over the m within 9 standard deviations. Throws OptionError unless images ≥ 1, discordance in
/// (0, 1], |difference| ≤ discordance and alpha in range.
double mcnemar_power(double difference, double discordance, std::int64_t images,
                     double alpha = 0.05);

/// Minimum detectable difference of accuracies in (0, discordance], by bisection to relative 1e-12.
/// None where even difference = discordance (one model right wherever they differ) lacks the power.
/// Throws OptionError as mcnemar_power does, and unless power > alpha.
std::optional<double> detectable_difference(double discordance, std::int64_t images,
                                            const Design& design = {});

}  // namespace namid
