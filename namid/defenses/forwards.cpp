// SPDX-License-Identifier: Apache-2.0
#include "namid/defenses/forwards.h"

namespace namid::defenses {
namespace {

const models::BatchStatistics& seen_by(Forward forward, const View& natural,
                                       const View& adversarial) {
  switch (forward) {
    case Forward::natural:
      return natural.to_logits;
    case Forward::adversarial:
      return adversarial.to_logits;
    case Forward::natural_output:
      return natural.to_output;
    case Forward::adversarial_output:
      break;
  }
  return adversarial.to_output;
}

}  // namespace

View look(const Classifier& model, const at::Tensor& x, models::Layer layer, BnUpdates updates) {
  View view;
  const bool replayed = updates == BnUpdates::reference, internal = layer != models::Layer::logits;
  models::BatchStatistics dropped;
  const auto recorded = [&](models::Layer to, models::BatchStatistics& seen) {
    return models::record_batch_statistics(
        model, [&] { return model(x, to); }, seen);
  };
  view.logits = replayed ? recorded(models::Layer::logits, view.to_logits) : model(x);
  if (internal) {
    view.output = recorded(layer, replayed ? view.to_output : dropped);
  } else {
    view.output = view.logits;
    view.to_output = view.to_logits;
  }
  return view;
}

void replay(const std::vector<Forward>& forwards, const View& natural, const View& adversarial) {
  for (const auto forward : forwards) seen_by(forward, natural, adversarial).update_running();
}

}  // namespace namid::defenses
