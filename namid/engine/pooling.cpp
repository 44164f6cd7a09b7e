// SPDX-License-Identifier: Apache-2.0
#include "namid/engine/pooling.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "namid/core/tensor_parallel.h"
#include "namid/engine/cpu_features.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

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

/// Channels of one pixel of a max_pool's input and of one window.
struct Contest {
  std::int64_t channels;
  std::uint8_t place;  ///< of the pixel in the window
  bool first = false;  ///< of the window's pixels
};

/// largest = max(largest, x); NaN wins.
void take_larger(const Contest& contest, const float* x, float* largest, std::uint8_t* places) {
  for (std::int64_t c = 0; c < contest.channels; ++c) {
    if (!contest.first && !(x[c] > largest[c]) && !std::isnan(x[c])) continue;
    largest[c] = x[c];
    places[c] = contest.place;
  }
}

/// gradient_x += gradient where the pixel was the largest.
void add_to_larger(const Contest& contest, const float* gradient, const std::uint8_t* places,
                   float* gradient_x) {
  for (std::int64_t c = 0; c < contest.channels; ++c)
    if (places[c] == contest.place) gradient_x[c] += gradient[c];
}

#if defined(__x86_64__)
#define NAMID_AVX512 __attribute__((target("avx512f,avx512vl,avx512bw,avx512dq")))

/// The channels from c on, up to 16.
inline std::uint16_t lanes_left(std::int64_t channels, std::int64_t c) {
  return static_cast<std::uint16_t>(channels - c < 16 ? (1U << (channels - c)) - 1 : 0xffffU);
}

NAMID_AVX512 void take_larger_avx512(const Contest& contest, const float* x, float* largest,
                                     std::uint8_t* places) {
  const auto place = _mm_set1_epi8(static_cast<char>(contest.place));
  for (std::int64_t c = 0; c < contest.channels; c += 16) {
    const __mmask16 lanes = lanes_left(contest.channels, c);
    const auto value = _mm512_maskz_loadu_ps(lanes, x + c);
    auto wins = lanes;
    if (!contest.first) {
      const auto before = _mm512_maskz_loadu_ps(lanes, largest + c);
      wins = static_cast<__mmask16>(_mm512_mask_cmp_ps_mask(lanes, value, before, _CMP_GT_OQ) |
                                    _mm512_mask_cmp_ps_mask(lanes, value, value, _CMP_UNORD_Q));
    }
    _mm512_mask_storeu_ps(largest + c, wins, value);
    _mm_mask_storeu_epi8(places + c, wins, place);
  }
}

NAMID_AVX512 void add_to_larger_avx512(const Contest& contest, const float* gradient,
                                       const std::uint8_t* places, float* gradient_x) {
  const auto place = _mm_set1_epi8(static_cast<char>(contest.place));
  for (std::int64_t c = 0; c < contest.channels; c += 16) {
    const __mmask16 lanes = lanes_left(contest.channels, c);
    const __mmask16 here =
        _mm_mask_cmpeq_epi8_mask(lanes, _mm_maskz_loadu_epi8(lanes, places + c), place);
    const auto sum = _mm512_add_ps(_mm512_maskz_loadu_ps(lanes, gradient_x + c),
                                   _mm512_maskz_loadu_ps(here, gradient + c));
    _mm512_mask_storeu_ps(gradient_x + c, lanes, sum);
  }
}
#endif

bool has_avx512() {
  static const bool has = best_instruction_set() == InstructionSet::avx512;
  return has;
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
  auto* take = &take_larger;
#if defined(__x86_64__)
  if (has_avx512()) take = &take_larger_avx512;
#endif
  const auto channels = step.channels;
  parallel_for(0, x.size(0), 1, [&](std::int64_t begin, std::int64_t end) {
    for_each_window(step, begin, end, [&](std::int64_t n, const Corner& window, std::int64_t out) {
      std::fill_n(to + out, channels, -std::numeric_limits<float>::infinity());
      std::fill_n(at + out, channels, std::uint8_t{0});
      Contest contest{.channels = channels, .place = 0, .first = true};
      for_each_place(step, input, n, window, [&](std::int64_t place, std::int64_t in) {
        contest.place = static_cast<std::uint8_t>(place);
        take(contest, from + in, to + out, at + out);
        contest.first = false;
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
  auto* add = &add_to_larger;
#if defined(__x86_64__)
  if (has_avx512()) add = &add_to_larger_avx512;
#endif
  parallel_for(0, x.size(0), 1, [&](std::int64_t begin, std::int64_t end) {
    std::fill(to + begin * input.size(), to + end * input.size(), 0.0F);
    for_each_window(step, begin, end, [&](std::int64_t n, const Corner& window, std::int64_t out) {
      for_each_place(step, input, n, window, [&](std::int64_t place, std::int64_t in) {
        add({.channels = channels, .place = static_cast<std::uint8_t>(place)}, from + out, at + out,
            to + in);
      });
    });
  });
}

}  // namespace namid::engine
