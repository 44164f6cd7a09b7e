// SPDX-License-Identifier: Apache-2.0
#include "namid/engine/layout.h"

#include "namid/core/tensor_parallel.h"

namespace namid::engine {
namespace {

float at_channel(const at::Tensor& values, std::int64_t channel, float otherwise) {
  return values.defined() ? values.const_data_ptr<float>()[channel] : otherwise;
}

}  // namespace

void enter_nhwc(const at::Tensor& from, const at::Tensor& to, const at::Tensor& scale,
                const at::Tensor& shift) {
  const auto channels = to.size(3), pixels = to.size(1) * to.size(2);
  const auto* x = from.const_data_ptr<float>();
  auto* y = to.data_ptr<float>();
  parallel_for(0, to.size(0), 1, [&](std::int64_t begin, std::int64_t end) {
    for (auto plane = begin * channels; plane < end * channels; ++plane) {
      const auto channel = plane % channels;
      const auto factor = at_channel(scale, channel, 1), term = at_channel(shift, channel, 0);
      const auto* row = x + plane * pixels;
      auto* first = y + plane / channels * pixels * channels + channel;
      for (std::int64_t i = 0; i < pixels; ++i) first[i * channels] = row[i] * factor + term;
    }
  });
}

void leave_nhwc(const at::Tensor& from, const at::Tensor& to, const at::Tensor& scale) {
  const auto channels = from.size(3), pixels = from.size(1) * from.size(2);
  const auto* x = from.const_data_ptr<float>();
  auto* y = to.data_ptr<float>();
  parallel_for(0, from.size(0), 1, [&](std::int64_t begin, std::int64_t end) {
    for (auto plane = begin * channels; plane < end * channels; ++plane) {
      const auto channel = plane % channels;
      const auto factor = at_channel(scale, channel, 1);
      const auto* first = x + plane / channels * pixels * channels + channel;
      auto* row = y + plane * pixels;
      for (std::int64_t i = 0; i < pixels; ++i) row[i] = first[i * channels] * factor;
    }
  });
}

}  // namespace namid::engine
