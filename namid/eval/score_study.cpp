// SPDX-License-Identifier: Apache-2.0
#include "namid/eval/score_study.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <numeric>

#include "namid/core/error.h"
#include "namid/core/format.h"

namespace namid::eval {
namespace {

using nlohmann::json;
using Values = std::vector<double>;

std::int64_t full_batches(const data::Dataset& dataset, const StudyOptions& options) {
  validate(options, "mi");
  if (dataset.size() < options.batch_size)
    throw OptionError(str("[mi] batch_size: expected at most the data set's ", dataset.size(),
                          " images, got ", options.batch_size));
  return dataset.size() / options.batch_size;
}

data::Batch batch_at(const data::Dataset& dataset, std::int64_t index, std::int64_t size,
                     const at::Device& device) {
  std::vector<std::int64_t> rows(static_cast<std::size_t>(size));
  std::iota(rows.begin(), rows.end(), index * size);
  return data::make_batch(dataset, rows, device);
}

/// What the first attack that broke a sample found; else what the first attack did.
at::Tensor attack_batch(const models::Classifier& model, const data::Batch& batch,
                        const Suite& suite, std::uint64_t seed) {
  at::Tensor x_adv, open = at::ones({batch.size()}, batch.y.options().dtype(at::kBool));
  for (const auto& attack : suite.attacks) {
    if (!open.any().item<bool>()) break;
    attacks::Context context{.random = Random(seed, "test/" + attack.name)};
    context.ids = batch.ids;
    const auto found = attack.run(model, batch.x, batch.y, context).x_adv;
    const at::NoGradGuard no_grad;
    const auto fooled = model(found).argmax(1) != batch.y;
    const auto take = x_adv.defined() ? open & fooled : at::ones_like(open);
    const auto rows = take.view({-1, 1, 1, 1});
    x_adv = x_adv.defined() ? at::where(rows, found, x_adv) : found;
    open = open & ~fooled;
  }
  return x_adv;
}

void append(Values& to, const at::Tensor& loss) {
  const auto scores = loss.mean(1).neg().to(at::kDouble).cpu().contiguous();
  const auto* data = scores.const_data_ptr<double>();
  to.insert(to.end(), data, data + scores.numel());
}

template <class T>
void append_flags(std::vector<T>& to, const at::Tensor& values) {
  const auto flags = values.to(at::kLong).cpu().contiguous();
  const auto* data = flags.const_data_ptr<std::int64_t>();
  for (std::int64_t i = 0; i < flags.numel(); ++i) to.push_back(static_cast<T>(data[i]));
}

void score_batch(AttackScores& all, const models::Classifier& model,
                 const mi::EstimatorPair& estimators, const data::Batch& batch,
                 const at::Tensor& x_adv, const StudyOptions& options) {
  const auto layer = estimators.info.layer;
  const auto logits_n = model(batch.x), logits_a = model(x_adv);
  const bool logits = layer == models::Layer::logits;
  const auto natural = logits ? logits_n : model(batch.x, layer);
  const auto adversarial = logits ? logits_a : model(x_adv, layer);
  const auto& [e_n, e_a, info] = estimators;
  const auto add = [&](const char* name, const mi::Estimator& estimator, const at::Tensor& local,
                       const at::Tensor& output) {
    append(all.scores[name], estimator.loss(local, output, options.dv_mask));
  };
  const auto of_x = e_n.local_features(batch.x);
  add("natural_on_natural", e_n, of_x, natural);
  add("natural_on_adversarial", e_n, of_x, adversarial);
  add("image_on_adversarial", e_n, e_n.local_features(x_adv), adversarial);
  if (e_a.defined()) {
    const auto of_noise = e_a.local_features(x_adv - batch.x);
    add("adversarial_on_natural", e_a, of_noise, natural);
    add("adversarial_on_adversarial", e_a, of_noise, adversarial);
  }
  append_flags(all.right, logits_n.argmax(1) == batch.y);
  append_flags(all.selected, mi::select(logits_n, logits_a, batch.y, options.selection));
  append_flags(all.labels, batch.y);
}

OffsetMean mean_of(const Values& values, double offset) {
  const auto n = static_cast<double>(values.size());
  OffsetMean result;
  for (const double value : values) result.mean += (value - offset) / n;
  double squares = 0;
  for (const double value : values) squares += std::pow(value - offset - result.mean, 2);
  result.sem = values.size() > 1 ? std::sqrt(squares / (n - 1) / n) : 0;
  return result;
}

json to_json(const OffsetMean& value) {
  return {{"mean", value.mean}, {"sem", value.sem}};
}

Values rows_of(const Values& values, const std::vector<std::uint8_t>& rows) {
  Values chosen;
  for (std::size_t i = 0; i < values.size(); ++i)
    if (rows[i] != 0) chosen.push_back(values[i]);
  return chosen;
}

json means(const SampleScores& scores, const std::vector<std::uint8_t>& rows) {
  json object = json::object();
  for (const auto& [name, values] : scores)
    if (const auto chosen = rows_of(values, rows); !chosen.empty())
      object[name] = to_json(mean_of(chosen, 0));
  return object;
}

std::int64_t count(const std::vector<std::uint8_t>& flags) {
  return std::count(flags.begin(), flags.end(), 1);
}

json per_class(const AttackScores& attack, const std::vector<std::string>& names) {
  json list = json::array();
  for (std::size_t c = 0; c < names.size(); ++c) {
    std::vector<std::uint8_t> rows, selected;
    for (std::size_t i = 0; i < attack.labels.size(); ++i) {
      rows.push_back(attack.labels[i] == static_cast<std::int64_t>(c));
      selected.push_back(rows.back() && attack.selected[i]);
    }
    if (count(rows) == 0) continue;
    json object = {{"class", names[c]}, {"n", count(rows)}, {"selected", count(selected)}};
    const auto of_class = means(attack.scores, rows);
    for (const auto& [name, value] : of_class.items()) object[name] = value.at("mean");
    list.push_back(object);
  }
  return list;
}

/// Offset means per attack of the given scores, the offset taken over all attacks.
json figure(const std::vector<AttackScores>& attacks, const std::vector<std::string>& quantities,
            bool selected_only) {
  SampleScores family;
  for (const auto& attack : attacks)
    for (const auto& quantity : quantities)
      if (const auto found = attack.scores.find(quantity); found != attack.scores.end())
        family[attack.attack + "\n" + quantity] =
            selected_only ? rows_of(found->second, attack.selected) : found->second;
  json object = json::object();
  for (const auto& [key, value] : offset_means(family)) {
    const auto split = key.find('\n');
    object[key.substr(0, split)][key.substr(split + 1)] = to_json(value);
  }
  return object;
}

}  // namespace

std::map<std::string, OffsetMean> offset_means(const SampleScores& family) {
  double smallest = std::numeric_limits<double>::infinity();
  for (const auto& [name, values] : family)
    for (const double value : values) smallest = std::min(smallest, value);
  std::map<std::string, OffsetMean> result;
  for (const auto& [name, values] : family)
    if (!values.empty()) result[name] = mean_of(values, smallest);
  return result;
}

at::Tensor study_images(const models::Classifier& model, const data::Dataset& dataset,
                        const Suite& suite, const StudyOptions& options,
                        const run::StopToken* stop) {
  const auto batches = full_batches(dataset, options);
  std::vector<at::Tensor> images;
  for (std::int64_t i = 0; i < batches; ++i) {
    if (stop != nullptr) stop->check();
    const auto batch = batch_at(dataset, i, options.batch_size, model.device());
    images.push_back(attack_batch(model, batch, suite, options.seed).cpu());
  }
  return at::cat(images);
}

AttackScores score_images(const models::Classifier& model, const mi::EstimatorPair& estimators,
                          const data::Dataset& dataset, const at::Tensor& x_adv,
                          const StudyOptions& options) {
  const auto batches = full_batches(dataset, options);
  const auto frozen = model.frozen_eval();
  for (const auto* estimator : {&estimators.natural, &estimators.adversarial})
    if (estimator->defined()) estimator->freeze();
  const at::NoGradGuard no_grad;
  AttackScores all;
  for (std::int64_t i = 0; i < batches; ++i) {
    const auto batch = batch_at(dataset, i, options.batch_size, model.device());
    const auto images = x_adv.narrow(0, i * options.batch_size, options.batch_size);
    score_batch(all, model, estimators, batch, images.to(model.device()), options);
  }
  return all;
}

json study_report(const std::vector<AttackScores>& attacks,
                  const std::vector<std::string>& class_names) {
  json list = json::array();
  for (const auto& attack : attacks) {
    const std::vector<std::uint8_t> all(attack.labels.size(), 1);
    list.push_back({{"name", attack.attack},
                    {"right", count(attack.right)},
                    {"selected", count(attack.selected)},
                    {"scores", means(attack.scores, all)},
                    {"selected_scores", means(attack.scores, attack.selected)},
                    {"per_class", per_class(attack, class_names)}});
  }
  json fig4 = figure(attacks, {"natural_on_natural", "natural_on_adversarial"}, true);
  fig4.merge_patch(figure(attacks, {"adversarial_on_natural", "adversarial_on_adversarial"}, true));
  return {{"n", attacks.empty() ? 0 : static_cast<std::int64_t>(attacks.front().labels.size())},
          {"attacks", list},
          {"fig2",
           figure(attacks, {"natural_on_natural", "image_on_adversarial", "natural_on_adversarial"},
                  false)},
          {"fig4", fig4}};
}

}  // namespace namid::eval
