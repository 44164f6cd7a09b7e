// SPDX-License-Identifier: Apache-2.0
#include "namid/engine/im2col.h"

#include <ATen/Functions.h>
#include <ATen/Parallel.h>

#include <algorithm>
#include <cstring>

#include "namid/core/tensor_parallel.h"
#include "namid/engine/elementwise.h"

namespace namid::engine {
namespace {

// V of a block takes an eighth of a cache of 2 MiB; a multiple of the rows that AVX-512 takes.
constexpr std::int64_t kBlockFloats = 64 * 1024, kFewestRows = 14, kMostRows = 112;

std::int64_t whole_lanes(std::int64_t count) {
  return (count + kLanes - 1) / kLanes * kLanes;
}

std::int64_t rows_of(std::int64_t in) {
  return std::clamp(kBlockFloats / in / kFewestRows * kFewestRows, kFewestRows, kMostRows);
}

/// Most runs are short: a call of memcpy would take longer than the copy.
void copy_floats(float* to, const float* from, std::int64_t count) {
  for (; count >= 8; count -= 8, to += 8, from += 8) std::memcpy(to, from, 8 * sizeof(float));
  for (std::int64_t i = 0; i < count; ++i) to[i] = from[i];
}

void add_floats(float* sum, const float* term, std::int64_t count) {
  using Quad [[gnu::vector_size(16)]] = float;
  for (; count >= 4; count -= 4, sum += 4, term += 4) {
    Quad a, b;
    std::memcpy(&a, sum, sizeof a);
    std::memcpy(&b, term, sizeof b);
    a += b;
    std::memcpy(sum, &a, sizeof a);
  }
  for (std::int64_t i = 0; i < count; ++i) sum[i] += term[i];
}

/// What `epilogue` says of the elements from `first` on, a multiple of 16.
Epilogue from(const Epilogue& epilogue, std::int64_t first) {
  auto rest = epilogue;
  if (rest.residual) rest.residual += first;
  if (rest.relu_bits) rest.relu_bits += first / 8;
  if (rest.mask_bits) rest.mask_bits += first / 8;
  return rest;
}

}  // namespace

/// Pixels [first, first + rows) of the result, V and M of them and a patch.
struct Im2colConvolution::Block {
  std::int64_t first, rows;
  float *v, *m, *patch;
};

/// Walks along the pixels of the result and tells where the patch of each lies: rows [top, top +
/// kh) of its image, of each row `skip` floats outside on the left, then `count` inside, from
/// `left` on.
class Im2colConvolution::Patches {
 public:
  Patches(const Im2colConvolution& of, const Extent& extent, std::int64_t pixel)
      : of_(of), extent_(extent), result_(of.results(extent)) {
    column_ = pixel % result_.width;
    row_ = pixel / result_.width % result_.height;
    image_ = pixel / (result_.width * result_.height);
    place();
  }
  void next() {
    if (++column_ == result_.width) {
      column_ = 0;
      if (++row_ == result_.height) {
        row_ = 0;
        ++image_;
      }
    }
    place();
  }
  /// Calls with offsets in the patch and in the images, and how many floats.
  template <class Function>
  void rows(const Function& function) const {
    const auto line = of_.window_.kernel[1] * of_.in_, row_size = extent_.width * of_.in_;
    const auto first = std::max<std::int64_t>(0, -top_),
               last = std::min(of_.window_.kernel[0], extent_.height - top_);
    const auto image = (image_ * extent_.height + top_) * row_size + left_;
    for (auto i = first; i < last; ++i) function(i * line + skip_, image + i * row_size, count_);
  }
  /// No part of the patch lies outside.
  bool whole() const {
    return top_ >= 0 && top_ + of_.window_.kernel[0] <= extent_.height &&
           count_ == of_.window_.kernel[1] * of_.in_;
  }

