// SPDX-License-Identifier: Apache-2.0
#include "namid/report/gallery_filters.h"

#include <algorithm>

#include "namid/core/format.h"

namespace namid::report {
namespace {

std::string mark(int filter) {
  return str("f", filter);
}

}  // namespace

GalleryFilters::GalleryFilters(const std::vector<Tags>& tags, int& next) {
  const int images = static_cast<int>(tags.size());
  std::map<std::string, Filter> found;
  for (const Tags& of_image : tags)
    for (const Tag& tag : of_image) {
      Filter& filter = found[tag.text];
      filter.tag = tag;
      ++filter.images;
    }
  std::erase_if(found, [&](const auto& entry) { return entry.second.images == images; });
  if (found.empty() || next + 1 >= kMostFilters) return;
  filters_.push_back({.tag = {"all"}, .images = images, .number = next++});
  for (const bool folded : {false, true})
    for (const auto& [text, filter] : found)
      if (filter.tag.folded == folded && next < kMostFilters) {
        filters_.push_back(filter);
        filters_.back().number = next++;
      }
}

void GalleryFilters::add_list(Html& page, bool folded) const {
  page.open("ul", {{"class", "filters"}, {"aria-label", "which images are shown"}});
  for (const Filter& filter : filters_)
    if (filter.tag.folded == folded)
      page.open("li")
          .element("a", str(filter.tag.text, " (", filter.images, ")"),
                   {{"href", "#" + mark(filter.number)}})
          .close();
  page.close();
}

void GalleryFilters::add_links(Html& page) const {
  if (filters_.empty()) return;
  for (const Filter& filter : filters_)
    page.element("span", "", {{"class", "mark"}, {"id", mark(filter.number)}});
  add_list(page, false);
  if (!filters_.back().tag.folded) return;
  page.open("details").element("summary", "By class");
  add_list(page, true);
  page.close();
}

std::string GalleryFilters::classes(const Tags& tags) const {
  std::string classes;
  for (const Filter& filter : filters_) {
    const bool has = filter.tag.text == "all" ||
                     std::any_of(tags.begin(), tags.end(),
                                 [&](const Tag& tag) { return tag.text == filter.tag.text; });
    if (has) classes += str(classes.empty() ? "" : " ", mark(filter.number));
  }
  return classes;
}

std::string filter_rules() {
  std::string rules;
  for (int filter = 0; filter < kMostFilters; ++filter) {
    const auto name = mark(filter);
    rules += str("#", name, ":target~.gallery li:not(.", name, "){display:none}#", name,
                 ":target~* a[href=\"#", name, "\"]{border-color:var(--c0);font-weight:600}\n");
  }
  return rules;
}

}  // namespace namid::report
