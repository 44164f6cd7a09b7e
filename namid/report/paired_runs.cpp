// SPDX-License-Identifier: Apache-2.0
#include "namid/report/paired_runs.h"

#include <nlohmann/json.hpp>

#include "namid/core/error.h"
#include "namid/core/format.h"
#include "namid/core/multiple_tests.h"
#include "namid/core/paired_sequence.h"
#include "namid/eval/verdicts.h"
#include "namid/report/results.h"

namespace namid::report {
namespace {

constexpr double kConfidence = 0.95;

struct NamedRun {
  std::string name;
  eval::FinishedRun run;
};

std::vector<NamedRun> finished_runs(const std::vector<RunData>& runs) {
  std::vector<NamedRun> all;
  for (const auto& run : runs) {
    const auto evaluations = evaluations_of(run);
    if (evaluations.empty())
      throw DataError(str(run.path.string(),
                          ": holds no evaluation; paired tests need the ledgers "
                          "of namid evaluate"));
    for (const auto& [name, evaluation] : evaluations)
      all.push_back({name, eval::read_finished(evaluation->path)});
  }
  if (all.size() < 2)
    throw DataError(str(runs.front().path.string(),
                        ": is the only evaluation; paired tests need at least two"));
  return all;
}

PairedTest test_of(const PairedCounts& counts, const std::optional<std::int64_t>& population) {
  PairedTest test;
  test.counts = counts;
  if (population) {
    const auto look = paired_look({counts, *population}, 1 - kConfidence);
    test.difference = look.estimate;
    test.interval = look.interval;
    test.p = look.p_value;
    test.method = "paired-confidence-sequence";
  } else {
    const auto exact = mcnemar(counts, kConfidence);
    test.difference = exact.difference;
    test.interval = exact.unconditional;
    test.p = exact.p_value;
    test.method = "mcnemar";
  }
  return test;
}

void add_pair(const NamedRun& first, const NamedRun& second, std::vector<PairedTest>& tests) {
  const auto common = eval::common_verdicts(first.run, second.run);
  const auto add = [&](const char* accuracy, const PairedCounts& counts) {
    auto test = test_of(counts, common.population);
    test.first = first.name;
    test.second = second.name;
    test.accuracy = accuracy;
    tests.push_back(std::move(test));
  };
  add("natural", common.natural);
  if (eval::attack_difference(first.run, second.run).empty()) add("robust", common.robust);
}

/// Four decimals; what they would call 0 is said to be small.
std::string p_text(double p) {
  return p < 1e-4 ? "< 0.0001" : fixed(p, 4);
}

std::string images_of(const RunData& run) {
  return str(text_at(run.record, "data/name"), ", ", text_at(run.record, "data/n"),
             " images, sha256 ", text_at(run.record, "data/sha256").substr(0, 12));
}

}  // namespace

std::vector<PairedTest> paired_tests(const std::vector<RunData>& runs) {
  const auto all = finished_runs(runs);
  std::vector<PairedTest> tests;
  for (std::size_t i = 0; i < all.size(); ++i)
    for (std::size_t j = i + 1; j < all.size(); ++j) add_pair(all[i], all[j], tests);
  std::vector<double> p;
  for (const auto& test : tests) p.push_back(test.p);
  const auto adjusted = holm(p);
  for (std::size_t i = 0; i < tests.size(); ++i) tests[i].adjusted = adjusted[i];
  return tests;
}

TableLines pair_lines(const std::vector<PairedTest>& tests) {
  TableLines lines = {{"first", "second", "accuracy", "images", "only first", "only second",
                       "difference", "95 %", "p", "p (Holm)", "method"}};
  for (const auto& test : tests)
    lines.push_back(
        {test.first, test.second, test.accuracy, str(test.counts.images),
         str(test.counts.only_first), str(test.counts.only_second), fixed(100 * test.difference, 2),
         str("[", fixed(100 * test.interval.low, 2), ", ", fixed(100 * test.interval.high, 2), "]"),
         p_text(test.p), p_text(test.adjusted), test.method});
  return lines;
}

nlohmann::ordered_json pair_object(const PairedTest& test) {
  return {{"first", test.first},
          {"second", test.second},
          {"accuracy", test.accuracy},
          {"images", test.counts.images},
          {"only_first", test.counts.only_first},
          {"only_second", test.counts.only_second},
          {"difference", test.difference},
          {"lower", test.interval.low},
          {"upper", test.interval.high},
          {"p", test.p},
          {"p_holm", test.adjusted},
          {"method", test.method}};
}

std::string pair_note() {
  return "Paired by image, differences in percentage points, first minus second. mcnemar: exact "
         "test, other images of the distribution; paired-confidence-sequence: these images, "
         "whenever the run stopped. Holm: over all tests of this table.\n";
}

void check_same_images(const std::vector<RunData>& runs) {
  const RunData* first = nullptr;
  for (const auto& run : runs) {
    for (const auto& [name, evaluation] : evaluations_of(run)) {
      if (text_at(evaluation->record, "data/sha256").empty()) continue;
      if (first == nullptr) first = evaluation;
      if (text_at(first->record, "data/sha256") == text_at(evaluation->record, "data/sha256"))
        continue;
      throw DataError(str(first->path.string(), " and ", evaluation->path.string(),
                          ": evaluated on different images (", images_of(*first), " against ",
                          images_of(*evaluation),
                          "); compare evaluations of one data set and test subset"));
    }
  }
}

}  // namespace namid::report
