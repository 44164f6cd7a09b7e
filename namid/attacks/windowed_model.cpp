// SPDX-License-Identifier: Apache-2.0
#include "namid/attacks/windowed_model.h"

#include <optional>
#include <utility>

#include "namid/models/region_forward.h"

namespace namid::attacks {

struct WindowedModel::Regions {
  std::unique_ptr<models::RegionForward> forward;
  std::optional<models::Rectangle> expected = {};
  bool known = false;
};

WindowedModel::WindowedModel(const Classifier& model, std::int64_t rows, bool wanted)
    : classifier_(model) {
  auto forward = wanted ? model.region_forward(rows) : nullptr;
  if (!forward) return;
  regions_ = std::make_shared<Regions>(Regions{.forward = std::move(forward)});
  auto info = model.info();
  info.mean = info.std = {};  // the model normalises
  classifier_ = Classifier(
      [model, regions = regions_](const at::Tensor& x) {
        const auto window = std::exchange(regions->expected, std::nullopt);
        return window ? regions->forward->logits(x, *window) : model(x);
      },
      std::move(info));
}

void WindowedModel::expect(const at::Tensor& best, const models::Rectangle& window) {
  if (!regions_) return;
  if (!std::exchange(regions_->known, true)) regions_->forward->keep(best);
  regions_->expected = window;
}

void WindowedModel::accept(const at::Tensor& rows) {
  if (regions_ && regions_->known) regions_->forward->accept(rows);
}

}  // namespace namid::attacks
