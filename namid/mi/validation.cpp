// SPDX-License-Identifier: Apache-2.0
#include "namid/mi/validation.h"

#include "namid/core/error.h"
#include "namid/core/format.h"
#include "namid/mi/estimator.h"
#include "namid/mi/scores.h"
#include "namid/mi/vector_critic.h"

namespace namid::mi {
namespace {

using nlohmann::json;

constexpr std::int64_t kNormalScoreSample = 4096, kImageDimension = 8, kClasses = 10;

/// What trains the same way whatever it reads.
struct Critic {
  at::Device device;
  std::function<at::Tensor(const Pairs&)> scores;
  std::function<void(bool)> train;
  std::vector<at::Tensor> parameters;
};

bool reads_images(const Known& known) {
  return known.family == KnownFamily::image || known.family == KnownFamily::label;
}

Pairs draw_on(const at::Device& device, const Known& known, const Random& random,
              const SampleIds& ids) {
  const auto pairs = draw(known, random, ids);
  return {pairs.x.to(device), pairs.y.to(device)};
}

SampleIds ids_from(std::int64_t first, std::int64_t count) {
  SampleIds ids(static_cast<std::size_t>(count));
  std::iota(ids.begin(), ids.end(), static_cast<std::uint64_t>(first));
  return ids;
}

std::uint64_t seed_of(const Random& random) {
  const auto words = random.words({});
  return words[0] | static_cast<std::uint64_t>(words[1]) << 32;
}

Critic vector_critic(const Known& known, const ValidationOptions& options, const Random& random,
                     const at::Device& device) {
  const auto d = known.dimension;
  const auto sample = draw_on(device, known, random.stream(known.name() + "/scale"),
                              ids_from(0, kNormalScoreSample));
  VectorCritic critic(
      {.x_size = d, .y_size = d, .hidden = options.hidden, .embedding = options.embedding},
      seed_of(random));
  critic.to(device);
  return {.device = device,
          .scores = [critic, x = NormalScores(sample.x), y = NormalScores(sample.y)](
                        const Pairs& p) { return critic.scores(x(p.x), y(p.y)); },
          .train = [](bool) {},
          .parameters = critic.parameters()};
}

Critic image_critic(const Known& known, const ValidationOptions& options, const Random& random,
                    const at::Device& device) {
  const EstimatorInfo info{
      .units = options.units, .num_classes = known.dimension, .input_shape = {1, 8, 8}};
  const Estimator estimator(info, seed_of(random));
  estimator.to(device);
  const auto scores = [estimator](const Pairs& p) {
    return score_tensor(estimator.global_vectors(p.y), estimator.local_features(p.x));
  };
  return {.device = device,
          .scores = scores,
          .train = [estimator](bool on) { estimator.train(on); },
          .parameters = estimator.parameters()};
}

void train(const Critic& critic, const Known& known, const ValidationOptions& options,
           const Random& random, const run::StopToken* stop) {
  torch::optim::Adam optimizer(critic.parameters, torch::optim::AdamOptions(options.lr));
  auto& adam = static_cast<torch::optim::AdamOptions&>(optimizer.param_groups()[0].options());
  const int steps = reads_images(known) ? options.image_steps : options.steps;
  critic.train(true);
  for (int step = 0; step < steps; ++step) {
    if (stop) stop->check();
    adam.lr(options.lr * 0.5 * (1 + std::cos(M_PI * step / steps)));
    const auto ids = ids_from(std::int64_t{step} * options.batch_size, options.batch_size);
    const auto loss =
        bound_loss(critic.scores(draw_on(critic.device, known, random, ids)), options.bound).mean();
    optimizer.zero_grad();
    loss.backward();
    optimizer.step();
  }
  critic.train(false);
}

double read(const Critic& critic, const Known& known, const ValidationOptions& options,
            const Random& random) {
  const at::NoGradGuard no_grad;
  double sum = 0;
  for (int batch = 0; batch < options.test_batches; ++batch) {
    const auto ids = ids_from(std::int64_t{batch} * options.test_batch, options.test_batch);
    const auto scores = critic.scores(draw_on(critic.device, known, random, ids));
    sum -= bound_loss(scores, options.bound).mean().item<double>();
  }
  return sum / options.test_batches;
}

json summary_of(const Known& known, const std::vector<double>& estimates, double log_n) {
  const auto n = static_cast<double>(estimates.size());
  double mean = 0, squares = 0;
  for (const double e : estimates) mean += e / n;
  for (const double e : estimates) squares += (e - mean) * (e - mean);
  const double truth = true_information(known), error = mean - truth;
  const bool right = std::abs(error) <= std::max(kAbsoluteTolerance, kRelativeTolerance * truth);
  return {{"name", known.name()},
          {"family", to_string(known.family)},
          {"dimension", known.dimension},
          {"truth", truth},
          {"mean", mean},
          {"sd", n > 1 ? std::sqrt(squares / (n - 1)) : 0},
          {"error", error},
          {"estimates", estimates},
          {"saturated", mean > kSaturation * log_n},
          {"asked", truth <= kAskedUpTo},
          {"right", right}};
}

std::vector<Known> cells_of(const ValidationOptions& options) {
  std::vector<Known> cells;
  for (const auto family : {KnownFamily::gaussian, KnownFamily::cubed})
    for (const int d : options.dimensions)
      for (const double information : options.information)
        cells.push_back({family, d, information});
  if (!options.images) return cells;
  for (const double information : options.information)
    cells.push_back({KnownFamily::image, kImageDimension, information});
  for (const double information : options.information)
    if (information < std::log(static_cast<double>(kClasses)))
      cells.push_back({KnownFamily::label, kClasses, information});
  return cells;
}

/// The four distributions behind the controls. One correlation gives d 16 twice what it gives d 8:
/// the third is two independent copies of the second.
std::vector<Known> control_cells() {
  return {{KnownFamily::gaussian, 8, 1, 0, true},
          {KnownFamily::gaussian, 8, 1},
          {KnownFamily::gaussian, 16, 2},
          {KnownFamily::gaussian, 8, 1, 1}};
}

json controls_of(const json& shuffled, const json& one, const json& two, const json& noisy) {
  const auto mean = [](const json& cell) { return cell["mean"].get<double>(); };
  const auto text = [&](const json& cell) { return fixed(mean(cell), 3); };
  const double twice = 2 * mean(one), off = std::abs(mean(two) - twice);
  return {{{"name", "shuffled pairs are near 0"},
           {"says", text(shuffled)},
           {"right", std::abs(mean(shuffled)) <= kAbsoluteTolerance}},
          {{"name", "a noisy step does not add"},
           {"says", str(text(one), " before, ", text(noisy), " after (truth ",
                        fixed(noisy["truth"].get<double>(), 3), ")")},
           {"right", mean(noisy) <= mean(one)}},
          {{"name", "two independent copies give twice"},
           {"says", str(text(two), " and 2 x ", text(one))},
           {"right", off <= std::max(kAbsoluteTolerance, kRelativeTolerance * twice)}}};
}

double log_n(const ValidationOptions& options) {
  return std::log(static_cast<double>(options.test_batch));
}

/// Each distribution is estimated once: a control may be a cell of the table as well.
class Results {
 public:
  Results(const ValidationOptions& options, const ValidationHooks& hooks, std::int64_t count)
      : options_(options), hooks_(hooks), total_(count * options.seeds) {}

