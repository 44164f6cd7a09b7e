// SPDX-License-Identifier: Apache-2.0
#include <ATen/ops/constant_pad_nd.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/full.h>

#include <algorithm>
#include <array>
#include <cstring>

#include "namid/core/error.h"
#include "namid/core/format.h"
#include "namid/core/tensor_parallel.h"
#include "namid/data/dataset.h"

namespace namid::data {
namespace {

constexpr std::int64_t kPadding = 4;
constexpr std::int64_t kRowsPerTask = 16;

void check_indices(const Dataset& dataset, std::span<const std::int64_t> indices) {
  for (const auto index : indices)
    if (index < 0 || index >= dataset.size())
      throw OptionError(str("[data] index: expected 0 to ", dataset.size() - 1, ", got ", index));
}

at::Tensor index_tensor(std::span<const std::int64_t> indices) {
  auto tensor = at::empty({static_cast<std::int64_t>(indices.size())}, at::kLong);
  std::copy(indices.begin(), indices.end(), tensor.data_ptr<std::int64_t>());
  return tensor;
}

/// Gathers and converts in one pass; the table holds the correctly rounded quotients.
at::Tensor gather_pixels(const at::Tensor& images, std::span<const std::int64_t> indices) {
  static const auto kQuotients = [] {
    std::array<float, 256> table{};
    for (std::size_t v = 0; v < table.size(); ++v) table[v] = static_cast<float>(v) / 255.0F;
    return table;
  }();
  auto sizes = images.sizes().vec();
  const auto width = images.numel() / std::max<std::int64_t>(sizes[0], 1);
  sizes[0] = static_cast<std::int64_t>(indices.size());
  auto out = at::empty(sizes, at::kFloat);
  const auto* from = images.const_data_ptr<std::uint8_t>();
  auto* to = out.data_ptr<float>();
  parallel_for(0, sizes[0], kRowsPerTask, [&](std::int64_t begin, std::int64_t end) {
    for (auto row = begin; row < end; ++row) {
      const auto* pixels = from + indices[static_cast<std::size_t>(row)] * width;
      std::transform(pixels, pixels + width, to + row * width,
                     [](std::uint8_t v) { return kQuotients[v]; });
    }
  });
  return out;
}

/// Row and column of each output pixel in the padded image, per sample: (N, 1, H, 1), (N, 1, 1, W).
struct Crops {
  at::Tensor rows, columns;
};

Crops draw_crops(const at::Tensor& x, const SampleIds& ids, const Random& random,
                 std::uint32_t epoch) {
  const auto height = x.size(2);
  const auto width = x.size(3);
  auto rows = at::empty({x.size(0), 1, height, 1}, at::kLong);
  auto columns = at::empty({x.size(0), 1, 1, width}, at::kLong);
  auto* row = rows.data_ptr<std::int64_t>();
  auto* column = columns.data_ptr<std::int64_t>();
  const auto offset = [](std::uint32_t word) {
    return static_cast<std::int64_t>((std::uint64_t{word} * (2 * kPadding + 1)) >> 32);
  };
  for (const auto id : ids) {
    const auto words = random.words({id, epoch, 0});
    const auto top = offset(words[0]);
    const auto left = offset(words[1]);
    const bool flip = (words[2] >> 31) != 0;
    for (std::int64_t i = 0; i < height; ++i) *row++ = top + i;
    for (std::int64_t j = 0; j < width; ++j) *column++ = left + (flip ? width - 1 - j : j);
  }
  return {rows, columns};
}

}  // namespace

Dataset Dataset::rows(std::span<const std::int64_t> indices) const {
  check_indices(*this, indices);
  const auto chosen = index_tensor(indices);
  Dataset out{
      name,       images.index_select(0, chosen), labels.index_select(0, chosen), {}, num_classes,
      class_names};
  for (const auto index : indices) out.ids.push_back(ids[static_cast<std::size_t>(index)]);
  return out;
}

std::pair<Dataset, Dataset> split_validation(const Dataset& dataset, std::int64_t count,
                                             std::uint64_t seed) {
  if (count < 0 || count >= dataset.size())
    throw OptionError(str("[data] validation: expected 0 to ", dataset.size() - 1,
                          ", so that a training image is left, got ", count));
  auto order = Random(seed, "data/validation").permutation(dataset.size(), 0);
  std::sort(order.begin(), order.begin() + count);
  std::sort(order.begin() + count, order.end());
  const std::span<const std::int64_t> all = order;
  const auto held_out = static_cast<std::size_t>(count);
  return {dataset.rows(all.subspan(held_out)), dataset.rows(all.first(held_out))};
}

Batch make_batch(const Dataset& dataset, std::span<const std::int64_t> indices,
                 const at::Device& device) {
  check_indices(dataset, indices);
  const auto chosen = index_tensor(indices);
  Batch batch;
  if (device.is_cpu()) {
    batch.x = gather_pixels(dataset.images, indices);
  } else {  // a quarter of the traffic; by a tensor, as some devices multiply by 1/255 else
    const auto pixels = dataset.images.index_select(0, chosen).to(device).to(at::kFloat);
    batch.x = pixels / at::full({1}, 255.0, pixels.options());
  }
  batch.y = dataset.labels.index_select(0, chosen).to(device);
  for (const auto index : indices)
    batch.ids.push_back(dataset.ids[static_cast<std::size_t>(index)]);
  return batch;
}

at::Tensor augment(const at::Tensor& x, const SampleIds& ids, const Random& random,
                   std::uint32_t epoch) {
  if (x.dim() != 4 || x.size(0) != static_cast<std::int64_t>(ids.size()))
    throw OptionError(str("[data] augment: expected images (N, C, H, W) and N ids, got ", x.dim(),
                          " dimensions and ", ids.size(), " ids"));
  const auto crops = draw_crops(x, ids, random, epoch);
  const auto padded = at::constant_pad_nd(x, {kPadding, kPadding, kPadding, kPadding});
  const auto rows = crops.rows.to(x.device()).expand({-1, x.size(1), -1, padded.size(3)});
  const auto columns = crops.columns.to(x.device()).expand({-1, x.size(1), x.size(2), -1});
  return padded.gather(2, rows).gather(3, columns);
}

}  // namespace namid::data
