// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <string>
#include <vector>

#include "namid/report/html.h"

namespace namid::report {

// A gallery's filters are links to marks before it; the style sheet hides what the mark that is the
// page's target leaves out. No script is needed, and without styles everything is shown.

constexpr int kMostFilters = 60;  ///< on one page

/// What an image belongs to: "broken", "broken by pgd-40", "label coat".
struct Tag {
  std::string text;
  bool folded = false;  ///< among the links that are shown on demand
};
using Tags = std::vector<Tag>;

/// The filters of one gallery.
class GalleryFilters {
 public:
  /// `tags`: of every image; `next`: number of the page's next free filter, raised by those used.
  /// Tags that all images have, and those beyond kMostFilters, become no filter.
  GalleryFilters(const std::vector<Tags>& tags, int& next);

  /// The marks and the links; nothing without a filter.
  void add_links(Html& page) const;
  /// Classes of an image's list item: "f0 f3 f7".
  std::string classes(const Tags& tags) const;

 private:
  struct Filter {
    Tag tag;
    int images = 0, number = 0;
  };
  void add_list(Html& page, bool folded) const;
  std::vector<Filter> filters_;  ///< the first shows all images
};

/// Style rules of all filters that a page may have.
std::string filter_rules();

}  // namespace namid::report
