// SPDX-License-Identifier: Apache-2.0
#include "namid/engine/winograd.h"

#include <ATen/Parallel.h>

#include <algorithm>

#include "namid/core/error.h"
#include "namid/core/tensor_parallel.h"

namespace namid::engine {
namespace {

// Measured (docs/winograd.md). V of 28 tiles and 256 channels takes half of a cache of 2 MiB; with
// more channels, and with few tiles a thread, the weights are read too often for what is done with
// them.
constexpr std::int64_t kBlockedTiles = 28, kLeastTiles = 12, kFewTiles = 20, kManyChannels = 384,
                       kStagedTiles = 128;
constexpr std::int64_t kFewPixels = 32, kFewWeights = 256 * 256;
constexpr std::int64_t kPanelsTogether = 2;  // of a block, so that V is read half as often

std::int64_t ceiling(std::int64_t a, std::int64_t b) {
  return (a + b - 1) / b;
}

bool pays_for(std::int64_t weights, std::int64_t stride, const Extent& extent) {
  const auto pixels = extent.n * ceiling(extent.height, stride) * ceiling(extent.width, stride);
  return pixels >= kFewPixels || weights <= kFewWeights;
}

}  // namespace

WinogradKernels winograd_kernels(InstructionSet instructions) {
  if (instructions > best_instruction_set())
    throw OptionError("engine: this machine has no " + std::string(to_string(instructions)));
#if defined(__x86_64__)
  if (instructions == InstructionSet::avx512) return avx512::kernels();
  if (instructions == InstructionSet::avx2) return avx2::kernels();
#endif
  return portable::kernels();
}

struct WinogradConvolution::Job {
  const float* x;
  float* y;
  Tiles tiles;
  const Epilogue& epilogue;
};

/// V or M of tiles [first, last).
struct WinogradConvolution::Planes {
  float* data;
  const ProductLayout& layout;
  std::int64_t first, last;
  std::int64_t groups, first_group = 0;  // of channels

  float* at(std::int64_t product, std::int64_t group) const {
    return data + layout.start[product] + (group - first_group) * layout.group[product];
  }
};

bool WinogradConvolution::supports(const at::Tensor& weight, const models::Window& window) {
  using Pair = std::array<std::int64_t, 2>;
  return weight.dim() == 4 && weight.size(0) % kLanes == 0 && weight.size(1) % kLanes == 0 &&
         weight.scalar_type() == at::kFloat && window.kernel == Pair{3, 3} &&
         (window.stride == Pair{1, 1} || window.stride == Pair{2, 2}) &&
         window.padding == Pair{1, 1} && window.dilation == Pair{1, 1} && window.groups == 1;
}

WinogradConvolution::WinogradConvolution(const at::Tensor& weight, bool input_gradient,
                                         std::int64_t stride, InstructionSet instructions)
    : input_gradient_(input_gradient),
      form_(stride == 1       ? WinogradForm::plain
            : !input_gradient ? WinogradForm::strided
                              : WinogradForm::spread),
      kernels_(winograd_kernels(instructions)) {
  out_ = weight.size(input_gradient ? 1 : 0);
  in_ = weight.size(input_gradient ? 0 : 1);
  zeros_.assign(static_cast<std::size_t>(in_), 0.0f);
  repack(weight);
}

void WinogradConvolution::repack(const at::Tensor& weight) {
  const auto* w = weight.const_data_ptr<float>();
  WeightStrides strides{weight.stride(0), weight.stride(1), weight.stride(2), weight.stride(3)};
  if (input_gradient_) {
    w += 2 * strides.row + 2 * strides.column;
    strides = {strides.in, strides.out, -strides.row, -strides.column};
  }
  auto* u = weights_.take(static_cast<std::size_t>(kProducts * in_ * out_));
  const auto panel = kernels_.panel_groups * kLanes;
  parallel_for(0, ceiling(out_, panel), 1, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t first = begin * panel; first < std::min(end * panel, out_); first += panel)
      kernels_.transform_weights[static_cast<int>(form_)]({.weight = w + first * strides.out,
                                                           .strides = strides,
                                                           .in_channels = in_,
                                                           .width = std::min(panel, out_ - first),
                                                           .u = u + kProducts * in_ * first});
  });
  u_ = u;
}

bool WinogradConvolution::pays(const Extent& extent) const {
  return pays_for(in_ * out_, form_ == WinogradForm::plain ? 1 : 2, extent);
}

