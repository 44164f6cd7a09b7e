// SPDX-License-Identifier: Apache-2.0
#include "namid/eval/gallery.h"

#include <map>

#include "namid/core/error.h"
#include "namid/core/format.h"
#include "namid/run/tensor_file.h"

namespace namid::eval {
namespace {

struct Exhibit {
  std::int64_t row;
  std::string attack;
  AttemptRow attempt;
  std::vector<float> x_adv;
};

/// By sample id: the first attack's success, else the last attack's last attempt.
std::map<std::uint64_t, std::pair<std::string, AttemptRow>> telling_attempts(const Suite& suite,
                                                                             const Ledger& ledger) {
  std::map<std::uint64_t, std::pair<std::string, AttemptRow>> telling;
  for (const auto& attack : suite.attacks)
    for (auto& attempt : ledger.attempts(attack.name)) {
      auto& kept = telling[attempt.sample];
      if (kept.first.empty() || !kept.second.success) kept = {attack.name, std::move(attempt)};
    }
  return telling;
}

std::vector<Exhibit> choose(const Evaluation& job, const Suite& suite, const Ledger& ledger) {
  std::map<std::uint64_t, std::int64_t> rows;
  for (std::int64_t row = 0; row < job.dataset.size(); ++row)
    rows[job.dataset.ids[static_cast<std::size_t>(row)]] = row;
  std::vector<Exhibit> chosen;
  const auto telling = telling_attempts(suite, ledger);
  for (const bool success : {true, false}) {
    for (const auto& [sample, found] : telling) {
      if (chosen.size() == static_cast<std::size_t>(job.options.gallery)) return chosen;
      const auto& [attack, attempt] = found;
      if (attempt.success != success) continue;
      auto x_adv = ledger.image(attack, sample);
      if (!x_adv.empty()) chosen.push_back({rows.at(sample), attack, attempt, std::move(x_adv)});
    }
  }
  return chosen;
}

at::Tensor stack_images(const std::vector<Exhibit>& exhibits, const at::Tensor& like) {
  auto out = at::empty_like(like);
  const auto width = static_cast<std::size_t>(like.numel()) / exhibits.size();
  float* to = out.data_ptr<float>();
  for (const auto& exhibit : exhibits) {
    if (exhibit.x_adv.size() != width)
      throw DataError(str("ledger.sqlite: image of sample ", exhibit.attempt.sample, ": expected ",
                          width, " values, got ", exhibit.x_adv.size()));
    to = std::copy(exhibit.x_adv.begin(), exhibit.x_adv.end(), to);
  }
  return out;
}

}  // namespace

void write_gallery(const Evaluation& job, const Suite& suite, const Ledger& ledger) {
  const auto exhibits = choose(job, suite, ledger);
  if (exhibits.empty()) return;
  std::vector<std::int64_t> rows, predictions;
  std::vector<std::uint8_t> successes;
  std::string ids, attacks;
  bool one_attack = true;
  for (const auto& exhibit : exhibits) {
    rows.push_back(exhibit.row);
    predictions.push_back(exhibit.attempt.prediction);
    successes.push_back(exhibit.attempt.success);
    ids += str(ids.empty() ? "" : ",", exhibit.attempt.sample);
    attacks += str(attacks.empty() ? "" : ",", exhibit.attack);
    one_attack = one_attack && exhibit.attack == exhibits.front().attack;
  }
  const auto batch = data::make_batch(job.dataset, rows);
  const auto& budget = suite.attacks.front().budget;
  // Only correctly classified samples are attacked: the natural prediction is the label.
  run::write_tensor_file(job.folder / "gallery.safetensors",
                         {{"x", batch.x},
                          {"x_adv", stack_images(exhibits, batch.x)},
                          {"y", batch.y},
                          {"prediction", batch.y.clone()},
                          {"prediction_adv", at::tensor(predictions, at::kLong)},
                          {"success", at::tensor(successes, at::kByte)}},
                         {{"attack", one_attack ? exhibits.front().attack : attacks},
                          {"norm", std::string(to_string(budget.norm))},
                          {"epsilon", str(budget.epsilon)},
                          {"ids", ids},
                          {"class_names", nlohmann::json(job.dataset.class_names).dump()}});
}

}  // namespace namid::eval
