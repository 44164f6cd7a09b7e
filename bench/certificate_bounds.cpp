// SPDX-License-Identifier: Apache-2.0
//
// namid's side of compare_certificates.py: the bounds of every method for the first images of a
// data set, one tensor (images, classes − 1) each, beside the images and labels.
//   namid_bench_certificates MODEL DATA COUNT EPSILON OUT.safetensors
#include <ATen/Functions.h>

#include <cstdio>
#include <numeric>

#include "namid/certify/alpha_crown.h"
#include "namid/certify/crown.h"
#include "namid/certify/fast_lin.h"
#include "namid/certify/interval.h"
#include "namid/certify/specification.h"
#include "namid/data/dataset.h"
#include "namid/models/weights.h"
#include "namid/run/tensor_file.h"

namespace namid {
namespace {

data::Batch first_images(const std::string& folder, std::int64_t count) {
  const auto set = data::load_dataset({.data = folder, .test_limit = count}, data::Part::test);
  std::vector<std::int64_t> rows(static_cast<std::size_t>(count));
  std::iota(rows.begin(), rows.end(), 0);
  return data::make_batch(set, rows);
}

int write_bounds(const std::vector<std::string>& arguments) {
  using namespace certify;
  const auto network = normal_form(models::describe(models::load_model(arguments[1])));
  const auto batch = first_images(arguments[2], std::stoll(arguments[3]));
  const auto set = input_set(batch.x, {.epsilon = std::stod(arguments[4])});
  const auto rounding = rounding_of(network, set);
  const auto spec = specification(batch.y, network.classes(), network.tensors());
  const Problem problem{network, set, rounding};
  const auto& rows = spec.rows;
  const auto table = [&](const at::Tensor& bounds) { return bounds.view_as(spec.rivals); };
  const auto better = crown(problem, rows);
  const auto never = at::full_like(better.bounds, std::numeric_limits<double>::infinity());
  run::write_tensor_file(arguments[5],
                         {{"x", set.x},
                          {"y", batch.y},
                          {"rivals", spec.rivals},
                          {"interval", table(interval(problem, rows))},
                          {"fast_lin", table(fast_lin(problem, rows))},
                          {"fast_lin_alone", table(fast_lin(problem, rows, {.intersect = false}))},
                          {"crown", table(better.bounds)},
                          {"crown_alone", table(crown(problem, rows, {.intersect = false}).bounds)},
                          {"alpha_crown", table(alpha_crown(problem, rows, better.known, never))}});
  return 0;
}

}  // namespace
}  // namespace namid

int main(int argc, char** argv) {
  const std::vector<std::string> arguments(argv, argv + argc);
  if (argc == 6) return namid::write_bounds(arguments);
  std::fprintf(stderr, "usage: %s MODEL DATA COUNT EPSILON OUT.safetensors\n", argv[0]);
  return 2;
}
