// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "apps/namid/command.h"
#include "namid/data/dataset.h"
#include "namid/eval/adversarial_set.h"
#include "namid/eval/set_check.h"
#include "namid/models/classifier.h"
#include "namid/models/import_weights.h"

namespace namid::app {

/// `namid verify SET MODEL`: re-checks an adversarial set; makes no run folder.
class VerifyCommand {
 public:
  struct VerifyOptions {
    Automatic<attacks::Norm> norm = {};
    Automatic<double> epsilon = {};
    int compute_batch = 250;
    bool cast = false;
    int rows = 20;
    double confidence = 0.95;
    static constexpr auto fields() {
      using T = VerifyOptions;
      return std::tuple{
          field("norm", &T::norm, "norm of the perturbation; auto: the set's"),
          field("epsilon", &T::epsilon, "radius of the ball; auto: the set's", at_least(0)),
          field("compute_batch", &T::compute_batch,
                "images per forward pass; the last batch is padded to it", at_least(1)),
          field("cast", &T::cast, "round float64 images to float32 instead of refusing them"),
          field("rows", &T::rows, "failing rows that are printed; --json has all", at_least(0)),
          field("confidence", &T::confidence, "level of the Clopper-Pearson intervals",
                between(0, 1))};
    }
  };

  OptionSet options();
  /// Checks, prints, and returns the exit code: 0 if every claim holds, else 6.
  int run();

  std::string set_file, model_file;
  bool as_json = false, quiet = false, trust = false;
  VerifyOptions verify;
  models::ImportOptions imported;
  data::DataOptions data;
  RuntimeOptions runtime;

 private:
  attacks::Budget budget(const eval::AdversarialSet& set) const;
};
NAMID_CHECK_FIELDS(VerifyCommand::VerifyOptions);

}  // namespace namid::app
