// SPDX-License-Identifier: Apache-2.0
#include "namid/certify/certify.h"

#include <ATen/Functions.h>

#include "namid/certify/crown.h"
#include "namid/certify/fast_lin.h"
#include "namid/certify/interval.h"
#include "namid/certify/specification.h"
#include "namid/core/error.h"
#include "namid/core/format.h"

namespace namid::certify {
namespace {

/// The bounds of one specification as they get tighter.
class Bounding {
 public:
  Bounding(const Problem& problem, const Rows& rows, const at::Tensor& threshold,
           const CertifyOptions& options)
      : problem_(problem), rows_(rows), threshold_(threshold), options_(options) {
    intermediate_.intersect = options.intersect;
    intermediate_.block_bytes = options.block_mib << 20;
  }

  at::Tensor best() {
    best_ = interval(problem_, rows_, intermediate_);
    if (options_.method == Method::fast_lin)
      take(fast_lin(problem_, rows_, intermediate_));
    else if (options_.method != Method::interval)
      with_crown();
    return best_;
  }

 private:
  void take(const at::Tensor& bounds) { best_ = at::maximum(best_, bounds); }

  void with_crown() {
    const auto found = crown(problem_, rows_, intermediate_);
    take(found.bounds);
    Relaxations chords(found.known.relaxations.size());
    const auto& layers = problem_.network.layers;
    for (std::size_t i = 0; i < layers.size(); ++i)
      if (layers[i].kind == LayerKind::relu)
        chords[i] = relax(found.known.bounds[layers[i].inputs[0]], Slopes::fast_lin);
    take(bound_rows(problem_, rows_, chords, intermediate_.block_bytes));
    if (options_.method == Method::alpha_crown) with_own_slopes(found.known);
  }

  void with_own_slopes(const Known& known) {
    const auto open = (best_ <= threshold_).nonzero().squeeze(1);
    if (open.size(0) == 0) return;
    const auto of = [&](const at::Tensor& values) { return values.index_select(0, open); };
    const auto bounds = alpha_crown(problem_, {of(rows_.lambda), of(rows_.sample)}, known,
                                    of(threshold_), options_.alpha, intermediate_.block_bytes);
    best_.index_copy_(0, open, at::maximum(of(best_), bounds));
  }

  const Problem& problem_;
  const Rows& rows_;
  const at::Tensor& threshold_;
  const CertifyOptions& options_;
  IntermediateOptions intermediate_;
  at::Tensor best_;
};

void check_margins(const at::Tensor& logits, const Rows& rows, const at::Tensor& bounds,
                   const at::Tensor& rounding) {
  const auto margins = (logits.index_select(0, rows.sample) * rows.lambda).sum(1);
  const auto wrong = (bounds > margins + rounding).nonzero();
  if (wrong.size(0) == 0) return;
  const auto row = wrong[0].item<std::int64_t>();
  throw std::logic_error(str("certify: the bound ", bounds[row].item<double>(), " of sample ",
                             rows.sample[row].item<std::int64_t>(),
                             " of the batch is above its margin ", margins[row].item<double>()));
}

}  // namespace

Certificates certify(const AffineNetwork& network, const at::Tensor& x, const at::Tensor& y,
                     const attacks::Budget& budget, const CertifyOptions& options) {
  const at::NoGradGuard no_grad;
  validate(options, "certify");
  const auto set = input_set(x.to(network.tensors()), budget, options.box);
  const auto rounding = rounding_of(network, set);
  const auto spec = specification(y, network.classes(), network.tensors());
  const auto margin = rounding.threshold(spec.rows), slack = rounding.float32_slack(spec.rows);
  const auto threshold = options.fp32 ? margin + slack : margin;
  const Problem problem{network, set, rounding};
  const auto best = Bounding(problem, spec.rows, threshold, options).best();
  check_margins(forward(network, set.x), spec.rows, best, margin);

  const auto table = [&](const at::Tensor& values) { return values.view_as(spec.rivals); };
  const auto worst = table(best - threshold).argmin(1, true);
  const auto pick = [&](const at::Tensor& values) {
    return values.gather(1, worst).squeeze(1).cpu();
  };
  Certificates found{.bound = pick(table(best)),
                     .rival = pick(spec.rivals),
                     .threshold = pick(table(threshold)),
                     .slack = pick(table(slack))};
  found.certified = found.bound > found.threshold;
  return found;
}

}  // namespace namid::certify
