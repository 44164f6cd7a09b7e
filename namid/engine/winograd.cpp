// SPDX-License-Identifier: Apache-2.0
#include "namid/engine/winograd.h"

#include "namid/engine/parallel.h"

#include <ATen/Parallel.h>

#include <algorithm>

#include "namid/core/error.h"
#include "namid/engine/winograd_weights.h"

namespace namid::engine {
namespace {

constexpr std::int64_t kOutputGroups = 4;  // of a block's M: 256 bytes of each pixel at a time

/// Planes an odd number of cache lines apart: a power of two would put all 36 into one set.
PlaneStrides plane_strides(std::int64_t tiles, std::int64_t groups) {
  return {.plane = (tiles * groups | 1) * kLanes, .group = tiles * kLanes};
}

std::int64_t ceiling(std::int64_t a, std::int64_t b) {
  return (a + b - 1) / b;
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

bool WinogradConvolution::supports(const at::Tensor& weight, const models::Window& window) {
  using Pair = std::array<std::int64_t, 2>;
  return weight.dim() == 4 && weight.size(0) % kLanes == 0 && weight.size(1) % kLanes == 0 &&
         weight.scalar_type() == at::kFloat && window.kernel == Pair{3, 3} &&
         window.stride == Pair{1, 1} && window.padding == Pair{1, 1} &&
         window.dilation == Pair{1, 1} && window.groups == 1;
}

WinogradConvolution::WinogradConvolution(const at::Tensor& weight, bool input_gradient,
                                         InstructionSet instructions)
    : input_gradient_(input_gradient), kernels_(winograd_kernels(instructions)) {
  out_ = weight.size(input_gradient ? 1 : 0);
  in_ = weight.size(input_gradient ? 0 : 1);
  zeros_.assign(static_cast<std::size_t>(in_), 0.0f);
  u_plane_ = in_ * kLanes;
  u_group_ = kPlanes * u_plane_;
  repack(weight);
}

void WinogradConvolution::repack(const at::Tensor& weight) {
  const auto* w = weight.const_data_ptr<float>();
  WeightStrides strides{weight.stride(0), weight.stride(1), weight.stride(2), weight.stride(3)};
  if (input_gradient_) {
    w += 2 * strides.row + 2 * strides.column;
    strides = {strides.in, strides.out, -strides.row, -strides.column};
  }
  auto* u = weights_.take(static_cast<std::size_t>(out_ / kLanes * u_group_));
  parallel_for(0, out_ / kLanes, 1, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t group = begin; group < end; ++group)
      transform_weights(w + group * kLanes * strides.out, strides, in_, u + group * u_group_,
                        u_plane_);
  });
  u_ = u;
}

WinogradSchedule WinogradConvolution::schedule(const Extent&) const {
  return schedule_.value_or(WinogradSchedule{});
}

void WinogradConvolution::run(const float* x, float* y, const Extent& extent,
                              const Epilogue& epilogue, Workspace& workspace) const {
  const Job job{x, y, Tiles(extent), epilogue};
  const auto schedule = this->schedule(extent);
  const auto tiles = std::min(schedule.tiles, job.tiles.count());
  schedule.staged ? run_staged(job, tiles, workspace) : run_blocked(job, tiles, workspace);
}

void WinogradConvolution::transform(const Job& job, std::int64_t first, std::int64_t last, float* v,
                                    const PlaneStrides& strides) const {
  InputTile tile{.groups = in_ / kLanes, .strides = strides};
  for (std::int64_t t = first; t < last; ++t, v += kLanes) {
    job.tiles.source(t, job.x, in_, zeros_.data(), tile);
    tile.v = v;
    kernels_.transform_input(tile);
  }
}

void WinogradConvolution::run_blocked(const Job& job, std::int64_t tiles,
                                      Workspace& workspace) const {
  const auto in_groups = in_ / kLanes, out_groups = out_ / kLanes, count = job.tiles.count();
  const auto v_strides = plane_strides(tiles, in_groups);
  const auto m_strides = plane_strides(tiles, std::min(kOutputGroups, out_groups));
  const auto slice = kPlanes * (v_strides.plane + m_strides.plane);
  auto* memory = workspace.take(static_cast<std::size_t>(at::get_num_threads() * slice));
  parallel_for(0, ceiling(count, tiles), 1, [&](std::int64_t begin, std::int64_t end) {
    float* v = memory + at::get_thread_num() * slice;
    float* m = v + kPlanes * v_strides.plane;
    for (std::int64_t block = begin; block < end; ++block) {
      const auto first = block * tiles, last = std::min(first + tiles, count);
      transform(job, first, last, v, v_strides);
      for (std::int64_t group = 0; group < out_groups; group += kOutputGroups) {
        const auto groups = std::min(kOutputGroups, out_groups - group);
        for (std::int64_t plane = 0; plane < kPlanes; ++plane)
          kernels_.multiply({.v = v + plane * v_strides.plane,
                             .u = u_ + group * u_group_ + plane * u_plane_,
                             .m = m + plane * m_strides.plane,
                             .v_group = v_strides.group,
                             .u_group = u_group_,
                             .m_group = m_strides.group,
                             .in_groups = in_groups,
                             .rows = last - first,
                             .groups = groups});
        OutputTile tile{
            .strides = m_strides, .groups = groups, .y = job.y, .channel = group * kLanes};
        for (std::int64_t t = first; t < last; ++t) {
          tile.m = m + (t - first) * kLanes;
          job.tiles.target(t, out_, tile);
          tile.offset += tile.channel;
          kernels_.transform_output(tile, job.epilogue);
        }
      }
    }
  });
}

void WinogradConvolution::run_staged(const Job& job, std::int64_t tiles,
                                     Workspace& workspace) const {
  const auto in_groups = in_ / kLanes, out_groups = out_ / kLanes, count = job.tiles.count();
  const auto v_strides = plane_strides(tiles, in_groups),
             m_strides = plane_strides(tiles, out_groups);
  float* v =
      workspace.take(static_cast<std::size_t>(kPlanes * (v_strides.plane + m_strides.plane)));
  float* m = v + kPlanes * v_strides.plane;
  const auto panels = ceiling(out_groups, kernels_.panel_groups);
  for (std::int64_t first = 0; first < count; first += tiles) {
    const auto last = std::min(first + tiles, count);
    parallel_for(first, last, 1, [&](std::int64_t begin, std::int64_t end) {
      transform(job, begin, end, v + (begin - first) * kLanes, v_strides);
    });
    parallel_for(0, kPlanes * panels, 1, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t i = begin; i < end; ++i) {
        const auto plane = i / panels, group = i % panels * kernels_.panel_groups;
        kernels_.multiply({.v = v + plane * v_strides.plane,
                           .u = u_ + group * u_group_ + plane * u_plane_,
                           .m = m + plane * m_strides.plane + group * m_strides.group,
                           .v_group = v_strides.group,
                           .u_group = u_group_,
                           .m_group = m_strides.group,
                           .in_groups = in_groups,
                           .rows = last - first,
                           .groups = std::min(kernels_.panel_groups, out_groups - group)});
      }
    });
    parallel_for(first, last, 1, [&](std::int64_t begin, std::int64_t end) {
      OutputTile tile{.strides = m_strides, .groups = out_groups, .y = job.y, .channel = 0};
      for (std::int64_t t = begin; t < end; ++t) {
        tile.m = m + (t - first) * kLanes;
        job.tiles.target(t, out_, tile);
        kernels_.transform_output(tile, job.epilogue);
      }
    });
  }
}

}  // namespace namid::engine
