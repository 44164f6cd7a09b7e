// SPDX-License-Identifier: Apache-2.0
#include "namid/core/tensor_random.h"

#include <ATen/ops/empty.h>

#include "namid/core/error.h"
#include "namid/core/format.h"
#include "namid/core/tensor_parallel.h"

namespace namid {
namespace {

template <class Draw>
at::Tensor draw_rows(const SampleIds& ids, const at::Tensor& like, const Draw& draw) {
  const auto rows = like.size(0);
  if (static_cast<std::int64_t>(ids.size()) != rows)
    throw OptionError(str("[random] expected ", rows, " sample ids, got ", ids.size()));
  auto out = at::empty(like.sizes(), at::TensorOptions().dtype(at::kFloat));
  const auto width = rows ? static_cast<std::size_t>(like.numel() / rows) : 0;
  float* data = out.data_ptr<float>();
  parallel_for(0, rows, 1, [&](std::int64_t begin, std::int64_t end) {
    for (auto row = begin; row < end; ++row) {
      const auto i = static_cast<std::size_t>(row);
      draw(ids[i], data + i * width, width);
    }
  });
  return out.to(like.options());
}

}  // namespace

SampleIds hash_sample_ids(const at::Tensor& x, const at::Tensor& y) {
  const auto images = x.detach().to(at::kCPU, at::kFloat).contiguous();
  const auto labels = y.to(at::kCPU, at::kLong).contiguous();
  const auto rows = static_cast<std::size_t>(images.size(0));
  const auto width = rows ? static_cast<std::size_t>(images.numel()) / rows : 0;
  SampleIds ids(rows);
  for (std::size_t i = 0; i < rows; ++i) {
    const auto label = static_cast<std::uint64_t>(labels.data_ptr<std::int64_t>()[i]);
    ids[i] = hash64(images.data_ptr<float>() + i * width, width * sizeof(float), label);
  }
  return ids;
}

at::Tensor random_uniform(const Random& random, const SampleIds& ids, const at::Tensor& like,
                          std::uint32_t epoch, std::uint32_t iteration) {
  return draw_rows(ids, like, [&](std::uint64_t id, float* out, std::size_t count) {
    random.uniform({id, epoch, iteration}, out, count);
  });
}

at::Tensor random_normal(const Random& random, const SampleIds& ids, const at::Tensor& like,
                         std::uint32_t epoch, std::uint32_t iteration) {
  return draw_rows(ids, like, [&](std::uint64_t id, float* out, std::size_t count) {
    random.normal({id, epoch, iteration}, out, count);
  });
}

}  // namespace namid
