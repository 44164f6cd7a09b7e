// SPDX-License-Identifier: Apache-2.0
#include "namid/eval/set_check.h"

#include <ATen/ops/tensor.h>

#include <cmath>
#include <nlohmann/json.hpp>
#include <unordered_map>

#include "namid/core/error.h"
#include "namid/core/format.h"
#include "namid/eval/compute_batch.h"
#include "namid/eval/eight_bit.h"
#include "namid/eval/guard_rails.h"

namespace namid::eval {
namespace {

std::string text(std::span<const std::int64_t> shape) {
  std::string out = "(";
  for (const auto size : shape) out += str(out.size() > 1 ? ", " : "", size);
  return out + ")";
}

void add_problem(std::string& all, const std::string& one) {
  if (!one.empty()) all += (all.empty() ? "" : "; ") + one;
}

/// What is wrong with all images at once.
std::string wrong_images(const SetCheck& check, const AdversarialSet& set) {
  const std::span<const std::int64_t> shape = std::span(set.shape).subspan(1);
  const auto expected = check.dataset.shape();
  if (!std::equal(shape.begin(), shape.end(), expected.begin(), expected.end()))
    return str("shape ", text(shape), ": the data set's images have ", text(expected));
  if (set.dtype == "float32" || (set.dtype == "float64" && check.cast)) return "";
  return set.dtype == "float64"
             ? "dtype float64: expected float32, in which models compute (--cast rounds it)"
             : str("dtype ", set.dtype, ": expected float32 in [0,1] (x.astype('float32') / 255)");
}

/// Position in the data set by sample id.
using Positions = std::unordered_map<std::uint64_t, std::int64_t>;

Positions positions_of(const data::Dataset& dataset) {
  Positions positions;
  for (std::int64_t i = 0; i < dataset.size(); ++i)
    positions.emplace(dataset.ids[static_cast<std::size_t>(i)], i);
  return positions;
}

/// Says what can be said without the model; → positions in the data set, −1 where there is none.
std::vector<std::int64_t> locate(const SetCheck& check, const AdversarialSet& set,
                                 std::vector<CheckedRow>& checked) {
  const auto positions = positions_of(check.dataset);
  Positions first_row;
  const auto* labels = check.dataset.labels.const_data_ptr<std::int64_t>();
  const auto wrong = wrong_images(check, set);
  std::vector<std::int64_t> found(checked.size(), -1);
  for (std::size_t i = 0; i < checked.size(); ++i) {
    auto& entry = checked[i];
    entry = {.row = static_cast<std::int64_t>(i),
             .index = set.index.const_data_ptr<std::int64_t>()[i],
             .label = set.y.const_data_ptr<std::int64_t>()[i],
             .claimed = set.success.const_data_ptr<bool>()[i],
             .problem = wrong};
    const auto position = positions.find(static_cast<std::uint64_t>(entry.index));
    if (position == positions.end()) {
      add_problem(entry.problem,
                  str("index ", entry.index, ": no such sample among the data set's ",
                      check.dataset.size()));
      continue;
    }
    const auto label = labels[position->second];
    if (label != entry.label)
      add_problem(entry.problem, str("label ", entry.label, ": the data set says ", label));
    const auto [earlier, first] =
        first_row.emplace(static_cast<std::uint64_t>(entry.index), entry.row);
    if (!first)
      add_problem(entry.problem,
                  str("index ", entry.index, ": stands in row ", earlier->second, " already"));
    entry.image_known = first;
    if (wrong.empty()) found[i] = position->second;
  }
  return found;
}

/// Rows of a tensor of the set on the device; undefined stays so.
at::Tensor device_rows(const at::Tensor& values, const at::Tensor& rows, const at::Device& device) {
  return values.defined() ? values.index_select(0, rows).to(device, at::kFloat) : values;
}

/// Verdicts of `rows` of the set, whose images stand at `positions` of the data set.
std::vector<Verdict> judge(const SetCheck& check, const AdversarialSet& set, Rows rows,
                           const std::vector<std::int64_t>& positions) {
  std::vector<std::int64_t> places,
      padded(static_cast<std::size_t>(check.compute_batch), rows.front());
  std::copy(rows.begin(), rows.end(), padded.begin());
  for (const auto row : rows) places.push_back(positions[static_cast<std::size_t>(row)]);
  const auto device = check.model.device();
  const auto natural = padded_batch(check.dataset, places, check.compute_batch, device);
  const auto claimed = at::tensor(padded, at::kLong);
  return verify_with_eight_bit(
      check.model, natural.x,
      {device_rows(set.x_adv, claimed, device), device_rows(set.plan, claimed, device)}, natural.y,
      check.budget);
}

void conclude(CheckedRow& entry, const Verdict& verdict, const at::Tensor& target,
              const attacks::Budget& budget) {
  entry.verdict = verdict;
  add_problem(entry.problem, refusal_text(verdict, budget));
  entry.broken = entry.holds();
  entry.eight_bit = verdict.eight_bit && verdict.eight_bit->broken();
  if (!target.defined()) return;
  const auto expected = target.const_data_ptr<std::int64_t>()[entry.row];
  if (verdict.reading.prediction != expected)
    add_problem(entry.problem,
                str("target ", expected, " missed: the model says ", verdict.reading.prediction));
  entry.eight_bit = entry.eight_bit && verdict.eight_bit->prediction == expected;
}

nlohmann::json finite_or_null(double value) {
  return std::isfinite(value) ? nlohmann::json(value) : nlohmann::json();
}

}  // namespace

std::vector<CheckedRow> check_set(const SetCheck& check, const AdversarialSet& set) {
  check_fit(check.model, check.dataset);
  if (check.budget.norm == attacks::Norm::wasserstein && !set.plan.defined())
    throw DataError(str(set.file,
                        ": norm wasserstein: expected the array 'plan', float32 (N, C, H, ",
                        "W, K²), which shows that the images are within epsilon"));
  std::vector<CheckedRow> checked(static_cast<std::size_t>(set.size()));
  const auto positions = locate(check, set, checked);
  std::vector<std::int64_t> rows;
  for (std::int64_t row = 0; row < set.size(); ++row)
    if (positions[static_cast<std::size_t>(row)] >= 0) rows.push_back(row);
  std::int64_t done = set.size() - static_cast<std::int64_t>(rows.size());
  for (const auto piece : split_rows(rows, check.compute_batch)) {
    if (check.stop) check.stop->check();
    const auto verdicts = judge(check, set, piece, positions);
    for (std::size_t i = 0; i < piece.size(); ++i)
      conclude(checked[static_cast<std::size_t>(piece[i])], verdicts[i], set.target, check.budget);
    done += static_cast<std::int64_t>(piece.size());
    if (check.progress) check.progress(done, set.size());
  }
  return checked;
}

SetCounts count_rows(const std::vector<CheckedRow>& checked) {
  SetCounts counts{.rows = static_cast<std::int64_t>(checked.size())};
  for (const auto& entry : checked) {
    counts.claimed += entry.claimed;
    counts.confirmed += entry.claimed && entry.holds();
    counts.understated += !entry.claimed && entry.holds();
    counts.eight_bit += entry.claimed && entry.holds() && entry.eight_bit;
    counts.images += entry.image_known;
    counts.broken_images += entry.image_known && entry.broken;
  }
  return counts;
}

std::string data_sha256(const data::Dataset& dataset, const AdversarialSet& set) {
  const auto positions = positions_of(dataset);
  std::vector<std::int64_t> rows;
  for (std::int64_t i = 0; i < set.size(); ++i) {
    const auto id = static_cast<std::uint64_t>(set.index.const_data_ptr<std::int64_t>()[i]);
    const auto position = positions.find(id);
    if (position == positions.end()) return "";
    rows.push_back(position->second);
  }
  return dataset.rows(rows).sha256();
}

nlohmann::json row_json(const CheckedRow& entry) {
  nlohmann::json out{{"row", entry.row},       {"index", entry.index},
                     {"label", entry.label},   {"claimed", entry.claimed},
                     {"holds", entry.holds()}, {"problem", entry.problem}};
  if (!entry.verdict) return out;
  const auto& verdict = *entry.verdict;
  out["linf"] = finite_or_null(verdict.linf);
  out["l2"] = finite_or_null(verdict.l2);
  out["l1"] = finite_or_null(verdict.l1);
  out["l0"] = finite_or_null(verdict.l0);
  if (verdict.coupling)
    out["wasserstein"] = finite_or_null(verdict.norm(attacks::Norm::wasserstein));
  out["prediction"] = verdict.reading.prediction;
  out["margin"] = finite_or_null(verdict.reading.margin);
  out["eight_bit"] = entry.eight_bit;
  return out;
}

}  // namespace namid::eval
