// SPDX-License-Identifier: Apache-2.0
#include "namid/eval/export_unknown.h"

#include <unordered_set>

#include "namid/certify/vnnlib.h"
#include "namid/core/error.h"
#include "namid/core/format.h"
#include "namid/io/atomic_file.h"
#include "namid/models/graph_onnx.h"

namespace namid::eval {
namespace {

constexpr int kSeconds = 300;  // per sample, a proposal

std::vector<SampleRow> unknown_samples(const Ledger& ledger) {
  std::unordered_set<std::uint64_t> known;
  for (const auto& row : ledger.certificates())
    if (row.certified) known.insert(row.sample);
  for (const auto& attack : ledger.attacks())
    for (const auto& attempt : ledger.attempts(attack))
      if (attempt.success) known.insert(attempt.sample);
  std::vector<SampleRow> unknown;
  for (const auto& sample : ledger.samples())
    if (sample.correct && !known.contains(sample.sample)) unknown.push_back(sample);
  return unknown;
}

void make_folder(const std::filesystem::path& target) {
  std::error_code problem;
  std::filesystem::create_directories(target, problem);
  if (problem) throw ResourceError(str(target.string(), ": cannot be made: ", problem.message()));
}

}  // namespace

void check_export(const attacks::Budget& budget) {
  if (budget.norm != attacks::Norm::linf)
    throw OptionError(str("[certify] export_unknown: VNN-LIB holds boxes, norm linf; got ",
                          to_string(budget.norm)));
}

std::int64_t export_unknown(const Certification& job, const std::filesystem::path& target) {
  check_export(job.budget);
  make_folder(target);
  io::write_file_atomically(target / "network.onnx",
                            io::write_onnx(models::to_onnx(models::describe(job.model))));
  auto budget = job.budget;
  budget.epsilon = job.radius;
  const auto unknown = unknown_samples(Ledger::open(job.folder / "ledger.sqlite"));
  std::string instances;
  for (const auto& sample : unknown) {
    const auto& ids = job.dataset.ids;
    const std::vector<std::int64_t> row{std::find(ids.begin(), ids.end(), sample.sample) -
                                        ids.begin()};
    const auto set =
        certify::input_set(data::make_batch(job.dataset, row).x, budget, job.options.box);
    const auto name = str("sample-", sample.sample, ".vnnlib");
    io::write_file_atomically(
        target / name,
        certify::vnnlib(set.lower, set.upper, sample.label, job.model.info().num_classes,
                        str("sample ", sample.sample, ", label ", sample.label, ", linf ",
                            shortest(job.radius))));
    instances += str("network.onnx,", name, ",", kSeconds, "\n");
  }
  io::write_file_atomically(target / "instances.csv", instances);
  return std::ssize(unknown);
}

}  // namespace namid::eval
