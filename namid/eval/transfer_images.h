// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

#include "namid/eval/runner.h"
#include "namid/eval/sqlite.h"
#include "namid/eval/suite.h"

namespace namid::eval {

/// Adversarial images of one surrogate, made once and judged on any number of targets. What a round
/// of an attack makes of a sample depends on surrogate, options, seed and sample id alone, never on
/// the model that judges; so the first target that needs an image has it made, for all. Rows that a
/// batch has to spare make images of other samples of the data set ahead of time: a round takes
/// about n / compute_batch batches, whatever the number of targets.
///
/// The images are in an SQLite file, one transaction per batch: after a kill at most the batch in
/// hand is made again. made(attack, round, sample, step, found, loss, forwards, backwards, x_adv);
/// meta(key, value) holds what they were made from. It takes n · 4 bytes a pixel and round, and may
/// be deleted once all targets are judged.
class TransferImages {
 public:
  /// Opens the file or makes it. `bench.model` is the surrogate. DataError for a damaged file or
  /// one of another surrogate, data set, seed, compute batch, precision or suite; ResourceError for
  /// the disk.
  TransferImages(const std::filesystem::path& path, const Bench& bench, const Suite& suite);

  /// What `attack` makes of the samples context.ids, which must be of the data set; `success` is
  /// left undefined, passes and loss are those of the batch in which an image was made.
  attacks::AttackResult look_up(const AttackEntry& attack, const attacks::Context& context);

  const models::Classifier& surrogate() const { return surrogate_; }
  /// Suite::precision of the attacks that make them.
  const std::string& precision() const { return precision_; }
  /// Images made since the file was opened.
  std::int64_t made() const { return made_; }

 private:
  using Ids = std::unordered_set<std::uint64_t>;

  Ids& held(const std::string& attack, int round);
  void make(const AttackEntry& attack, std::vector<std::int64_t> rows,
            const attacks::Context& context);
  attacks::AttackResult run(const AttackEntry& attack, const data::Batch& batch,
                            const attacks::Context& context) const;
  void store(const AttackEntry& attack, int round, const SampleIds& ids, std::size_t count,
             const attacks::AttackResult& result);
  attacks::AttackResult read(const std::string& attack, int round, const SampleIds& ids);

  models::Classifier surrogate_;
  std::string precision_;
  data::Dataset dataset_;
  Database database_;
  std::unordered_map<std::uint64_t, std::int64_t> row_of_;
  std::map<std::pair<std::string, int>, Ids> held_;
  std::int64_t made_ = 0;
};

/// through_surrogate (surrogate.h) whose attacks take their images from `images`: names, draws,
/// verdicts and ledger are the same. Attacks whose rounds depend on what earlier ones broke (a3's
/// protocol, compat), and those in the Wasserstein distance, whose proofs are far larger than the
/// images, are made anew for each target.
Suite through_images(Suite suite, std::shared_ptr<TransferImages> images);

}  // namespace namid::eval
