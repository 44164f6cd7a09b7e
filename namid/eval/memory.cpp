// SPDX-License-Identifier: Apache-2.0
#include "namid/eval/memory.h"

#include <c10/core/Allocator.h>
#include <c10/util/ThreadLocalDebugInfo.h>
#include <unistd.h>

#include <charconv>
#include <cmath>
#include <fstream>

#include "namid/core/error.h"
#include "namid/core/format.h"
#include "namid/eval/compute_batch.h"

namespace namid::eval {
namespace {

// Images that an attack holds beside a pass: start, point, best point and gradient, previous ones,
// step and projection.
constexpr std::int64_t kAttackCopies = 16;

/// Bytes that tensors of this thread hold at once while it lives; LibTorch reports each allocation.
class TensorMemory : public c10::MemoryReportingInfoBase {
 public:
  void reportMemoryUsage(void*, std::int64_t bytes, std::size_t, std::size_t,
                         c10::Device) override {
    now_ += bytes;
    peak_ = std::max(peak_, now_);
  }
  bool memoryProfilingEnabled() const override { return true; }
  std::int64_t peak() const { return peak_; }

 private:
  std::int64_t now_ = 0, peak_ = 0;
};

std::int64_t peak_of_pass(const models::Classifier& model, const data::Dataset& dataset,
                          std::int64_t rows) {
  const auto memory = std::make_shared<TensorMemory>();
  const c10::DebugInfoGuard watch(c10::DebugInfoKind::PROFILER_STATE, memory);
  const c10::AutoGradMode with_graph(true);
  const std::vector<std::int64_t> first = {0};
  const auto batch = padded_batch(dataset, first, rows, model.device());
  const auto x = batch.x.requires_grad_(true);
  const auto loss = model(x).sum();
  if (loss.requires_grad()) torch::autograd::grad({loss}, {x}, {}, std::nullopt, false, true);
  return memory->peak();
}

std::int64_t resident_bytes() {
  std::ifstream file("/proc/self/statm");
  std::int64_t total = 0, resident = 0;
  file >> total >> resident;
  return resident * sysconf(_SC_PAGESIZE);
}

}  // namespace

std::int64_t parse_bytes(const std::string& text) {
  double number = 0;
  const auto* end = text.data() + text.size();
  auto [rest, error] = std::from_chars(text.data(), end, number);
  std::string_view unit(rest, static_cast<std::size_t>(end - rest));
  const auto power = std::string_view("kMG").find(unit.empty()          ? 'x'
                                                  : unit.front() == 'K' ? 'k'
                                                                        : unit.front());
  const bool has_unit = unit.size() == 1 && power != std::string_view::npos;
  if (error != std::errc() || !(number > 0) || !std::isfinite(number) ||
      !(unit.empty() || has_unit))
    throw OptionError(
        str("[evaluate] max_memory: expected bytes such as 2G or 512M, got '", text, "'"));
  return static_cast<std::int64_t>(number * (has_unit ? std::pow(1024.0, power + 1.0) : 1.0));
}

int fitting_compute_batch(const models::Classifier& model, const data::Dataset& dataset, int asked,
                          const std::string& max_memory) {
  if (max_memory.empty()) return asked;
  const auto limit = parse_bytes(max_memory);
  const auto eval_mode = model.frozen_eval();
  peak_of_pass(model, dataset, 1);  // first use fills caches that stay
  const auto one = peak_of_pass(model, dataset, 1), two = peak_of_pass(model, dataset, 2);
  const auto image = dataset.images[0].numel() * static_cast<std::int64_t>(sizeof(float));
  const auto row = std::max<std::int64_t>(two - one, 1) + kAttackCopies * image;
  const auto held = resident_bytes() + std::max<std::int64_t>(one - (two - one), 0);
  const auto fitting = (limit - held) / row;
  if (limit <= held || fitting < 1)
    throw OptionError(str("[evaluate] max_memory: expected at least ", (held + row) >> 20,
                          "M for this model and data, got ", max_memory));
  const auto batch = std::min<std::int64_t>(asked, fitting);
  return static_cast<int>(batch > 16 && batch < asked ? batch / 16 * 16 : batch);
}

}  // namespace namid::eval