  const json& of(const Known& known) {
    auto& result = known_[known.name()];
    if (result.is_null()) result = estimate(known);
    done_ += options_.seeds;
    return result;
  }

 private:
  json estimate(const Known& known) const {
    std::vector<double> estimates;
    for (int index = 0; index < options_.seeds; ++index) {
      if (hooks_.progress) hooks_.progress(known.name(), done_ + index, total_);
      estimates.push_back(estimate_known(known, options_, index, hooks_));
    }
    return summary_of(known, estimates, log_n(options_));
  }

  const ValidationOptions& options_;
  const ValidationHooks& hooks_;
  const std::int64_t total_;
  std::int64_t done_ = 0;
  std::map<std::string, json> known_;
};

}  // namespace

void check(const ValidationOptions& options) {
  validate(options, "mi");
  (void)bound_loss(at::zeros({2, 2, 1}), options.bound);
}

double estimate_known(const Known& known, const ValidationOptions& options, int index,
                      const ValidationHooks& hooks) {
  const std::string name = str("mi/validate/", index, "/", known.name());
  const Random random(options.seed, name);
  const auto critic = reads_images(known) ? image_critic(known, options, random, hooks.device)
                                          : vector_critic(known, options, random, hooks.device);
  train(critic, known, options, random.stream(name + "/train"), hooks.stop);
  const double estimate = read(critic, known, options, random.stream(name + "/test"));
  if (!std::isfinite(estimate))
    throw NumericError(str("[mi] ", known.name(), ": expected a finite estimate, got ", estimate,
                           "; lower lr, or choose a bound of less variance"));
  return estimate;
}

json validate_estimator(const ValidationOptions& options, const ValidationHooks& hooks) {
  check(options);
  const auto cells = cells_of(options);
  const auto controls = options.controls ? control_cells() : std::vector<Known>{};
  Results results(options, hooks, static_cast<std::int64_t>(cells.size() + controls.size()));
  const auto& info = bound_info(options.bound.bound);
  json result = {
      {"bound", to_string(info.bound)}, {"kind", to_string(info.kind)}, {"holds", info.holds},
      {"n", options.test_batch},        {"log_n", log_n(options)},      {"cells", json::array()},
      {"controls", json::array()},      {"failed", json::array()}};
  for (const auto& cell : cells) result["cells"].push_back(results.of(cell));
  std::vector<json> read;
  for (const auto& control : controls) read.push_back(results.of(control));
  if (options.controls) result["controls"] = controls_of(read[0], read[1], read[2], read[3]);

  int asked = 0;
  for (const auto* list : {"cells", "controls"})
    for (const auto& item : result[list]) {
      if (!item.value("asked", true)) continue;
      ++asked;
      if (!item["right"].get<bool>()) result["failed"].push_back(item["name"]);
    }
  result["asked"] = asked;
  result["right"] = asked - static_cast<int>(result["failed"].size());
  return result;
}

}  // namespace namid::mi
