// SPDX-License-Identifier: Apache-2.0
#include "namid/eval/evaluate.h"

#include "namid/core/progress.h"
#include "namid/eval/evaluation.h"

namespace namid::eval {
namespace {

/// One progress line per stage.
class StageProgress {
 public:
  explicit StageProgress(bool show) : mode_(show ? ProgressMode::automatic : ProgressMode::none) {}

  void update(const std::string& stage, std::int64_t done, std::int64_t total) {
    if (stage != stage_) {
      line_.reset();
      line_ = std::make_unique<Progress>(stage, total, mode_, done);
      stage_ = stage;
    } else {
      line_->update(done);
    }
  }

 private:
  ProgressMode mode_;
  std::string stage_;
  std::unique_ptr<Progress> line_;
};

}  // namespace

nlohmann::json evaluate(const models::Classifier& model, const data::Dataset& dataset,
                        const Suite& suite, const EvaluateOptions& options,
                        const run::RunFolder& folder, const run::StopToken* stop, bool resume,
                        bool show_progress) {
  StageProgress shown(show_progress);
  return evaluate_with({.model = model,
                        .dataset = dataset,
                        .options = options,
                        .folder = folder.path(),
                        .resume = resume,
                        .stop = stop,
                        .progress = [&](const auto& stage, auto done,
                                        auto total) { shown.update(stage, done, total); }},
                       suite);
}

nlohmann::json evaluate(const models::Classifier& model, const data::Dataset& dataset,
                        const attacks::PgdOptions& attack, const EvaluateOptions& options,
                        const run::RunFolder& folder, const run::StopToken* stop, bool resume,
                        bool show_progress) {
  return evaluate(model, dataset, make_suite({}, attack), options, folder, stop, resume,
                  show_progress);
}

}  // namespace namid::eval
