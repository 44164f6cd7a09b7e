// SPDX-License-Identifier: Apache-2.0
#include "namid/engine/winograd_weight_gradient.h"

#include <algorithm>

#include "namid/core/tensor_parallel.h"

namespace namid::engine {
namespace {

/// Tiles that are transformed before their products are added up: as many as make reading and
/// writing of the sums cheap beside the products.
constexpr std::int64_t kChunkTiles = 256;

}  // namespace

struct WinogradWeightGradient::Job {
  Tiles tiles;
  const float *x, *gradient;
};

/// V and M' of tiles [first, last).
struct WinogradWeightGradient::Chunk {
  std::int64_t first, last;
  ProductLayout v_layout, m_layout;
  float *v, *m;
};

WinogradWeightGradient::WinogradWeightGradient(std::int64_t in, std::int64_t out,
                                               std::int64_t stride, InstructionSet instructions)
    : form_(stride == 1 ? WinogradForm::plain : WinogradForm::strided),
      kernels_(winograd_kernels(instructions)),
      in_(in),
      out_(out),
      zeros_(static_cast<std::size_t>(std::max(in, out)), 0.0f) {}

void WinogradWeightGradient::run(const float* x, const float* gradient, const Extent& extent,
                                 const at::Tensor& weight_gradient, Workspace& workspace) const {
  const Job job{Tiles(extent, form_), x, gradient};
  const auto in_groups = in_ / kLanes, out_groups = out_ / kLanes, count = job.tiles.count();
  const auto tiles = std::min(kChunkTiles / (form_ == WinogradForm::plain ? 1 : 2), count);
  const auto v_size = ProductLayout(form_, tiles, in_groups).size,
             m_size = ProductLayout(form_, tiles, out_groups).size;
  auto* const u =
      workspace.take(static_cast<std::size_t>(kProducts * in_ * out_ + v_size + m_size));
  auto *const v = u + kProducts * in_ * out_, *const m = v + v_size;
  for (std::int64_t first = 0; first < count; first += tiles) {
    const auto last = std::min(first + tiles, count);
    const Chunk chunk{first,
                      last,
                      ProductLayout(form_, last - first, in_groups),
                      ProductLayout(form_, last - first, out_groups),
                      v,
                      m};
    parallel_for(first, last, 1, [&](auto begin, auto end) { transform(job, chunk, begin, end); });
    parallel_for(0, kProducts * in_groups, 1, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t item = begin; item < end; ++item) multiply(chunk, item, u);
    });
  }
  const WeightStrides strides{weight_gradient.stride(0), weight_gradient.stride(1),
                              weight_gradient.stride(2), weight_gradient.stride(3)};
  auto* const to = weight_gradient.data_ptr<float>();
  parallel_for(0, in_, 1, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t in = begin; in < end; ++in)
      kernels_.transform_weight_gradients[static_cast<int>(form_)](
          {.u = u + in * out_,
           .plane = in_ * out_,
           .out_channels = out_,
           .gradient = to + in * strides.in,
           .strides = strides});
  });
}

void WinogradWeightGradient::transform(const Job& job, const Chunk& chunk, std::int64_t first,
                                       std::int64_t last) const {
  const auto form = static_cast<int>(form_);
  const auto last_tile = job.tiles.count() - 1;
  for (std::int64_t t = first; t < last; ++t) {
    InputTile tile, next;
    const auto offset = (t - chunk.first) * kLanes;
    job.tiles.source(t, job.x, in_, zeros_.data(), tile);
    job.tiles.source(std::min(t + 1, last_tile), job.x, in_, zeros_.data(), next);
    tile.next_pixels = next.pixels;
    tile.groups = in_ / kLanes;
    tile.layout = &chunk.v_layout.planes;
    tile.v = chunk.v + offset;
    kernels_.transform_input[form](tile);

    job.tiles.results(t, job.gradient, out_, zeros_.data(), tile);
    job.tiles.results(std::min(t + 1, last_tile), job.gradient, out_, zeros_.data(), next);
    tile.groups = out_ / kLanes;
    tile.layout = &chunk.m_layout.planes;
    tile.v = chunk.m + offset;
    kernels_.transform_gradient[form](tile);
  }
}

/// `item`: a product and a group of input channels.
void WinogradWeightGradient::multiply(const Chunk& chunk, std::int64_t item, float* u) const {
  const auto in_groups = in_ / kLanes, out_groups = out_ / kLanes;
  const auto product = item / in_groups, in_group = item % in_groups;
  for (std::int64_t group = 0; group < out_groups; group += kernels_.panel_groups)
    kernels_.add_weight_product(
        {.v = chunk.v + chunk.v_layout.start[product] + in_group * chunk.v_layout.group[product],
         .m = chunk.m + chunk.m_layout.start[product] + group * chunk.m_layout.group[product],
         .u = u + (product * in_ + in_group * kLanes) * out_ + group * kLanes,
         .m_group = chunk.m_layout.group[product],
         .u_row = out_,
         .rows = chunk.v_layout.rows[product],
         .groups = std::min(kernels_.panel_groups, out_groups - group),
         .first = chunk.first == 0});
}

}  // namespace namid::engine
