// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "namid/report/evidence.h"
#include "namid/report/html.h"
#include "namid/report/run_data.h"

namespace namid::report {

// Sections of a run's page, in their order. Each writes what the run folder holds and nothing
// where it holds nothing.

/// Name, command, when, on what; how the run stands if it is not done; warnings.
void add_title(Html& page, const RunData& run);
/// Accuracies with their intervals as cards and chart, and what they mean.
void add_headline(Html& page, const RunData& run);
/// Alarms that were raised in training, if any.
void add_alarms(Html& page, const RunData& run);
/// Defences of a demo, or attacks of an evaluation, in numbers.
void add_accuracies(Html& page, const RunData& run);
/// What each attack broke that others did not; by class.
void add_overlap(Html& page, const RunData& run, const Evidence& evidence);
/// Histograms of the smallest verified perturbations.
void add_norms(Html& page, const RunData& run, const Evidence& evidence);
/// Passes, time and memory.
void add_cost(Html& page, const RunData& run);
/// What is proven of how many images, and how.
void add_certificates(Html& page, const RunData& run);
/// Checks for masked gradients, and the attacks that break the model.
void add_masking(Html& page, const RunData& run);
void add_attack(Html& page, const RunData& run);
/// Loss, accuracies, DV scores and the learning rate (if it moves) over training.
void add_curves(Html& page, const RunData& run);
/// Mean DV scores, and what they are not.
/// The security curve of `namid curve` with its band and anchors.
void add_security_curve(Html& page, const RunData& run);
void add_scores(Html& page, const RunData& run);
/// Scores per attack and class of `namid mi`, and the quantities of the paper's Fig. 2 and 4.
void add_studies(Html& page, const RunData& run);
/// A reproduced table or figure of the paper, published beside measured.
void add_reproduction(Html& page, const RunData& run);
/// Surrogates by targets of `namid transfer`.
void add_matrix(Html& page, const RunData& run);
void add_classes(Html& page, const RunData& run);
/// Clean, adversarial and amplified difference of the images that the evaluations kept.
void add_gallery(Html& page, const RunData& run);
/// What a table of models needs to know of an evaluation, with hashes.
void add_model_card(Html& page, const RunData& run);
/// Command that repeats the run, resolved options, environment.
void add_provenance(Html& page, const RunData& run);

/// The words of argv for a POSIX shell; empty if none were recorded.
std::string shell_command(const RunData& run);

}  // namespace namid::report
