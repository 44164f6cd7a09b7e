// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>

#include "namid/attacks/attack.h"
#include "namid/models/rectangle.h"

namespace namid::attacks {

/// A model as a search sees it that changes the same window of all its best points at a time. One
/// that can (Classifier::region_forward) computes of each proposal what the window reaches, and the
/// rest is what it was for the best points: the same logits, bit for bit. Others make forwards.
class WindowedModel {
 public:
  /// rows: of each batch. wanted: false, the model itself.
  WindowedModel(const Classifier& model, std::int64_t rows, bool wanted);

  /// What is to be asked. Counts nothing: a proposal is a forward, however it is computed.
  const Classifier& classifier() const { return classifier_; }
  /// The images that are asked about next differ from `best` inside `window` alone. Of the first
  /// call `best` is read; then it is what `accept` makes of it.
  void expect(const at::Tensor& best, const models::Rectangle& window);
  /// Of the images asked about last, the rows, bool (N), that are the best points from now on.
  void accept(const at::Tensor& rows);

 private:
  struct Regions;
  std::shared_ptr<Regions> regions_;  ///< null: the model itself
  Classifier classifier_;
};

}  // namespace namid::attacks
