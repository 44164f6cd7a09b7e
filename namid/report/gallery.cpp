// SPDX-License-Identifier: Apache-2.0
#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <sstream>

#include "namid/core/error.h"
#include "namid/core/format.h"
#include "namid/report/gallery_filters.h"
#include "namid/report/parts.h"
#include "namid/report/png_url.h"
#include "namid/report/results.h"
#include "namid/report/sections.h"
#include "namid/run/tensor_file.h"

namespace namid::report {
namespace {

constexpr std::int64_t kMostImages = 48, kLargestSide = 512;
constexpr double kMostAmplification = 100;

struct Gallery {
  at::Tensor x, x_adv;                     ///< float32 (N, C, H, W), C 1 or 3
  at::Tensor y, predicted, predicted_adv;  ///< int64 (N), or undefined
  std::vector<std::string> attacks;        ///< of each image; empty texts where not known
};

/// The metadata name one attack for all images or one for each, divided by commas.
std::vector<std::string> attacks_of(const std::map<std::string, std::string>& metadata,
                                    std::int64_t count) {
  std::vector<std::string> names(static_cast<std::size_t>(count));
  const auto found = metadata.find("attack");
  if (found == metadata.end()) return names;
  std::vector<std::string> listed;
  std::istringstream text(found->second);
  for (std::string name; std::getline(text, name, ',');) listed.push_back(name);
  if (listed.size() == 1) std::fill(names.begin(), names.end(), listed[0]);
  if (std::ssize(listed) == count) names = listed;
  return names;
}

at::Tensor labels_of(const TensorMap& tensors, const char* name, std::int64_t count) {
  const at::Tensor found = find_tensor(tensors, name);
  const bool fits = found.defined() && found.scalar_type() == at::kLong && found.dim() == 1 &&
                    found.size(0) == count;
  return fits ? found : at::Tensor();
}

bool is_image_batch(const at::Tensor& x) {
  return x.defined() && x.scalar_type() == at::kFloat && x.dim() == 4 && x.size(0) > 0 &&
         x.size(2) > 0 && x.size(3) > 0;
}

bool can_be_shown(const at::Tensor& x) {
  return (x.size(1) == 1 || x.size(1) == 3) && std::max(x.size(2), x.size(3)) <= kLargestSide;
}

std::optional<Gallery> read_gallery(const RunData& run) {
  const auto path = run.path / "gallery.safetensors";
  if (!std::filesystem::exists(path)) return std::nullopt;
  const auto [tensors, metadata] = run::read_tensor_file(path);
  const at::Tensor x = find_tensor(tensors, "x"), x_adv = find_tensor(tensors, "x_adv");
  if (!is_image_batch(x) || !is_image_batch(x_adv) || x.sizes() != x_adv.sizes()) {
    throw DataError(str(path.string(),
                        ": expected tensors x and x_adv, float32 (N, C, H, W), of one "
                        "shape"));
  }
  if (!can_be_shown(x)) return std::nullopt;
  return Gallery{x,
                 x_adv,
                 labels_of(tensors, "y", x.size(0)),
                 labels_of(tensors, "prediction", x.size(0)),
                 labels_of(tensors, "prediction_adv", x.size(0)),
                 attacks_of(metadata, x.size(0))};
}

std::string url_of(const at::Tensor& image) {
  const at::Tensor bytes = at::nan_to_num(image)
                               .clamp(0, 1)
                               .mul(255)
                               .round()
                               .to(at::kByte)
                               .permute({1, 2, 0})
                               .contiguous();
  const std::span<const std::uint8_t> pixels(bytes.const_data_ptr<std::uint8_t>(),
                                             static_cast<std::size_t>(bytes.numel()));
  const auto size = [&](int axis) { return static_cast<std::uint32_t>(bytes.size(axis)); };
  return png_url(pixels, size(0), size(1), size(2));
}

/// The whole factor that brings the largest difference of the gallery close to the ends of grey.
double amplification(const Gallery& gallery) {
  const double largest = at::nan_to_num(gallery.x_adv - gallery.x).abs().max().item<double>();
  if (!(largest > 0)) return 1;
  return std::clamp(std::floor(0.5 / largest + 1e-4), 1.0, kMostAmplification);
}

std::string class_at(const RunData& run, const at::Tensor& labels, std::int64_t index) {
  if (!labels.defined()) return {};
  const auto label = labels[index].item<std::int64_t>();
  const std::string known = text_at(run.record, str("data/classes/", label));
  return known.empty() ? str("class ", label) : known;
}

bool held_out(const Gallery& gallery, std::int64_t index) {
  return gallery.y.defined() && gallery.predicted_adv.defined() &&
         gallery.y[index].item<std::int64_t>() == gallery.predicted_adv[index].item<std::int64_t>();
}

Tags tags_of(const RunData& run, const Gallery& gallery, std::int64_t index) {
  Tags tags;
  const auto& attack = gallery.attacks[static_cast<std::size_t>(index)];
  const bool held = held_out(gallery, index);
  tags.push_back({held ? "held out" : "broken"});
  if (!held && !attack.empty()) tags.push_back({"broken by " + attack});
  const std::string label = class_at(run, gallery.y, index);
  if (!label.empty()) tags.push_back({"label " + label, true});
  const std::string after = class_at(run, gallery.predicted_adv, index);
  if (!held && !after.empty()) tags.push_back({"taken for " + after, true});
  return tags;
}

void add_image(Html& page, const at::Tensor& image, const std::string& name,
               const std::string& alternative) {
  page.open("div")
      .empty("img", {{"src", url_of(image)},
                     {"alt", alternative},
                     {"width", std::to_string(image.size(2))},
                     {"height", std::to_string(image.size(1))}})
      .element("span", name)
      .close();
}

/// An image in three pictures with its verdict, inside an open list item.
void add_sample(Html& page, const RunData& run, const Gallery& gallery, std::int64_t index,
                double factor) {
  const at::Tensor x = gallery.x[index], x_adv = gallery.x_adv[index];
  const std::string label = class_at(run, gallery.y, index);
  const std::string before = class_at(run, gallery.predicted, index);
  const std::string after = class_at(run, gallery.predicted_adv, index);
  const auto& attack = gallery.attacks[static_cast<std::size_t>(index)];
  page.open("div", {{"class", "triple"}});
  add_image(page, x, "clean", str("clean image, label ", label));
  add_image(page, x_adv, "adversarial", str("adversarial image, predicted ", after));
  add_image(page, (x_adv - x) * factor + 0.5, str("difference ×", fixed(factor, 0)),
            "difference, amplified");
  page.close().open("p", {{"class", "verdict"}});
  if (!label.empty()) page.text("label ").element("strong", label);
  if (!before.empty()) page.text(", clean: ").element("strong", before);
  if (!after.empty()) page.text(", attacked: ").element("strong", after);
  if (!attack.empty())
    page.text(str(held_out(gallery, index) ? ", held out against " : " by ", attack));
  page.close();
}

/// `next_filter`: the first free number of a filter on the page.
void add_samples(Html& page, const RunData& run, const Gallery& gallery, int& next_filter) {
  const double factor = amplification(gallery);
  const std::int64_t count = std::min(gallery.x.size(0), kMostImages);
  std::vector<Tags> tags;
  for (std::int64_t i = 0; i < count; ++i) tags.push_back(tags_of(run, gallery, i));
  const GalleryFilters filters(tags, next_filter);
  page.open("div");
  filters.add_links(page);
  page.open("ul", {{"class", "gallery"}});
  for (std::int64_t i = 0; i < count; ++i) {
    page.open("li", {{"class", filters.classes(tags[static_cast<std::size_t>(i)])}});
    add_sample(page, run, gallery, i, factor);
    page.close();
  }
  page.close().close();
}

}  // namespace

void add_gallery(Html& page, const RunData& run) {
  bool has_heading = false;
  int next_filter = 0;
  const auto evaluations = evaluations_of(run);
  for (const auto& [name, evaluation] : evaluations) {
    const auto gallery = read_gallery(*evaluation);
    if (!gallery) continue;
    if (!has_heading) {
      add_heading(page, "Images");
      add_paragraph(
          page,
          "Differences are drawn around mid grey, multiplied by the factor below each; 0 is "
          "grey, brighter is more, darker is less.");
    }
    has_heading = true;
    if (evaluation == &run) {
      add_samples(page, *evaluation, *gallery, next_filter);
      continue;
    }
    if (name == evaluations.back().first) {  // one set is seen at once, the others on demand
      page.open("details", {{"open", ""}});
    } else {
      page.open("details");
    }
    page.element("summary", name);
    add_samples(page, *evaluation, *gallery, next_filter);
    page.close();
  }
}

}  // namespace namid::report