 private:
  void place() {
    const auto column = column_ * of_.window_.stride[1] - of_.window_.padding[1];
    const auto left = std::clamp<std::int64_t>(column, 0, extent_.width),
               right = std::clamp<std::int64_t>(column + of_.window_.kernel[1], 0, extent_.width);
    top_ = row_ * of_.window_.stride[0] - of_.window_.padding[0];
    left_ = left * of_.in_;
    skip_ = (left - column) * of_.in_;
    count_ = (right - left) * of_.in_;
  }

  const Im2colConvolution& of_;
  Extent extent_, result_;
  std::int64_t column_, row_, image_, top_, left_, skip_, count_;
};

bool Im2colConvolution::supports(const at::Tensor& weight, const models::Window& window) {
  return weight.dim() == 4 && weight.scalar_type() == at::kFloat && weight.size(0) % kLanes == 0 &&
         window.groups == 1 && window.dilation == std::array<std::int64_t, 2>{1, 1};
}

bool Im2colConvolution::pays(const at::Tensor& weight, const models::Window& window,
                             bool input_gradient) {
  using Pair = std::array<std::int64_t, 2>;
  const bool leaves_out = window.kernel == Pair{1, 1} && window.stride != Pair{1, 1};
  return supports(weight, window) && (leaves_out || (input_gradient && weight.size(1) < kLanes));
}

Im2colConvolution::Im2colConvolution(const at::Tensor& weight, const models::Window& window,
                                     InstructionSet instructions)
    : window_(window),
      kernels_(winograd_kernels(instructions)),
      in_(weight.size(1)),
      out_(weight.size(0)) {
  repack(weight);
}

void Im2colConvolution::repack(const at::Tensor& weight) {
  const auto by_patch = weight.permute({0, 2, 3, 1}).reshape({out_, -1});  // NHWC's order
  pack(forward_, by_patch.t());
  pack(backward_, by_patch);
}

void Im2colConvolution::pack(Matrix& matrix, const at::Tensor& weight) const {
  matrix.in = whole_lanes(weight.size(0));
  matrix.out = whole_lanes(weight.size(1));
  auto* u = matrix.memory.take(static_cast<std::size_t>(matrix.in * matrix.out));
  const auto padded = at::zeros({matrix.in, matrix.out}, weight.options());
  padded.slice(0, 0, weight.size(0)).slice(1, 0, weight.size(1)).copy_(weight);
  const auto width = kernels_.panel_groups * kLanes;
  for (std::int64_t first = 0; first < matrix.out; first += width) {
    const auto panel = padded.slice(1, first, first + width).contiguous();
    std::memcpy(u + first * matrix.in, panel.const_data_ptr<float>(), panel.nbytes());
  }
  matrix.u = u;
}

Extent Im2colConvolution::results(const Extent& extent) const {
  const auto& [kernel, stride, padding, dilation, groups, ceil_mode, count_pad] = window_;
  return {extent.n, (extent.height + 2 * padding[0] - kernel[0]) / stride[0] + 1,
          (extent.width + 2 * padding[1] - kernel[1]) / stride[1] + 1};
}

void Im2colConvolution::read_patches(const float* x, const Extent& extent,
                                     const Block& block) const {
  Patches patches(*this, extent, block.first);
  std::fill_n(block.patch, forward_.in, 0.0f);  // the end stays
  for (std::int64_t r = 0; r < block.rows; ++r, patches.next()) {
    if (!patches.whole()) std::fill_n(block.patch, forward_.in, 0.0f);
    patches.rows([&](std::int64_t patch, std::int64_t image, std::int64_t count) {
      copy_floats(block.patch + patch, x + image, count);
    });
    for (std::int64_t g = 0; g < forward_.in / kLanes; ++g)
      std::memcpy(block.v + (g * block.rows + r) * kLanes, block.patch + g * kLanes,
                  kLanes * sizeof(float));
  }
}

void Im2colConvolution::add_patches(const Block& block, const Extent& extent, float* y) const {
  Patches patches(*this, extent, block.first);
  for (std::int64_t r = 0; r < block.rows; ++r, patches.next()) {
    for (std::int64_t g = 0; g < backward_.out / kLanes; ++g)
      std::memcpy(block.patch + g * kLanes, block.m + (g * block.rows + r) * kLanes,
                  kLanes * sizeof(float));
    patches.rows([&](std::int64_t patch, std::int64_t image, std::int64_t count) {
      add_floats(y + image, block.patch + patch, count);
    });
  }
}

void Im2colConvolution::multiply(const Matrix& matrix, const Block& block) const {
  const auto groups = matrix.out / kLanes, width = kernels_.panel_groups,
             plane = block.rows * kLanes;
  for (std::int64_t group = 0; group < groups; group += width) {
    const auto next = group + width < groups ? group + width : 0;
    kernels_.multiply({.v = block.v,
                       .u = matrix.u + group * kLanes * matrix.in,
                       .next_u = matrix.u + next * kLanes * matrix.in,
                       .m = block.m + group * plane,
                       .v_group = plane,
                       .m_group = plane,
                       .in_groups = matrix.in / kLanes,
                       .rows = block.rows,
                       .groups = std::min(width, groups - group)});
  }
}

void Im2colConvolution::forward(const float* x, float* y, const Extent& extent,
                                const Epilogue& epilogue, Workspace& workspace) const {
  const auto result = results(extent);
  const auto pixels = result.n * result.height * result.width,
             rows = rows_of(std::max(forward_.in, forward_.out));
  const auto size = rows * (forward_.in + forward_.out) + forward_.in;
  auto* memory = workspace.take(static_cast<std::size_t>(at::get_num_threads() * size));
  parallel_for(0, (pixels + rows - 1) / rows, 1, [&](std::int64_t begin, std::int64_t end) {
    auto* own = memory + at::get_thread_num() * size;
    for (std::int64_t first = begin * rows; first < std::min(end * rows, pixels); first += rows) {
      const Block block{first, std::min(rows, pixels - first), own, own + rows * forward_.in,
                        own + rows * (forward_.in + forward_.out)};
      read_patches(x, extent, block);
      multiply(forward_, block);
      kernels_.finish_rows({.m = block.m,
                            .rows = block.rows,
                            .groups = out_ / kLanes,
                            .y = y,
                            .offset = first * out_},
                           epilogue);
    }
  });
}

void Im2colConvolution::input_gradient(const float* gradient, float* y, const Extent& extent,
                                       const Epilogue& epilogue, Workspace& workspace) const {
  const auto result = results(extent);
  const auto pixels = result.height * result.width, image = extent.height * extent.width * in_;
  const auto rows = rows_of(std::max(backward_.in, backward_.out));
  const auto size = rows * (backward_.in + backward_.out) + backward_.out;
  const bool by_image = image % kLanes == 0;
  auto* memory = workspace.take(static_cast<std::size_t>(at::get_num_threads() * size));
  const auto finish = [&](std::int64_t first, std::int64_t count) {
    if (epilogue.residual || epilogue.mask_bits || epilogue.relu)
      pointwise(y + first, y + first, count, {}, {}, from(epilogue, first));
  };
  parallel_for(0, extent.n, 1, [&](std::int64_t begin, std::int64_t end) {
    auto* own = memory + at::get_thread_num() * size;
    for (std::int64_t n = begin; n < end; ++n) {
      std::fill_n(y + n * image, image, 0.0f);
      for (std::int64_t first = 0; first < pixels; first += rows) {
        const Block block{n * pixels + first, std::min(rows, pixels - first), own,
                          own + rows * backward_.in, own + rows * (backward_.in + backward_.out)};
        for (std::int64_t r = 0; r < block.rows; ++r)
          for (std::int64_t g = 0; g < out_ / kLanes; ++g)
            std::memcpy(block.v + (g * block.rows + r) * kLanes,
                        gradient + (block.first + r) * out_ + g * kLanes, kLanes * sizeof(float));
        multiply(backward_, block);
        add_patches(block, extent, y);
      }
      if (by_image) finish(n * image, image);
    }
  });
  if (!by_image) finish(0, extent.n * image);
}

}  // namespace namid::engine
