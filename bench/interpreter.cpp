// SPDX-License-Identifier: Apache-2.0
//
// A built-in network and the same network as a torch.export program take turns at logits and input
// gradient of one batch, in one process.
//   namid_bench_interpreter MODEL.safetensors MODEL.pt2 BATCH THREADS PAIRS REPEATS
// One JSON line on stdout: seconds of each turn (of REPEATS passes), and the largest difference.
#include <ATen/Parallel.h>
#include <malloc.h>

#include <chrono>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "namid/models/model_file.h"
#include "namid/models/weights.h"

namespace namid {
namespace {

at::Tensor input_gradient(const models::Classifier& model, const at::Tensor& images) {
  const auto x = images.detach().requires_grad_(true);
  return torch::autograd::grad({model(x).logsumexp(1).sum()}, {x})[0];
}

double seconds_of(const models::Classifier& model, const at::Tensor& x, int repeats) {
  const auto begin = std::chrono::steady_clock::now();
  for (int i = 0; i < repeats; ++i) input_gradient(model, x);
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

nlohmann::json measure(const models::Classifier& native, const models::Classifier& program,
                       std::int64_t batch, int pairs, int repeats) {
  auto shape = native.info().input_shape;
  shape.insert(shape.begin(), batch);
  const auto x = at::rand(shape);
  const std::vector<std::shared_ptr<void>> frozen{native.frozen_eval(), program.frozen_eval()};
  const auto ours = input_gradient(program, x), theirs = input_gradient(native, x);
  nlohmann::json result{
      {"difference", ((ours - theirs).abs().max() / theirs.abs().max()).item<double>()}};
  for (int pair = 0; pair < pairs; ++pair) {
    for (const bool first : {pair % 2 == 0, pair % 2 != 0}) {
      const auto& model = first ? program : native;
      result[first ? "program" : "native"].push_back(seconds_of(model, x, repeats));
    }
  }
  return result;
}

}  // namespace
}  // namespace namid

int main(int argc, char** argv) {
  if (argc != 7) {
    std::fprintf(stderr, "usage: %s MODEL.safetensors MODEL.pt2 BATCH THREADS PAIRS REPEATS\n",
                 argv[0]);
    return 2;
  }
  mallopt(M_MMAP_MAX, 0);  // as the program does
  mallopt(M_TRIM_THRESHOLD, 1 << 30);
  mallopt(M_TOP_PAD, 1 << 26);
  at::set_num_threads(std::stoi(argv[4]));
  const auto native = namid::models::load_model(argv[1]);
  const auto program = namid::models::load_program(std::filesystem::path(argv[2]));
  for (const auto& model : {native, program}) model.use_channels_last(true);
  const auto result =
      namid::measure(native, program, std::stoll(argv[3]), std::stoi(argv[5]), std::stoi(argv[6]));
  std::printf("%s\n", result.dump().c_str());
  return 0;
}
