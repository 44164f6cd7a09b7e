// SPDX-License-Identifier: Apache-2.0
#include "namid/attacks/fab_t.h"

#include "namid/attacks/fab_search.h"

namespace namid::attacks {
namespace {

constexpr std::string_view kFabT = "fab-t";

FabSearch search(const Classifier& model, const FabTOptions& options) {
  validate(options, kFabT);
  return {.where = kFabT,
          .options = {.budget = options.budget,
                      .steps = options.steps,
                      .restarts = options.restarts,
                      .alpha_max = options.alpha_max,
                      .eta = options.eta,
                      .beta = options.beta,
                      .smallest = options.smallest,
                      .compat = options.compat},
          .targets = targets(options, model.info().num_classes)};
}

}  // namespace

AttackResult fab_t(const Classifier& model, const at::Tensor& x, const at::Tensor& y,
                   const FabTOptions& options, const Context& context) {
  return fab_within(model, x, y, search(model, options), context);
}

AttackResult fab_t_minimum(const Classifier& model, const at::Tensor& x, const at::Tensor& y,
                           const FabTOptions& options, const Context& context) {
  return fab_smallest(model, x, y, search(model, options), context);
}

}  // namespace namid::attacks