bool WinogradConvolution::pays(const at::Tensor& weight, std::int64_t stride,
                               const Extent& extent) {
  return pays_for(weight.size(0) * weight.size(1), stride, extent);
}

/// As many whole blocks of rows of the product as keep V and M in two thirds of a core's cache, but
/// twelve tiles at least.
std::int64_t WinogradConvolution::blocked_tiles() const {
  const auto rows = kernels_.block_rows;
  if (form_ != WinogradForm::plain) return std::max(rows, kBlockedTiles / 2 / rows * rows);
  const auto most = kBlockedTiles / rows * rows;
  const auto channels = in_ + kernels_.panel_groups * kPanelsTogether * kLanes;
  const auto tile = static_cast<std::int64_t>(sizeof(float)) * kProducts * channels;
  const auto fitting = second_level_cache() * 2 / 3 / tile / rows * rows;
  return std::clamp(fitting, std::min(ceiling(kLeastTiles, rows) * rows, most), most);
}

WinogradSchedule WinogradConvolution::schedule(const Extent& extent) const {
  return schedule_of(Tiles(extent, form_).count());
}

WinogradSchedule WinogradConvolution::schedule_of(std::int64_t count) const {
  if (schedule_) return *schedule_;
  const auto threads = std::int64_t{at::get_num_threads()};
  const std::int64_t scale = form_ == WinogradForm::plain ? 1 : 2;  // 81 planes for 36
  const auto few = kFewTiles / scale, block = blocked_tiles();
  if (in_ > kManyChannels || count < few * threads)
    return {.tiles = ceiling(count, ceiling(count, kStagedTiles / scale)), .staged = true};
  const auto rounds = std::max<std::int64_t>(1, count / (block * threads));
  return {.tiles = rounds < 4 ? ceiling(count, rounds * threads) : block};
}

void WinogradConvolution::run(const float* x, float* y, const Extent& extent,
                              const Epilogue& epilogue, Workspace& workspace,
                              const std::optional<models::Rectangle>& only) const {
  const Job job{x, y, Tiles(extent, form_, only), epilogue};
  const auto schedule = schedule_of(job.tiles.count());
  const auto tiles = std::min(schedule.tiles, job.tiles.count());
  schedule.staged ? run_staged(job, tiles, workspace) : run_blocked(job, tiles, workspace);
}

void WinogradConvolution::transform(const Job& job, const Planes& v, std::int64_t first,
                                    std::int64_t last) const {
  InputTile pair[2];
  for (auto& tile : pair) {
    tile.groups = v.groups;
    tile.layout = &v.layout.planes;
  }
  job.tiles.source(first, job.x, in_, zeros_.data(), pair[first % 2]);
  for (std::int64_t t = first; t < last; ++t) {
    auto &tile = pair[t % 2], &next = pair[(t + 1) % 2];
    job.tiles.source(std::min(t + 1, job.tiles.count() - 1), job.x, in_, zeros_.data(), next);
    tile.next_pixels = next.pixels;
    tile.v = v.data + (t - v.first) * kLanes;
    kernels_.transform_input[static_cast<int>(form_)](tile);
  }
}

void WinogradConvolution::finish(const Job& job, const Planes& m, std::int64_t first,
                                 std::int64_t last) const {
  OutputTile tile{.layout = &m.layout.planes,
                  .groups = m.groups,
                  .y = job.y,
                  .channel = m.first_group * kLanes};
  for (std::int64_t t = first; t < last; ++t) {
    job.tiles.target(std::min(t + 1, job.tiles.count() - 1), out_, tile);
    tile.next_offset = tile.offset + tile.channel;
    job.tiles.target(t, out_, tile);
    tile.offset += tile.channel;
    tile.m = m.data + (t - m.first) * kLanes;
    kernels_.transform_output[static_cast<int>(form_)](tile, job.epilogue);
  }
}

std::int64_t WinogradConvolution::panels() const {
  return ceiling(out_ / kLanes, kernels_.panel_groups);
}

const float* WinogradConvolution::weights(std::int64_t product, std::int64_t panel) const {
  const auto group = panel * kernels_.panel_groups;
  const auto groups = std::min(kernels_.panel_groups, out_ / kLanes - group);
  return u_ + (kProducts * group + product * groups) * kLanes * in_;
}

