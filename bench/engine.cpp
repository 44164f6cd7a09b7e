// SPDX-License-Identifier: Apache-2.0
//
// PGD-10 by the engine against the model itself, in turns, on CIFAR-10's first training images:
//   namid_bench_engine CIFAR10_FOLDER [MODEL [WIDTH [BATCH [THREADS [PAIRS [CLOCK [SIDES]]]]]]]
// CLOCK wall, or cpu: what the calling thread used, for one thread on a busy machine. SIDES how
// many of the sides below run, from the first on. Prints seconds (median) and, per pair, the ratio
// to the engine's: median and quartiles.
#include <ATen/Parallel.h>
#include <malloc.h>

#include <algorithm>
#include <cstdio>
#include <ctime>
#include <numeric>

#include "namid/attacks/pgd.h"
#include "namid/data/dataset.h"
#include "namid/engine/compile.h"
#include "namid/models/registry.h"

namespace namid {
namespace {

clockid_t clock_used = CLOCK_MONOTONIC;

double now() {
  timespec time;
  clock_gettime(clock_used, &time);
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) * 1e-9;
}

double seconds_of(const models::Classifier& model, const data::Batch& batch) {
  const double begin = now();
  attacks::pgd(model, batch.x, batch.y,
               {.budget = {.epsilon = 8.0 / 255}, .steps = 10, .judge = attacks::Judge::last},
               {.ids = batch.ids});
  return now() - begin;
}

double quantile(std::vector<double> values, double share) {
  std::sort(values.begin(), values.end());
  return values[static_cast<std::size_t>(share * static_cast<double>(values.size() - 1) + 0.5)];
}

struct Side {
  const char* name;
  models::Classifier model;
  std::vector<double> seconds = {}, ratios = {};
};

void compare(std::vector<Side>& sides, const data::Batch& batch, int pairs) {
  for (auto& side : sides) seconds_of(side.model, batch);
  for (int pair = 0; pair < pairs; ++pair) {
    for (auto& side : sides) side.seconds.push_back(seconds_of(side.model, batch));
    for (auto& side : sides)
      side.ratios.push_back(side.seconds.back() / sides.front().seconds.back());
  }
  for (const auto& side : sides)
    std::printf("| %s | %.3f | %.2f | %.2f to %.2f |\n", side.name, quantile(side.seconds, 0.5),
                quantile(side.ratios, 0.5), quantile(side.ratios, 0.25),
                quantile(side.ratios, 0.75));
}

}  // namespace
}  // namespace namid

int main(int argc, char** argv) {
  using namespace namid;
  const auto text = [&](int i, const char* usual) { return i < argc ? argv[i] : usual; };
  if (argc < 2) {
    std::fprintf(
        stderr,
        "usage: %s CIFAR10_FOLDER [MODEL [WIDTH [BATCH [THREADS [PAIRS [CLOCK [SIDES]]]]]]]\n",
        argv[0]);
    return 2;
  }
  mallopt(M_MMAP_MAX, 0);  // as the program does
  mallopt(M_TRIM_THRESHOLD, 1 << 30);
  mallopt(M_TOP_PAD, 1 << 26);
  const auto rows = std::stoll(text(4, "64"));
  at::set_num_threads(std::stoi(text(5, "2")));
  const auto dataset =
      data::load_dataset({.data = argv[1], .train_limit = rows}, data::Part::train);
  std::vector<std::int64_t> all(static_cast<std::size_t>(rows));
  std::iota(all.begin(), all.end(), 0);
  const auto batch = data::make_batch(dataset, all);
  const models::ModelOptions options{.model = text(2, "resnet18"),
                                     .width = std::stoll(text(3, "0")),
                                     .mean = {0.4914, 0.4822, 0.4465},
                                     .std = {0.2470, 0.2435, 0.2616}};
  const auto model = models::create(options, dataset.shape(), 10);
  const auto ordered = model.clone();
  ordered.use_channels_last(true);
  const auto compiled = engine::try_compile(model);
  std::vector<Side> sides = {
      {"engine", compiled.model},
      {"engine, direct convolutions", engine::compile(model, {.kernel = engine::Kernel::direct})},
      {"channels-last", ordered},
      {"NCHW", model}};
  if (std::string(text(7, "wall")) == "cpu") clock_used = CLOCK_THREAD_CPUTIME_ID;
  sides.erase(sides.begin() + std::min<std::ptrdiff_t>(std::stol(text(8, "4")), 4), sides.end());
  std::printf("%s, width %s, batch %lld, %d threads; %s\n", options.model.c_str(),
              text(3, "its own"), rows, at::get_num_threads(), compiled.kernels.c_str());
  std::printf("| side | seconds | / engine | quartiles |\n|---|---|---|---|\n");
  compare(sides, batch, std::stoi(text(6, "7")));
  return 0;
}
