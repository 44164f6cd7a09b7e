// SPDX-License-Identifier: Apache-2.0
#include "namid/eval/gallery.h"

#include <unordered_map>

#include "namid/core/error.h"
#include "namid/core/format.h"
#include "namid/run/tensor_file.h"

namespace namid::eval {
namespace {

struct Exhibit {
  std::int64_t row;
  AttemptRow attempt;
  std::vector<float> x_adv;
};

std::vector<Exhibit> choose(const Evaluation& job, const AttackEntry& attack,
                            const Ledger& ledger) {
  std::unordered_map<std::uint64_t, AttemptRow> attempts;
  for (auto& attempt : ledger.attempts(attack.name)) attempts.emplace(attempt.sample, attempt);
  std::vector<Exhibit> chosen;
  for (const bool success : {true, false}) {
    for (std::int64_t row = 0; row < job.dataset.size(); ++row) {
      if (chosen.size() == static_cast<std::size_t>(job.options.gallery)) return chosen;
      const auto id = job.dataset.ids[static_cast<std::size_t>(row)];
      const auto found = attempts.find(id);
      if (found == attempts.end() || found->second.success != success) continue;
      auto x_adv = ledger.image(attack.name, id);
      if (!x_adv.empty()) chosen.push_back({row, found->second, std::move(x_adv)});
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

void write_gallery(const Evaluation& job, const AttackEntry& attack, const Ledger& ledger) {
  const auto exhibits = choose(job, attack, ledger);
  if (exhibits.empty()) return;
  std::vector<std::int64_t> rows, predictions;
  std::vector<std::uint8_t> successes;
  std::string ids;
  for (const auto& exhibit : exhibits) {
    rows.push_back(exhibit.row);
    predictions.push_back(exhibit.attempt.prediction);
    successes.push_back(exhibit.attempt.success);
    ids += str(ids.empty() ? "" : ",", exhibit.attempt.sample);
  }
  const auto batch = data::make_batch(job.dataset, rows);
  // Only correctly classified samples are attacked: the natural prediction is the label.
  run::write_tensor_file(job.folder / "gallery.safetensors",
                         {{"x", batch.x},
                          {"x_adv", stack_images(exhibits, batch.x)},
                          {"y", batch.y},
                          {"prediction", batch.y.clone()},
                          {"prediction_adv", at::tensor(predictions, at::kLong)},
                          {"success", at::tensor(successes, at::kByte)}},
                         {{"attack", attack.name},
                          {"norm", std::string(to_string(attack.budget.norm))},
                          {"epsilon", str(attack.budget.epsilon)},
                          {"ids", ids},
                          {"class_names", nlohmann::json(job.dataset.class_names).dump()}});
}

}  // namespace namid::eval
