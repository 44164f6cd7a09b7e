// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace namid::report {

/// An accuracy in percent as the paper prints it; its figures have no deviation.
struct Published {
  double mean = 0;
  std::optional<double> sd;
};

/// One row of the NAMID paper's tables (Zhou et al., ICML 2022) in namid's names: data "cifar10" or
/// "tiny-imagenet", defense as `namid list defenses` says ("at-mim" is the paper's WMIM), norm
/// "linf" or "l2" of training and of every attack. Tables 5 and 6 are black-box: adversarial images
/// of a VGG-19 after standard adversarial training.
struct PublishedRow {
  std::string table;  ///< "3" to "6", "fig5", "fig7"
  std::string data, norm, defense;
  std::string variant;  ///< "", or of Fig. 5 the ablation, of Fig. 7 the estimators' objective
  std::vector<std::optional<Published>> values;  ///< one for each of `published_columns(table)`
};

/// Attacks that head a table's columns; "none": natural accuracy.
std::vector<std::string> published_columns(std::string_view table);

/// Every row of Tables 3 to 6 and of Fig. 5 and 7, in the paper's order. Table 1 is Tables 3 and 4
/// without deviations, Table 2 the CIFAR-10 rows of Table 5 without TI-DIM. (For TRADES on
/// Tiny-ImageNet under AA Table 1 prints 12.36, Table 3 12.63; the bars of Fig. 5 and 7 are not all
/// those of Table 1. Here each has its own.)
const std::vector<PublishedRow>& published_rows();

/// The row, or null if the paper has none.
const PublishedRow* find_published(std::string_view table, std::string_view data,
                                   std::string_view norm, std::string_view defense,
                                   std::string_view variant = "");

}  // namespace namid::report
