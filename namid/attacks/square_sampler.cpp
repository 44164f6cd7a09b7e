// SPDX-License-Identifier: Apache-2.0
#include "namid/attacks/square_sampler.h"

#include <algorithm>
#include <utility>

#include "namid/attacks/norms.h"

namespace namid::attacks {
namespace {

// Draws that the batch shares belong to this id: no file index, no plausible hash.
constexpr std::uint64_t kBatchId = ~std::uint64_t{0};
constexpr std::int64_t kTilesPerSide = 5;
constexpr double kSmallestNorm = 1e-12;
constexpr int kFillingSteps = 4;
constexpr double kLargestFactor = 1e6;

Budget ball(const SquareOptions& options) {
  auto budget = options.budget;
  if (options.compat == Compat::autoattack && budget.norm == Norm::l1) budget.epsilon *= 1 - 1e-6;
  return budget;
}

/// Uniform numbers → ±1.
at::Tensor signs(const at::Tensor& numbers) {
  return numbers.ge(0.5).to(at::kFloat).mul_(2).sub_(1);
}

struct Band {
  std::int64_t begin = 0, length = 0;
};

/// The bands that tile `length` rows or columns.
std::vector<Band> bands(std::int64_t length, Compat compat) {
  std::vector<Band> all;
  const auto count = std::min(kTilesPerSide, length), even = length / kTilesPerSide;
  for (std::int64_t i = 0; i < count; ++i) {
    const auto begin = i * length / count, end = (i + 1) * length / count;
    if (compat == Compat::autoattack) {
      all.push_back({(length - kTilesPerSide * even) / 2 + i * even, even});
    } else {
      all.push_back({begin, end - begin});
    }
  }
  return all;
}

/// Norm over the last dimension, kept.
at::Tensor channel_norms(const at::Tensor& values, Norm norm) {
  return at::linalg_vector_norm(values, norm == Norm::l1 ? 1 : 2, {-1}, true);
}

/// What the box leaves of x + f values, minus x, with the factor f per row at which that has L2
/// norm `length` (N, C, 1), where the box lets it. f grows by Newton steps, which stay below: each
/// takes the entries that the box holds by now as held and scales the others.
at::Tensor filling_box(const at::Tensor& values, const at::Tensor& x, const at::Tensor& length) {
  auto scaled = values * (length / channel_norms(values, Norm::l2).clamp_min(kSmallestNorm));
  for (int step = 0; step < kFillingSteps; ++step) {
    const auto next = x + scaled, left = next.clamp(0, 1);
    const auto held = channel_norms((left - x).masked_fill(left == next, 0), Norm::l2);
    const auto free = channel_norms(scaled.masked_fill(left != next, 0), Norm::l2);
    const auto missing = (length.square() - held.square()).clamp_min(0).sqrt();
    scaled = scaled * at::where(free > 0, missing / free, 1).clamp_(1, kLargestFactor);
  }
  return (x + scaled).clamp(0, 1) - x;
}

}  // namespace

SquareSampler::SquareSampler(const at::Tensor& x, SampleIds ids, std::uint32_t epoch,
                             const SquareOptions& options, const Context& context)
    : shape_(x.sizes().vec()),
      size_(image_size(x)),
      options_(options),
      own_(context, std::move(ids), epoch),
      batch_(context, {kBatchId}, epoch),
      project_(x, ball(options)) {
  x_ = x.view({x.size(0), size_.channels, size_.height * size_.width});
}

at::Tensor SquareSampler::start() const {
  if (options_.budget.norm != Norm::linf) return shifted(start_tiles());
  const auto columns = own_.uniform(x_.new_empty({x_.size(0), size_.channels, 1, size_.width}));
  const auto delta = signs(columns).mul_(options_.budget.epsilon);
  return shifted(delta.expand({-1, -1, size_.height, -1}).reshape(x_.sizes()));
}

at::Tensor SquareSampler::start_tiles() const {
  const auto norm = options_.budget.norm;
  const auto rows = bands(size_.height, options_.compat);
  const auto columns = bands(size_.width, options_.compat);
  const auto numbers = tile_numbers(static_cast<std::int64_t>(rows.size() * columns.size()));
  auto delta = at::zeros({x_.size(0), size_.channels, size_.height, size_.width}, x_.options());
  std::int64_t tile = 0;
  for (const auto& row : rows) {
    for (const auto& column : columns) {
      const WindowSize window{.rows = row.length, .columns = column.length};
      const auto number = numbers.select(1, tile++);
      const auto eta = at::where(number.narrow(1, 0, 1).gt(0.5).view({-1, 1, 1, 1}),
                                 square_eta(window, norm, true).to(x_.device()),
                                 square_eta(window, norm, false).to(x_.device()));
      delta.narrow(2, row.begin, row.length)
          .narrow(3, column.begin, column.length)
          .copy_(eta * signs(number.slice(1, 1)).view({-1, size_.channels, 1, 1}));
    }
  }
  return delta.view(x_.sizes());
}

/// (N, tiles, 1 + C): turn and signs of each tile.
at::Tensor SquareSampler::tile_numbers(std::int64_t tiles) const {
  const auto rows = x_.size(0);
  if (!own_.sequential()) return own_.uniform(x_.new_empty({rows, tiles, 1 + size_.channels}));
  std::vector<at::Tensor> numbers;
  for (std::int64_t tile = 0; tile < tiles; ++tile) {
    const auto turn = batch_.uniform(x_.new_empty({1, 1, 1})).expand({rows, 1, 1});
    numbers.push_back(at::cat({turn, own_.uniform(x_.new_empty({rows, 1, size_.channels}))}, 2));
  }
  return at::cat(numbers, 1);
}

/// (N, k): row and column of each window, its turn (not in L∞), signs of the channels.
at::Tensor SquareSampler::proposal_numbers(std::uint32_t iteration) const {
  const bool linf = options_.budget.norm == Norm::linf;
  const std::int64_t corners = linf ? 2 : 4, turns = linf ? 0 : 1;
  const auto count = corners + turns + size_.channels;
  std::int64_t shared = 0;
  if (options_.compat == Compat::autoattack)
    shared = linf ? count : corners + turns;
  else if (options_.windows == Windows::shared)
    shared = corners + turns;
  std::vector<at::Tensor> numbers;
  if (shared > 0) numbers.push_back(shared_numbers(shared, iteration).expand({x_.size(0), shared}));
  if (shared < count)
    numbers.push_back(own_.uniform(x_.new_empty({x_.size(0), count - shared}), iteration));
  return at::cat(numbers, 1);
}

at::Tensor SquareSampler::shared_numbers(std::int64_t count, std::uint32_t iteration) const {
  return batch_.uniform(x_.new_empty({1, count}), iteration);
}

/// Uniform numbers → the first row or column of windows.
at::Tensor SquareSampler::first_places(const at::Tensor& uniform, std::int64_t size,
                                       std::int64_t length) const {
  const auto room = size - length;
  const auto choices = options_.compat == Compat::autoattack ? room : room + 1;
  return (uniform * choices).floor_().to(at::kLong).clamp_max_(room);
}

/// Uniform numbers (N, 2) → places of the window's pixels in each channel, (N, C, rows columns).
at::Tensor SquareSampler::window_index(const at::Tensor& corner, const WindowSize& window) const {
  const auto places = [&](const at::Tensor& uniform, std::int64_t size, std::int64_t length) {
    const auto first = first_places(uniform, size, length);
    return first.view({-1, 1, 1}) + at::arange(length, first.options());
  };
  const auto row = places(corner.select(1, 0), size_.height, window.rows).transpose(1, 2);
  const auto column = places(corner.select(1, 1), size_.width, window.columns);
  return (row * size_.width + column).flatten(1).unsqueeze(1).expand({-1, size_.channels, -1});
}

WindowSize SquareSampler::window(int iteration) const {
  const auto schedule = options_.rescale_schedule
                            ? std::int64_t{iteration} * 10'000 / options_.queries
                            : std::int64_t{iteration};
  return square_window(size_, options_.budget.norm, square_share(options_.p_init, schedule));
}

bool SquareSampler::shares_window() const {
  return options_.windows == Windows::shared && options_.budget.norm == Norm::linf &&
         !own_.sequential();
}

models::Rectangle SquareSampler::shared_window(int iteration) const {
  const auto window = this->window(iteration);
  const auto corner = shared_numbers(2, static_cast<std::uint32_t>(iteration) + 1)[0];
  const auto place = [&](std::int64_t axis, std::int64_t size, std::int64_t length) {
    const auto first = first_places(corner[axis], size, length).item<std::int64_t>();
    return models::Interval{first, first + length};
  };
  return {place(0, size_.height, window.rows), place(1, size_.width, window.columns)};
}

at::Tensor SquareSampler::proposal(const at::Tensor& best, int iteration) const {
  const auto window = this->window(iteration);
  const auto numbers = proposal_numbers(static_cast<std::uint32_t>(iteration) + 1);
  const auto images = best.view(x_.sizes());
  return options_.budget.norm == Norm::linf ? add_square(images, numbers, window)
                                            : move_mass(images, numbers, window);
}

/// Algorithm 2.
at::Tensor SquareSampler::add_square(const at::Tensor& best, const at::Tensor& numbers,
                                     const WindowSize& window) const {
  const auto index = window_index(numbers, window);
  const auto step = signs(numbers.slice(1, 2)).mul_(2 * options_.budget.epsilon).unsqueeze(2);
  auto x_new = best.scatter(2, index, best.gather(2, index) + step).view(shape_);
  project_(x_new);
  return x_new;
}

bool SquareSampler::fills_box() const {
  return options_.budget.norm == Norm::l2 && options_.compat != Compat::autoattack;
}

/// What the first window gets of ε² − ‖δ‖²: all in the published form, else nothing, since
/// shifted() shares it among all of δ; where δ is 0 there is nothing else to start from.
at::Tensor SquareSampler::unused_squares(const at::Tensor& length) const {
  const double epsilon = options_.budget.epsilon;
  const auto unused = (epsilon * epsilon - length.square()).clamp_min(0);
  return fills_box() ? unused * (length == 0) : unused;
}

/// Algorithm 3.
at::Tensor SquareSampler::move_mass(const at::Tensor& best, const at::Tensor& numbers,
                                    const WindowSize& window) const {
  const auto norm = options_.budget.norm;
  const auto epsilon = options_.budget.epsilon;
  const auto channels = static_cast<double>(size_.channels);
  const auto first = window_index(numbers.slice(1, 0, 2), window);
  const auto second = window_index(numbers.slice(1, 2, 4), window);

  auto delta = best - x_;
  const auto length = per_sample(sample_norms(delta, norm).to(at::kFloat), delta);
  const auto old = delta.gather(2, first);
  delta.scatter_(2, first, 0);
  const auto both = channel_norms(at::cat({old, delta.gather(2, second)}, 2), norm);
  delta.scatter_(2, second, 0);

  const auto eta = at::where(numbers.slice(1, 4, 5).gt(0.5).unsqueeze(2),
                             square_eta(window, norm, true).flatten().to(x_.device()),
                             square_eta(window, norm, false).flatten().to(x_.device()));
  const auto patch = eta * signs(numbers.slice(1, 5)).unsqueeze(2) +
                     old / (channel_norms(old, norm) + kSmallestNorm);
  const auto mass = norm == Norm::l1
                        ? ((epsilon - length).clamp_min(0) / channels + both) * channels
                        : (unused_squares(length) / channels + both.square()).sqrt();
  delta.scatter_(2, first,
                 fills_box() ? filling_box(patch, x_.gather(2, first), mass)
                             : patch / (channel_norms(patch, norm) + kSmallestNorm) * mass);
  return shifted(std::move(delta));
}

/// x + delta, in L2 with delta scaled to norm epsilon, inside ball and box.
at::Tensor SquareSampler::shifted(at::Tensor delta) const {
  if (options_.budget.norm == Norm::l2) {
    const auto factor =
        options_.budget.epsilon / sample_norms(delta, Norm::l2).clamp_min_(kSmallestNorm);
    delta = delta * per_sample(factor.to(at::kFloat), delta);
  }
  auto x_new = (x_ + delta).view(shape_);
  project_(x_new);
  return x_new;
}

}  // namespace namid::attacks
