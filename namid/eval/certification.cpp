// SPDX-License-Identifier: Apache-2.0
#include "namid/eval/certification.h"

#include <chrono>
#include <nlohmann/json.hpp>
#include <set>
#include <unordered_map>

#include "namid/core/error.h"
#include "namid/core/format.h"
#include "namid/core/option_set.h"
#include "namid/eval/accuracy.h"
#include "namid/eval/compute_batch.h"
#include "namid/models/graph.h"
#include "namid/run/tensor_file.h"

namespace namid::eval {
namespace {

/// Fixed, so that equal certifications bound the same samples together.
constexpr std::int64_t kTogether = 64;

using Broken = std::unordered_map<std::uint64_t, std::string>;  // by which attack

Broken broken_samples(const Ledger& ledger) {
  Broken broken;
  for (const auto& attack : ledger.attacks())
    for (const auto& attempt : ledger.attempts(attack))
      if (attempt.success) broken.emplace(attempt.sample, attack);
  return broken;
}

/// What the certificates are computed from, for the ledger.
std::string computed_from(const Certification& job) {
  auto options = job.options;
  OptionSet set;
  set.add("", options);
  std::string text = str(to_string(job.budget.norm), " ", shortest(job.radius));
  for (const auto& entry : set.entries())
    if (entry.path() != "block_mib") text += str(" ", entry.path(), "=", entry.text());
  return text;
}

std::vector<std::int64_t> open_rows(const Certification& job, const Ledger& ledger) {
  std::unordered_map<std::uint64_t, std::int64_t> rows;
  for (std::int64_t row = 0; row < job.dataset.size(); ++row)
    rows[job.dataset.ids[static_cast<std::size_t>(row)]] = row;
  std::set<std::uint64_t> held;
  for (const auto& certificate : ledger.certificates()) held.insert(certificate.sample);
  std::vector<std::int64_t> open;
  for (const auto& sample : ledger.samples())
    if (sample.correct && !held.contains(sample.sample)) open.push_back(rows.at(sample.sample));
  return open;
}

std::vector<CertificateRow> certify_rows(const Certification& job,
                                         const certify::AffineNetwork& network, Rows rows) {
  const auto begin = std::chrono::steady_clock::now();
  const auto batch = data::make_batch(job.dataset, rows);
  auto budget = job.budget;
  budget.epsilon = job.radius;
  const auto found = certify::certify(network, batch.x, batch.y, budget, job.options);
  const std::chrono::duration<double> passed = std::chrono::steady_clock::now() - begin;
  std::vector<CertificateRow> certificates;
  for (std::int64_t i = 0; i < std::ssize(rows); ++i)
    certificates.push_back(
        {.sample = job.dataset.ids[static_cast<std::size_t>(rows[static_cast<std::size_t>(i)])],
         .certified = found.certified[i].item<bool>(),
         .bound = found.bound[i].item<double>(),
         .rival = found.rival[i].item<std::int64_t>(),
         .threshold = found.threshold[i].item<double>(),
         .slack = found.slack[i].item<double>(),
         .seconds = passed.count() / static_cast<double>(rows.size())});
  return certificates;
}

/// Keeps all that is needed to see which of the two is wrong.
void keep_evidence(const Certification& job, const Ledger& ledger, const CertificateRow& row,
                   const std::string& attack) {
  const auto& ids = job.dataset.ids;
  const auto place = std::find(ids.begin(), ids.end(), row.sample) - ids.begin();
  const std::vector<std::int64_t> rows{place};
  const auto batch = data::make_batch(job.dataset, rows);
  TensorMap tensors{{"x", batch.x[0]}, {"y", batch.y}};
  if (auto kept = ledger.image(attack, row.sample); !kept.empty())
    tensors.emplace_back(
        "x_adv",
        at::from_blob(kept.data(), batch.x[0].sizes(), at::TensorOptions(at::kFloat)).clone());
  const auto file = job.folder / str("contradiction-", row.sample, ".safetensors");
  run::write_tensor_file(file, tensors,
                         {{"sample", str(row.sample)},
                          {"attack", attack},
                          {"bound", shortest(row.bound)},
                          {"rival", str(row.rival)},
                          {"threshold", shortest(row.threshold)},
                          {"float32_slack", shortest(row.slack)},
                          {"certify", ledger.identity()["certify"]},
                          {"model", ledger.identity()["model"]}});
  throw std::logic_error(str(
      "sample ", row.sample, " is certified (bound ", shortest(row.bound), ", float32 slack ",
      shortest(row.slack), ") and broken by ", attack, "; one of the two is wrong: see ",
      file.string(),
      row.bound < row.slack ? "; the bound is within what float32 rounding can do: --certify-fp32 "
                              "certifies the float32 network"
                            : ""));
}

}  // namespace

attacks::Budget common_budget(const Suite& suite) {
  if (suite.attacks.empty()) throw OptionError("[certify] a suite without attacks has no budget");
  const auto& first = suite.attacks.front().budget;
  for (const auto& attack : suite.attacks)
    if (attack.budget.norm != first.norm || attack.budget.epsilon != first.epsilon)
      throw OptionError(str("[evaluate] certify: expected attacks of one budget, got ",
                            to_string(first.norm), " ", shortest(first.epsilon), " and ",
                            attack.name, " with ", to_string(attack.budget.norm), " ",
                            shortest(attack.budget.epsilon)));
  return first;
}

void check_certification(const models::Classifier& model, const attacks::Budget& budget,
                         const certify::CertifyOptions& options) {
  validate(options, "certify");
  attacks::validate_budget(budget, "certify");
  certify::normal_form(models::describe(model));
}

nlohmann::json certificates_json(const Ledger& ledger, const Certification& job) {
  const auto samples = ledger.samples();
  const auto broken = broken_samples(ledger);
  std::int64_t lost = 0, certified = 0, below = 0;
  for (const auto& sample : samples) lost += !sample.correct || broken.contains(sample.sample);
  const CertificateRow* smallest = nullptr;
  double seconds = 0;
  const auto rows = ledger.certificates();
  for (const auto& row : rows) {
    if (std::isfinite(row.seconds)) seconds += row.seconds;
    if (!row.certified) continue;
    ++certified;
    below += row.bound < row.slack;
    if (!smallest || row.bound < smallest->bound) smallest = &row;
  }
  const auto n = std::ssize(samples);
  auto result = accuracy_json(certified, n, job.confidence);
  result.update({{"method", to_string(job.options.method)},
                 {"norm", to_string(job.budget.norm)},
                 {"epsilon", job.budget.epsilon},
                 {"radius", job.radius},
                 {"box", job.options.box},
                 {"fp32", job.options.fp32},
                 {"n", n},
                 {"certified", certified},
                 {"broken", lost},
                 {"unknown", n - lost - certified},
                 {"smallest_margin", nullptr},
                 {"float32_slack", nullptr},
                 {"below_float32", below},
                 {"seconds", seconds}});
  if (smallest) {
    result["smallest_margin"] = smallest->bound;
    result["float32_slack"] = smallest->slack;
  }
  return result;
}

nlohmann::json certify_ledger(const Certification& job) {
  const auto network = certify::normal_form(models::describe(job.model));
  const auto path = job.folder / "ledger.sqlite";
  Ledger ledger(path, Ledger::open(path).identity());
  ledger.expect_certificates(computed_from(job));
  const auto rows = open_rows(job, ledger);
  auto done = std::ssize(ledger.certificates());
  const auto total = done + std::ssize(rows);
  const auto stage = str("certify ", to_string(job.options.method));
  if (job.progress) job.progress(stage, done, total);
  for (const auto piece : split_rows(rows, kTogether)) {
    if (job.stop) job.stop->check();
    const auto found = certify_rows(job, network, piece);
    auto batch = ledger.begin();
    for (const auto& row : found) ledger.add(row);
    batch.commit();
    done += std::ssize(piece);
    if (job.progress) job.progress(stage, done, total);
  }
  ledger.finish(job.gallery);
  const auto broken = broken_samples(ledger);
  for (const auto& row : ledger.certificates())
    if (const auto by = broken.find(row.sample); row.certified && by != broken.end())
      keep_evidence(job, ledger, row, by->second);
  return certificates_json(ledger, job);
}

}  // namespace namid::eval
