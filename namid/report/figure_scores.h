// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "namid/report/text_table.h"

namespace namid::report {

/// One value of the NAMID paper's Fig. 2 or 4 (Zhou et al., ICML 2022), read off its vector
/// graphics to about 0.3 % of the axis; Fig. 4 has error bars of about 0.08.
struct PublishedScore {
  std::string figure;    ///< "fig2", "fig4"
  std::string critic;    ///< objective of the estimators; Fig. 4: separate (MIM), selected (ours)
  std::string attack;    ///< "pgd-10", "autoattack", ...; of Fig. 4 the paper does not say which
  std::string quantity;  ///< as eval::SampleScores names it: "natural_on_natural"
  double value = 0;      ///< offset rule of eval::offset_means
};
const std::vector<PublishedScore>& published_scores();

/// "I(x; h(x))" of "natural_on_natural": a score as the paper writes it, though no mutual
/// information.
std::string score_symbol(const std::string& quantity);

/// Fig. 2 or 4 over seeds, from the results of `namid mi` of each: a list of {"critic", "attack",
/// "quantity", "published" (or null), "values" (one a seed), "mean", "sd"}, the paper's values
/// first and in its order. "values" is empty and "mean" null for what was not measured.
nlohmann::json figure_scores(const std::string& figure, const std::vector<nlohmann::json>& studies);

/// Such a list as lines of a table; what was not measured says "not available".
TableLines score_lines(const nlohmann::json& scores);

}  // namespace namid::report
