// SPDX-License-Identifier: Apache-2.0
#include "namid/eval/identity.h"

#include "namid/core/format.h"
#include "namid/io/sha256.h"

namespace namid::eval {
namespace {

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
  std::vector<std::int64_t> rows;
  for (std::int64_t i = 0; i < std::min(bench.dataset.size(), bench.compute_batch); ++i)
    rows.push_back(i);
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
  if (state.empty()) add_tensor(hash, first_logits(bench));
  return hash.hex();
}

Ledger::Identity identity_of(const Bench& bench, std::span<const AttackEntry> attacks,
                             int gallery) {
  const auto& ids = bench.dataset.ids;
  Ledger::Identity identity{
      {"model", model_sha256(bench)},
      {"data", bench.dataset.sha256()},
      {"ids", hex16(hash64(ids.data(), ids.size() * sizeof(ids[0])))},
      {"seed", str(bench.seed)},
      {"compute_batch", str(bench.compute_batch)},
      {"gallery", str(gallery)},
  };
  for (const auto& attack : attacks) identity["attack " + attack.name] = attack.options;
  return identity;
}

}  // namespace namid::eval
