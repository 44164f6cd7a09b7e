// SPDX-License-Identifier: Apache-2.0
//
// Evaluates a torch.export program, for example the ViT of vit.py, on the data set inside the
// library: example_evaluate_program vit.pt2. No Python, no model code: the file is data.
#include <torch/types.h>

#include <cstdio>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "namid/namid.h"

int main(int argc, char** argv) {
  using namespace namid;
  if (argc != 2) {
    std::fprintf(stderr, "usage: %s MODEL.pt2\n", argv[0]);
    return 2;
  }
  const auto model = models::load_program(std::filesystem::path(argv[1]));
  const auto test = data::load_dataset({.test_limit = 100}, data::Part::test);
  const auto root = std::filesystem::temp_directory_path() / "namid-example-program";
  const auto result =
      eval::evaluate(model, test, {.budget = {.epsilon = 0.05}, .steps = 10}, {},
                     run::RunFolder::create(root, "evaluate", "program"), nullptr, /*resume=*/false,
                     /*show_progress=*/false);
  std::filesystem::remove_all(root);
  const double natural = result["natural"]["accuracy"], robust = result["robust"]["accuracy"];
  std::printf("%s, %zu weight tensors: natural %.1f %%, under PGD-10 %.1f %% of %d images\n",
              model.info().name.c_str(), model.parameters().size(), 100 * natural, 100 * robust,
              result["n"].get<int>());
  return natural > 0.5 && robust < natural ? 0 : 1;
}
