// SPDX-License-Identifier: Apache-2.0
#include "namid/attacks/spatial_flow.h"

#include <limits>

#include "namid/attacks/attack_scope.h"
#include "namid/attacks/checks.h"
#include "namid/attacks/gradient.h"
#include "namid/attacks/lbfgs.h"
#include "namid/attacks/losses.h"
#include "namid/attacks/norms.h"

namespace namid::attacks {
namespace {

constexpr std::string_view kSpatialFlow = "spatial-flow";
constexpr std::int64_t kBilinearGrid = 0, kBlackOutside = 0;  // of torch's grid_sampler
constexpr double kRounding = 1e-20;

/// Where pixels of an image lie, float64 (H, W, 2): u to the right, v down.
at::Tensor pixel_centres(const at::Tensor& images) {
  const auto axis = [&](std::int64_t size) {
    const auto steps = at::arange(size, images.options().dtype(at::kDouble));
    return (2 * steps + 1) / static_cast<double>(size) - 1;
  };
  const auto rows = images.size(2), columns = images.size(3);
  return at::stack({axis(columns).view({1, -1}).expand({rows, columns}),
                    axis(rows).view({-1, 1}).expand({rows, columns})},
                   2);
}

at::Tensor sampled(const at::Tensor& images, const at::Tensor& grid) {
  return at::grid_sampler_2d(images, grid, kBilinearGrid, kBlackOutside, /*align_corners=*/false)
      .clamp(0, 1);
}

/// ‖D f‖ (N) along `axis`; its gradient times `weight` is added to `gradient`.
at::Tensor add_roughness(const at::Tensor& flow, std::int64_t axis, double weight,
                         at::Tensor& gradient) {
  const auto differences = flow.diff(1, axis);
  const auto norm = (differences.square() + kRounding).flatten(1).sum(1).sqrt();
  const auto pull = differences * per_sample(weight / norm.clamp_min(kRounding), flow);
  const auto pairs = differences.size(axis);
  gradient.narrow(axis, 1, pairs).add_(pull);
  gradient.narrow(axis, 0, pairs).sub_(pull);
  return norm;
}

/// The objective of all samples, which keeps each one's best image on the way.
class Flow {
 public:
  Flow(const Classifier& model, const at::Tensor& x, const at::Tensor& y,
       const SpatialFlowOptions& options, const Context& context)
      : x_(x),
        y_(y),
        options_(options),
        context_(context),
        surface_(kSpatialFlow, model, y, climbed_loss(AttackLoss::margin, options.targeted),
                 context),
        centres_(pixel_centres(x)) {
    found_.x_adv = x.clone();
    const auto at_x = surface_.value(x, 0);
    found_.success = fooled(at_x.logits, y, options.targeted);
    found_.loss = at_x.loss;
    found_.flow = at::zeros({x.size(0), x.size(2), x.size(3), 2}, centres_.options());
    found_.roughness = at::zeros({x.size(0)}, centres_.options());
    const auto far = std::numeric_limits<double>::infinity();
    found_.displacement = at::where(found_.success, 0.0, far).to(at::kDouble);
  }

  at::Tensor start() const { return found_.flow.flatten(1); }

  RowValues operator()(const at::Tensor& rows) {
    if (context_.stop) context_.stop->check();
    const auto flow = rows.view_as(found_.flow);
    const auto places = centres_ + flow;
    const auto grid = places.clamp(-1, 1).to(at::kFloat);
    const auto images = sampled(x_, grid);
    const auto point = surface_.gradient(images, evaluations_);
    auto gradient = gradient_of_hinge(point, grid).masked_fill(places.abs() > 1, 0);
    const auto roughness = add_roughness(flow, 1, options_.smoothness, gradient) +
                           add_roughness(flow, 2, options_.smoothness, gradient);
    keep(images, flow, roughness, point.loss, fooled(point.logits, y_, options_.targeted));
    const auto hinge = (options_.kappa - point.loss.to(at::kDouble)).clamp_min(0);
    const auto value = hinge + options_.smoothness * roughness;
    if (context_.observe) context_.observe(evaluations_, value.mean().item<double>());
    ++evaluations_;
    return {value, gradient.flatten(1)};
  }

  SpatialFlowResult result() {
    found_.passes = surface_.finish();
    found_.displacement = found_.displacement.masked_fill(found_.success.logical_not(), 0);
    const auto half = at::tensor({x_.size(3) / 2.0, x_.size(2) / 2.0}, centres_.options());
    found_.flow = (found_.flow * half).to(at::kFloat);
    return found_;
  }

 private:
  at::Tensor gradient_of_hinge(const LossAndGradient& point, const at::Tensor& grid) const {
    const auto short_of = per_sample(point.loss < options_.kappa, x_);
    const auto pull = at::where(short_of, -point.gradient, 0);
    return std::get<1>(at::grid_sampler_2d_backward(pull, x_, grid, kBilinearGrid, kBlackOutside,
                                                    /*align_corners=*/false, {false, true}))
        .to(at::kDouble);
  }

  void keep(const at::Tensor& images, const at::Tensor& flow, const at::Tensor& roughness,
            const at::Tensor& loss, const at::Tensor& wrong) {
    const auto displacement = flow.square().flatten(1).sum(1);
    const auto better = wrong & (displacement < found_.displacement);
    const auto each = per_sample(better, x_);
    found_.x_adv = at::where(each, images, found_.x_adv);
    found_.loss = at::where(better, loss, found_.loss);
    found_.flow = at::where(each, flow, found_.flow);
    found_.displacement = at::where(better, displacement, found_.displacement);
    found_.roughness = at::where(better, roughness, found_.roughness);
    found_.success = found_.success | better;
  }

  at::Tensor x_, y_;
  SpatialFlowOptions options_;
  const Context& context_;
  LossSurface surface_;
  at::Tensor centres_;
  SpatialFlowResult found_;
  int evaluations_ = 0;
};

}  // namespace

at::Tensor flowed(const at::Tensor& images, const at::Tensor& flow) {
  return sampled(images, (pixel_centres(images) + flow).clamp(-1, 1).to(at::kFloat));
}

SpatialFlowResult spatial_flow(const Classifier& model, const at::Tensor& x, const at::Tensor& y,
                               const SpatialFlowOptions& options, const Context& context) {
  validate(options, kSpatialFlow);
  check_batch(model, x, y, kSpatialFlow);
  check_images(x, kSpatialFlow);
  const AttackScope scope(model);
  Flow flow(model, x, y, options, context);
  auto rows = flow.start();
  for (int search = 0; search < options.searches; ++search)
    rows = minimise_rows([&](const at::Tensor& at) { return flow(at); }, rows,
                         {.steps = options.steps, .memory = options.memory});
  return flow.result();
}

}  // namespace namid::attacks
