// SPDX-License-Identifier: Apache-2.0
#include "namid/engine/region_forward.h"

#include <algorithm>

#include "namid/engine/region_pass.h"

namespace namid::engine {
namespace {

class NetworkRegions final : public models::RegionForward {
 public:
  explicit NetworkRegions(std::shared_ptr<const Network> network)
      : network_(std::move(network)), pass_(*network_, memory_) {}

  void keep(const at::Tensor& x) override {
    const at::NoGradGuard inside;
    pass_.keep(x.contiguous());
  }
  at::Tensor logits(const at::Tensor& x, const Rectangle& changed) override {
    const at::NoGradGuard inside;
    return pass_.logits(x.contiguous(), changed);
  }
  void accept(const at::Tensor& rows) override { pass_.settle(rows.contiguous()); }

 private:
  std::shared_ptr<const Network> network_;  ///< as long as it is held, it is not packed again
  Memory memory_;
  RegionPass pass_;
};

}  // namespace

std::int64_t region_bytes(const Network& network, std::int64_t rows) {
  const auto parts = engine::parts(network, rows);
  std::int64_t floats = network.plan().steps.front().size();
  for (std::size_t i = 0; i < parts.size(); ++i)
    floats += network.plan().steps[i].size() * (parts[i] == PartOf::nothing ? 1 : 2);
  return rows * floats * static_cast<std::int64_t>(sizeof(float));
}

std::unique_ptr<models::RegionForward> region_forward(std::shared_ptr<const Network> network,
                                                      std::int64_t rows) {
  const auto all = parts(*network, rows);
  const bool useful = std::find(all.begin(), all.end(), PartOf::tiles) != all.end();
  if (!useful || region_bytes(*network, rows) > kMostRegionBytes) return nullptr;
  return std::make_unique<NetworkRegions>(std::move(network));
}

}  // namespace namid::engine
