// SPDX-License-Identifier: Apache-2.0
#include "namid/attacks/fab.h"

#include "namid/attacks/fab_search.h"

namespace namid::attacks {

AttackResult fab(const Classifier& model, const at::Tensor& x, const at::Tensor& y,
                 const FabOptions& options, const Context& context) {
  return fab_within(model, x, y, {.where = "fab", .options = options}, context);
}

AttackResult fab_minimum(const Classifier& model, const at::Tensor& x, const at::Tensor& y,
                         const FabOptions& options, const Context& context) {
  return fab_smallest(model, x, y, {.where = "fab", .options = options}, context);
}

}  // namespace namid::attacks
