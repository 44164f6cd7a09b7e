// SPDX-License-Identifier: Apache-2.0
#include "namid/eval/identity.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "namid/core/format.h"
#include "namid/io/sha256.h"
#include "namid/run/run_folder.h"

namespace namid::eval {
namespace {

constexpr std::string_view kPadded = "padded ";

void add_text(io::Sha256& hash, const std::string& text) {
  hash.update(text.c_str(), text.size() + 1);  // with its end, so that no two lists run together
}

template <class Numbers>
void add_numbers(io::Sha256& hash, const Numbers& numbers) {
  std::string text;
  for (const auto number : numbers) text += str(number, ",");
  add_text(hash, text);
}

void add_tensor(io::Sha256& hash, const at::Tensor& tensor) {
  const auto values = tensor.detach().cpu().contiguous();
  add_text(hash, at::toString(values.scalar_type()));
  add_numbers(hash, values.sizes());
  hash.update(values.data_ptr(), values.nbytes());
}

at::Tensor first_logits(const Bench& bench) {
  const at::NoGradGuard no_grad;
  const auto eval_mode = bench.model.frozen_eval();
  auto rows = rows_by_id(bench.dataset);
  rows.resize(static_cast<std::size_t>(std::min(bench.dataset.size(), bench.compute_batch)));
  return bench.model(
      padded_batch(bench.dataset, rows, bench.compute_batch, bench.model.device()).x);
}

}  // namespace

std::string model_sha256(const Bench& bench) {
  io::Sha256 hash;
  const auto& info = bench.model.info();
  add_text(hash, info.name);
  add_text(hash, str(info.num_classes));
  add_numbers(hash, info.input_shape);
  add_numbers(hash, info.mean);
  add_numbers(hash, info.std);
  const auto state = bench.model.state_dict();
  for (const auto& [name, tensor] : state) {
    add_text(hash, name);
    add_tensor(hash, tensor);
  }
  if (state.empty() && bench.verdict_draws == 1) add_tensor(hash, first_logits(bench));
  return hash.hex();
}

Ledger::Identity identity_of(const Bench& bench, const Suite& suite,
                             const EvaluateOptions& options) {
  const auto sorted = bench.dataset.rows(rows_by_id(bench.dataset));
  std::string names;
  for (const auto& attack : suite.attacks) names += str(names.empty() ? "" : ",", attack.name);
  Ledger::Identity identity{
      {"model", model_sha256(bench)},
      {"data", sorted.sha256()},
      {"ids", hex16(hash64(sorted.ids.data(), sorted.ids.size() * sizeof(sorted.ids[0])))},
      {"seed", str(bench.seed)},
      {"batch", bench.padded ? str(kPadded, bench.compute_batch) : "fast"},
      {"suite", suite.name},
      {"combine", std::string(to_string(suite.combine))},
      {"attacks", names},
      {"gallery", str(options.gallery)},
  };
  if (suite.surrogate)
    identity["surrogate"] = model_sha256({.model = *suite.surrogate,
                                          .dataset = bench.dataset,
                                          .compute_batch = bench.compute_batch});
  if (!suite.kernels.empty()) identity["engine"] = suite.kernels;
  if (!suite.precision.empty()) identity["precision"] = suite.precision;
  if (suite.afterwards) identity["afterwards"] = suite.afterwards_options;
  if (!options.shard.empty()) identity["shard"] = options.shard;
  if (!options.sample_stage.empty()) identity["sample_stage"] = options.sample_stage;
  if (bench.verdict_draws > 1) identity["verdict_draws"] = str(bench.verdict_draws);
  for (const auto& attack : suite.attacks) {
    identity["attack " + attack.name] = attack.options;
    if (attack.sequential) identity["batch"] = str("sequential ", options.batch_size);
  }
  const auto environment = run::environment_record();
  for (const auto& [key, value] : environment.items())
    identity["environment " + key] = value.is_string() ? value.get<std::string>() : value.dump();
  return identity;
}

std::optional<int> padded_size(const Ledger::Identity& identity) {
  const auto found = identity.find("batch");
  if (found == identity.end() || !found->second.starts_with(kPadded)) return {};
  return std::stoi(found->second.substr(kPadded.size()));
}

}  // namespace namid::eval
