// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <string>

#include "namid/certify/certify.h"
#include "namid/data/dataset.h"
#include "namid/eval/ledger.h"
#include "namid/eval/suite.h"
#include "namid/run/stop_token.h"

namespace namid::eval {

/// Certificates for the samples of a ledger that the model classifies correctly.
struct Certification {
  const models::Classifier& model;
  const data::Dataset& dataset;
  attacks::Budget budget;
  certify::CertifyOptions options = {};
  /// The radius that is certified; at least budget.epsilon. With attacks beside it: what their
  /// verifier lets pass (allowed_norm), so that no verified success lies outside.
  double radius = 0;
  std::filesystem::path folder;  ///< with the ledger.sqlite of an evaluation that has ended
  double confidence = 0.95;
  std::int64_t gallery = 0;  ///< images that the ledger keeps, as in the evaluation
  const run::StopToken* stop = nullptr;
  std::function<void(const std::string& stage, std::int64_t done, std::int64_t total)> progress =
      {};
};

/// OptionError for a model that cannot be certified (the layer is named) and for a budget that has
/// no certificates. What can be said before a run folder is made.
void check_certification(const models::Classifier& model, const attacks::Budget& budget,
                         const certify::CertifyOptions& options);

/// The one budget of a suite's attacks. OptionError if they differ.
attacks::Budget common_budget(const Suite& suite);

/// Adds a certificate of every correctly classified sample to the ledger (those an attack broke
/// too: a check of both), in batches of 64 by id, one transaction each; what is there is kept, so
/// that an interrupted run goes on. Returns the "certificates" of the result:
///   {"method", "norm", "epsilon", "radius", "box", "n", "certified", "broken", "unknown",
///    "correct" (= certified), "accuracy", "lower", "upper", "confidence" (Clopper-Pearson),
///    "smallest_margin", "float32_slack" (of that sample), "below_float32" (certified by less than
///    their float32 slack), "seconds"}
/// A sample is broken if an attack broke it or it is classified wrong, certified, or unknown.
/// std::logic_error, a defect, for a sample that is broken and certified; then its image, the
/// adversarial one where the ledger keeps it, the bound and the model's hash are in
/// contradiction-<sample>.safetensors in the folder. DataError for a ledger of other certificates.
nlohmann::json certify_ledger(const Certification& job);

/// The same from a ledger with certificates.
nlohmann::json certificates_json(const Ledger& ledger, const Certification& job);

}  // namespace namid::eval
