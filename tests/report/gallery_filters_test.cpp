// SPDX-License-Identifier: Apache-2.0
#include "namid/report/gallery_filters.h"

#include <gtest/gtest.h>

#include "report/has.h"

namespace namid::report {
namespace {

using testing::has;

TEST(GalleryFilters, LinksLeadToMarksThatTheRulesKnow) {
  int next = 3;
  const std::vector<Tags> tags = {{{"broken"}, {"label cat", true}},
                                  {{"broken"}, {"label dog", true}},
                                  {{"held out"}, {"label dog", true}}};
  const GalleryFilters filters(tags, next);
  EXPECT_EQ(next, 8) << "all, broken, held out, two labels";
  Html page;
  filters.add_links(page);
  for (const char* part : {"id=\"f3\"", "href=\"#f3\">all (3)", "href=\"#f4\">broken (2)",
                           "held out (1)", "<details>", "label dog (2)"})
    EXPECT_TRUE(has(page.markup(), part)) << part;
  EXPECT_EQ(filters.classes(tags[0]), "f3 f4 f6");
  EXPECT_EQ(filters.classes(tags[2]), "f3 f5 f7");
  EXPECT_TRUE(has(filter_rules(), "#f7:target~.gallery li:not(.f7){display:none}"));
}

TEST(GalleryFilters, WhatAllImagesShareIsNoFilter) {
  int next = 0;
  const GalleryFilters filters({{{"broken"}}, {{"broken"}}}, next);
  EXPECT_EQ(next, 0);
  Html page;
  filters.add_links(page);
  EXPECT_TRUE(page.is_empty());
  EXPECT_EQ(filters.classes({{"broken"}}), "");
}

TEST(GalleryFilters, EndWhereTheRulesEnd) {
  int next = 0;
  std::vector<Tags> tags;
  for (int i = 0; i < 100; ++i) tags.push_back({{std::to_string(i)}});
  const GalleryFilters filters(tags, next);
  EXPECT_EQ(next, kMostFilters);
  const GalleryFilters none(tags, next);
  EXPECT_EQ(next, kMostFilters);
  EXPECT_EQ(none.classes(tags[0]), "");
}

}  // namespace
}  // namespace namid::report