void WinogradConvolution::multiply(const Planes& v, const Planes& m, std::int64_t product,
                                   std::int64_t panel, const float* next_weights) const {
  const auto group = panel * kernels_.panel_groups;
  kernels_.multiply({.v = v.at(product, 0),
                     .u = weights(product, panel),
                     .next_u = next_weights,
                     .m = m.at(product, group),
                     .v_group = v.layout.group[product],
                     .m_group = m.layout.group[product],
                     .in_groups = v.groups,
                     .rows = v.layout.rows[product],
                     .groups = std::min(kernels_.panel_groups, out_ / kLanes - group)});
}

/// The thread's next tiles are `after_this`.
void WinogradConvolution::run_block(const Job& job, const Planes& v, Planes m,
                                    const models::Interval& after_this) const {
  Ahead ahead;
  job.tiles.write_ahead(v.first, v.last, job.y, out_, ahead);
  if (job.epilogue.residual)
    job.tiles.write_ahead(v.first, v.last, job.epilogue.residual, out_, ahead);
  job.tiles.read_ahead(after_this.first, after_this.last, job.x, in_, ahead);
  transform(job, v, v.first, v.last);
  for (std::int64_t panel = 0; panel < panels(); panel += kPanelsTogether) {
    const auto together = std::min(kPanelsTogether, panels() - panel);
    const auto after = std::min(panel + together, panels() - 1);
    m.first_group = panel * kernels_.panel_groups;
    m.groups = std::min(together * kernels_.panel_groups, out_ / kLanes - m.first_group);
    for (std::int64_t i = 0; i < kProducts * together; ++i) {
      const auto product = (i + 1) / together, next = panel + (i + 1) % together;
      const float* fetched = ahead.take(in_ * kernels_.panel_groups * kLanes);
      if (!fetched) fetched = product < kProducts ? weights(product, next) : weights(0, after);
      multiply(v, m, i / together, panel + i % together, fetched);
    }
    finish(job, m, m.first, m.last);
  }
}

void WinogradConvolution::run_blocked(const Job& job, std::int64_t tiles,
                                      Workspace& workspace) const {
  const auto in_groups = in_ / kLanes, out_groups = kernels_.panel_groups * kPanelsTogether;
  const auto v_size = ProductLayout(form_, tiles, in_groups).size,
             size = v_size + ProductLayout(form_, tiles, out_groups).size;
  auto* memory = workspace.take(static_cast<std::size_t>(at::get_num_threads() * size));
  const auto count = job.tiles.count();
  parallel_each(ceiling(count, tiles), [&](std::int64_t block) {
    float* const own = memory + at::get_thread_num() * size;
    const auto first = block * tiles, last = std::min(first + tiles, count);
    const auto next = std::min(first + at::get_num_threads() * tiles, count);
    const ProductLayout v(form_, last - first, in_groups), m(form_, last - first, out_groups);
    run_block(job, {own, v, first, last, in_groups}, {own + v_size, m, first, last, out_groups},
              {next, std::min(next + tiles, count)});
  });
}

void WinogradConvolution::run_staged(const Job& job, std::int64_t tiles,
                                     Workspace& workspace) const {
  const auto in_groups = in_ / kLanes, out_groups = out_ / kLanes, count = job.tiles.count();
  const auto v_size = ProductLayout(form_, tiles, in_groups).size,
             size = v_size + ProductLayout(form_, tiles, out_groups).size;
  auto* memory = workspace.take(static_cast<std::size_t>(size));
  // Each thread reads its part of the weights, once: planes that share weights are many, so those
  // forms are shared out by panels.
  const bool by_panel = form_ != WinogradForm::plain;
  const auto items = kProducts * panels();
  const auto product_of = [&](auto i) { return by_panel ? i % kProducts : i / panels(); };
  const auto panel_of = [&](auto i) { return by_panel ? i / kProducts : i % panels(); };
  for (std::int64_t first = 0; first < count; first += tiles) {
    const auto last = std::min(first + tiles, count);
    const ProductLayout v_layout(form_, last - first, in_groups),
        m_layout(form_, last - first, out_groups);
    const Planes v{memory, v_layout, first, last, in_groups},
        m{memory + v_size, m_layout, first, last, out_groups};
    parallel_for(first, last, 1, [&](auto begin, auto end) { transform(job, v, begin, end); });
    parallel_for(0, items, 1, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t i = begin; i < end; ++i) {
        const auto next = (i + 1) % items;
        multiply(v, m, product_of(i), panel_of(i), weights(product_of(next), panel_of(next)));
      }
    });
    parallel_for(first, last, 1, [&](auto begin, auto end) { finish(job, m, begin, end); });
  }
}

}  // namespace namid::engine
