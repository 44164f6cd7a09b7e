// SPDX-License-Identifier: Apache-2.0
#include "namid/defenses/mma.h"

#include "namid/core/error.h"
#include "namid/mi/scalars.h"
#include "namid/mi/selection.h"

namespace namid::defenses {
namespace {

using attacks::Norm;

constexpr double kBeyond = 1.05;  // e_max / d_max
constexpr int kBins = 10;

double d_max_of(const MmaOptions& options, const attacks::Budget& budget) {
  return options.d_max.value_or((budget.norm == Norm::l2 ? 2 : 1.5) * budget.epsilon);
}

double e_min_of(const MmaOptions& options, const attacks::Budget& budget) {
  const double usual = budget.norm == Norm::l2 ? 0.5 : 0.005;
  return options.e_min.value_or(std::min(usual, d_max_of(options, budget) / 2));
}

MarginSearchOptions search_options(const MmaOptions& options, const PgdOptions& attack) {
  return {.norm = attack.budget.norm,
          .e_max = kBeyond * d_max_of(options, attack.budget),
          .steps = attack.steps,
          .bisections = options.bisections};
}

SampleIds ids_of(const SampleIds& ids, const at::Tensor& rows) {
  const auto indices = rows.cpu();
  SampleIds some;
  for (std::int64_t i = 0; i < indices.size(0); ++i)
    some.push_back(ids[static_cast<std::size_t>(indices.const_data_ptr<std::int64_t>()[i])]);
  return some;
}

mi::Scalars margin_numbers(const at::Tensor& margins, double d_max) {
  mi::Scalars numbers{{"margin_mean", margins.mean()},
                      {"unmoved", margins.ge(d_max).to(at::kDouble).mean()}};
  const auto bins =
      (margins * (kBins / (kBeyond * d_max))).floor().clamp(0, kBins - 1).to(at::kLong);
  for (int bin = 0; bin < kBins; ++bin)
    numbers.emplace_back(str("margin_bin_", bin), bins.eq(bin).to(at::kDouble).mean());
  return numbers;
}

/// Searches on the rows P; x_adv and margins of the whole batch, x and 0 for the rest.
MarginSearch search_on(const at::Tensor& rows, const Classifier& model, const Batch& batch,
                       const StepOptions& step, const MmaOptions& options, const MarginTable& table,
                       const Context& context) {
  MarginSearch all{at::zeros({batch.size()}, batch.x.options()), batch.x.clone()};
  if (rows.size(0) == 0) return all;
  Context own = context;
  own.ids = ids_of(context.ids, rows);
  const auto x = batch.x.index_select(0, rows), y = batch.y.index_select(0, rows);
  const auto search = search_options(options, step.attack);
  const auto radii =
      table.find(own.ids).to(x.device()).clamp(e_min_of(options, step.attack.budget), search.e_max);
  const auto found = search_margins(model, x, y, radii, search, own);
  all.margins.index_copy_(0, rows, found.margins);
  all.x_adv.index_copy_(0, rows, found.x_adv);
  return all;
}

}  // namespace

at::Tensor mma_loss(const at::Tensor& natural, const at::Tensor& adversarial, const at::Tensor& y,
                    const at::Tensor& margins, double d_max, double clean_weight) {
  const auto outside = soft_logit_margin(natural.detach(), y) >= 0;
  const auto used = outside.logical_or(margins < d_max);
  const at::Tensor boundary =
      (at::cross_entropy_loss(adversarial, y, {}, at::Reduction::None) * used).mean();
  return (1 - clean_weight) * boundary + clean_weight * at::cross_entropy_loss(natural, y);
}

ObjectiveResult mma(const Classifier& model, const Batch& batch, const StepOptions& step,
                    const MmaOptions& options, MarginTable& table, const Context& context) {
  Context own = context;
  if (own.ids.empty()) own.ids = batch.ids.empty() ? hash_sample_ids(batch.x, batch.y) : batch.ids;
  const double d_max = d_max_of(options, step.attack.budget);
  const at::Tensor natural = model(batch.x);
  const auto inside = mi::rows_of(soft_logit_margin(natural.detach(), batch.y) < 0);
  const auto [margins, x_adv] = search_on(inside, model, batch, step, options, table, own);
  table.keep(own.ids, margins);
  const at::Tensor adversarial = model(x_adv);
  const at::Tensor loss =
      mma_loss(natural, adversarial, batch.y, margins, d_max, options.clean_weight);

  auto numbers = margin_numbers(margins, d_max);
  numbers.emplace_back("loss", loss);
  numbers.emplace_back("accuracy", share_right(natural, batch.y));
  numbers.emplace_back("adversarial_accuracy", share_right(adversarial, batch.y));
  return {loss, mi::read_scalars(numbers)};
}

void check_mma(const MmaOptions& options, const PgdOptions& attack) {
  validate(options, "mma");
  if (attack.budget.norm != Norm::linf && attack.budget.norm != Norm::l2)
    throw OptionError(
        str("[mma] attack norm: expected linf or l2, got ", to_string(attack.budget.norm)));
  const double e_min = e_min_of(options, attack.budget), d_max = d_max_of(options, attack.budget);
  if (!(d_max > 0))
    throw OptionError("[mma] d_max: auto gives 0 for an epsilon of 0; give a number above 0");
  if (e_min > kBeyond * d_max)
    throw OptionError(str("[mma] e_min: expected at most 1.05 d_max, which is ", kBeyond * d_max,
                          ", got ", e_min));
  const bool plain = attack.step_size.is_auto() && attack.start == attacks::Start::uniform &&
                     attack.loss == attacks::AttackLoss::cross_entropy && attack.restarts == 1 &&
                     attack.eot == 1;
  if (!plain)
    throw OptionError(
        "[mma] attack: expected step_size, start, loss, restarts and eot at their defaults; the "
        "search has steps of 2.5 radius / steps on the soft logit margin from a uniform start");
}

at::Tensor MarginTable::find(const SampleIds& ids) const {
  const auto found = at::zeros({static_cast<std::int64_t>(ids.size())}, at::kFloat);
  for (std::size_t i = 0; i < ids.size(); ++i)
    if (const auto entry = margins_.find(ids[i]); entry != margins_.end())
      found.data_ptr<float>()[i] = entry->second;
  return found;
}

void MarginTable::keep(const SampleIds& ids, const at::Tensor& margins) {
  const auto values = margins.detach().to(at::kFloat).cpu().contiguous();
  for (std::size_t i = 0; i < ids.size(); ++i) margins_[ids[i]] = values.const_data_ptr<float>()[i];
}

TensorMap MarginTable::save() const {
  const auto count = static_cast<std::int64_t>(margins_.size());
  const auto ids = at::empty({count}, at::kLong), margins = at::empty({count}, at::kFloat);
  std::int64_t row = 0;
  for (const auto& [id, margin] : margins_) {
    ids.data_ptr<std::int64_t>()[row] = static_cast<std::int64_t>(id);
    margins.data_ptr<float>()[row++] = margin;
  }
  return {{"ids", ids}, {"margins", margins}};
}

void MarginTable::load(const TensorMap& tensors) {
  const auto ids = find_tensor(tensors, "ids"), margins = find_tensor(tensors, "margins");
  if (!ids.defined() || !margins.defined() || ids.scalar_type() != at::kLong ||
      margins.scalar_type() != at::kFloat || ids.dim() != 1 || ids.sizes() != margins.sizes())
    throw DataError("mma: expected ids and margins of every image in the checkpoint");
  margins_.clear();
  for (std::int64_t row = 0; row < ids.size(0); ++row)
    margins_[static_cast<std::uint64_t>(ids.const_data_ptr<std::int64_t>()[row])] =
        margins.const_data_ptr<float>()[row];
}

}  // namespace namid::defenses
