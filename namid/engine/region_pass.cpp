// SPDX-License-Identifier: Apache-2.0
#include "namid/engine/region_pass.h"

#include <algorithm>
#include <cstring>

#include "namid/core/tensor_parallel.h"

namespace namid::engine {
namespace {

/// Calls visit(offset, count) for the rows of a rectangle of one image's value, in floats.
template <class Visit>
void for_each_row(const Step& step, std::int64_t image, const Rectangle& rectangle,
                  const Visit& visit) {
  const auto count = rectangle.columns.length() * step.channels;
  for (auto row = rectangle.rows.first; row < rectangle.rows.last; ++row)
    visit(((image * step.height + row) * step.width + rectangle.columns.first) * step.channels,
          count);
}

}  // namespace

std::vector<PartOf> parts(const Network& network, std::int64_t rows) {
  std::vector<PartOf> all;
  for (std::size_t i = 0; i < network.plan().steps.size(); ++i) {
    const auto& step = network.plan().steps[i];
    const auto* convolution = network.convolution(i);
    // Pixels of whole blocks of 16 numbers, as pointwise passes take them.
    const bool pixels = step.op == StepOp::pointwise && step.channels % 16 == 0;
    all.push_back(convolution && convolution->by_tiles(rows) ? PartOf::tiles
                  : pixels                                   ? PartOf::pixels
                                                             : PartOf::nothing);
  }
  return all;
}

void RegionPass::keep(const at::Tensor& x) {
  rows_ = x.size(0);
  values_[0] = images(x);
  plan_.reset();
  kept_.assign(steps_.size(), {});
  differs_.clear();
  kept_[0] = values_[0].clone();
}

/// Makes a plan for rectangles of that size. What further steps keep for it is computed anew.
void RegionPass::fit(const Rectangle& changed) {
  if (plan_ && plan_->fits(changed)) return;
  const auto before = plan_ ? plan_->in_part() : std::vector<bool>{};
  plan_.emplace(network_.plan(), parts(network_, rows_), changed.rows.length(),
                changed.columns.length());
  if (plan_->in_part() != before) keep_values();
}

void RegionPass::keep_values() {
  values_[0].copy_(kept_[0]);
  for (std::size_t i = 1; i < steps_.size(); ++i) {
    values_[i] = compute(i);
    kept_[i] = plan_->in_part(i) ? values_[i].clone() : at::Tensor();
  }
}

at::Tensor RegionPass::logits(const at::Tensor& x, const Rectangle& changed) {
  settle({});
  fit(changed);
  values_[0] = images(x);
  auto differs = plan_->changed(changed);
  for (std::size_t i = 1; i < steps_.size(); ++i) {
    if (plan_->in_part(i))
      compute_part(i, differs[i]);
    else
      values_[i] = compute(i);
  }
  differs_ = std::move(differs);
  return values_.back().view({rows_, -1}).clone();
}

void RegionPass::compute_part(std::size_t i, const Rectangle& changed) {
  if (changed.area() == 0) return;
  if (steps_[i].op == StepOp::pointwise) return pointwise_part(i, changed);
  network_.convolution(i)->forward_tiles(values_[steps_[i].input], values_[i], changed, epilogue(i),
                                         memory_);
}

void RegionPass::pointwise_part(std::size_t i, const Rectangle& changed) {
  const auto& step = steps_[i];
  const auto& ready = network_.ready_[i];
  const auto after = epilogue(i);
  const auto* x = values_[step.input].const_data_ptr<float>();
  auto* y = values_[i].data_ptr<float>();
  parallel_for(0, rows_, 1, [&](std::int64_t begin, std::int64_t end) {
    for (auto image = begin; image < end; ++image)
      for_each_row(step, image, changed, [&](std::int64_t offset, std::int64_t count) {
        auto here = after;
        if (here.residual) here.residual += offset;
        pointwise(x + offset, y + offset, count, ready.scale, ready.shift, here);
      });
  });
}

void RegionPass::settle(const at::Tensor& accepted) {
  if (differs_.empty()) return;
  const auto* rows = accepted.defined() ? accepted.const_data_ptr<bool>() : nullptr;
  parallel_for(0, rows_, 1, [&](std::int64_t begin, std::int64_t end) {
    for (auto image = begin; image < end; ++image) settle_image(image, rows && rows[image]);
  });
  differs_.clear();
}

void RegionPass::settle_image(std::int64_t image, bool accepted) const {
  for (std::size_t i = 0; i < steps_.size(); ++i) {
    if (!kept_[i].defined()) continue;
    const auto& from = accepted ? values_[i] : kept_[i];
    const auto& to = accepted ? kept_[i] : values_[i];
    for_each_row(steps_[i], image, differs_[i], [&](std::int64_t offset, std::int64_t count) {
      std::memcpy(to.data_ptr<float>() + offset, from.const_data_ptr<float>() + offset,
                  static_cast<std::size_t>(count) * sizeof(float));
    });
  }
}

}  // namespace namid::engine
