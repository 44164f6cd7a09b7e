// SPDX-License-Identifier: Apache-2.0
#include "namid/engine/pooling.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "namid/engine/parallel.h"

namespace namid::engine {
namespace {

/// The first place of a window, inside of the image or not.
struct Corner {
  std::int64_t row = 0, column = 0;
};

/// Calls visit(window, its output's offset) for every window of the samples [begin, end).
template <class Visit>
void for_each_window(const Step& step, std::int64_t begin, std::int64_t end, const Visit& visit) {
  const auto& w = step.window;
  for (auto n = begin; n < end; ++n)
    for (std::int64_t row = 0; row < step.height; ++row)
      for (std::int64_t column = 0; column < step.width; ++column)
        visit(n, Corner{row * w.stride[0] - w.padding[0], column * w.stride[1] - w.padding[1]},
              ((n * step.height + row) * step.width + column) * step.channels);
}

/// Calls visit(place, the input's offset) for the places of a window inside of the image.
template <class Visit>
void for_each_place(const Step& step, const Step& input, std::int64_t n, const Corner& window,
                    const Visit& visit) {
  const auto& w = step.window;
  for (std::int64_t i = 0; i < w.kernel[0]; ++i) {
    const auto row = window.row + i * w.dilation[0];
    if (row < 0 || row >= input.height) continue;
    for (std::int64_t j = 0; j < w.kernel[1]; ++j) {
      const auto column = window.column + j * w.dilation[1];
      if (column < 0 || column >= input.width) continue;
      visit(i * w.kernel[1] + j,
            ((n * input.height + row) * input.width + column) * input.channels);
    }
  }
}

/// Padding counts up to the padded image's edge, what hangs over beyond it does not.
float divisor(const Step& step, const Step& input, const Corner& window) {
  const auto& w = step.window;
  const auto extent = [&](std::int64_t first, std::int64_t size, int axis) {
    const auto last = std::min(first + w.kernel[axis], size + w.padding[axis]);
    if (w.count_include_pad) return last - first;
    return std::min(last, size) - std::max(first, std::int64_t{0});
  };
  return static_cast<float>(extent(window.row, input.height, 0) *
                            extent(window.column, input.width, 1));
}

}  // namespace

void average_windows(const Step& step, const Step& input, const at::Tensor& x,
                     const at::Tensor& y) {
  const auto* from = x.const_data_ptr<float>();
  auto* to = y.data_ptr<float>();
  const auto channels = step.channels;
  parallel_for(0, x.size(0), 1, [&](std::int64_t begin, std::int64_t end) {
    for_each_window(step, begin, end, [&](std::int64_t n, const Corner& window, std::int64_t out) {
      std::fill_n(to + out, channels, 0.0F);
      for_each_place(step, input, n, window, [&](std::int64_t, std::int64_t in) {
        for (std::int64_t c = 0; c < channels; ++c) to[out + c] += from[in + c];
      });
      const auto area = divisor(step, input, window);
      for (std::int64_t c = 0; c < channels; ++c) to[out + c] /= area;
    });
  });
}

void spread_averages(const Step& step, const Step& input, const at::Tensor& y,
                     const at::Tensor& x) {
  const auto* from = y.const_data_ptr<float>();
  auto* to = x.data_ptr<float>();
  const auto channels = step.channels;
  parallel_for(0, x.size(0), 1, [&](std::int64_t begin, std::int64_t end) {
    std::fill(to + begin * input.size(), to + end * input.size(), 0.0F);
    for_each_window(step, begin, end, [&](std::int64_t n, const Corner& window, std::int64_t out) {
      const auto area = divisor(step, input, window);
      for_each_place(step, input, n, window, [&](std::int64_t, std::int64_t in) {
        for (std::int64_t c = 0; c < channels; ++c) to[in + c] += from[out + c] / area;
      });
    });
  });
}

void largest_of_windows(const Step& step, const Step& input, const at::Tensor& x,
                        const at::Tensor& y, const at::Tensor& places) {
  const auto* from = x.const_data_ptr<float>();
  auto* to = y.data_ptr<float>();
  auto* at = places.data_ptr<std::uint8_t>();
  const auto channels = step.channels;
  parallel_for(0, x.size(0), 1, [&](std::int64_t begin, std::int64_t end) {
    for_each_window(step, begin, end, [&](std::int64_t n, const Corner& window, std::int64_t out) {
      std::fill_n(to + out, channels, -std::numeric_limits<float>::infinity());
      std::fill_n(at + out, channels, std::uint8_t{0});
      bool first = true;
      for_each_place(step, input, n, window, [&](std::int64_t place, std::int64_t in) {
        for (std::int64_t c = 0; c < channels; ++c) {
          const auto value = from[in + c];
          if (!first && !(value > to[out + c]) && !std::isnan(value)) continue;
          to[out + c] = value;
          at[out + c] = static_cast<std::uint8_t>(place);
        }
        first = false;
      });
    });
  });
}

void scatter_to_largest(const Step& step, const Step& input, const at::Tensor& y,
                        const at::Tensor& places, const at::Tensor& x) {
  const auto* from = y.const_data_ptr<float>();
  const auto* at = places.const_data_ptr<std::uint8_t>();
  auto* to = x.data_ptr<float>();
  const auto channels = step.channels;
  parallel_for(0, x.size(0), 1, [&](std::int64_t begin, std::int64_t end) {
    std::fill(to + begin * input.size(), to + end * input.size(), 0.0F);
    for_each_window(step, begin, end, [&](std::int64_t n, const Corner& window, std::int64_t out) {
      for_each_place(step, input, n, window, [&](std::int64_t place, std::int64_t in) {
        for (std::int64_t c = 0; c < channels; ++c)
          if (at[out + c] == place) to[in + c] += from[out + c];
      });
    });
  });
}

}  // namespace namid::engine
