// SPDX-License-Identifier: Apache-2.0
#include "namid/models/weights.h"

#include <gtest/gtest.h>

#include "namid/core/error.h"
#include "namid/models/registry.h"
#include "namid/run/tensor_file.h"
#include "support/errors.h"
#include "support/temp_folder.h"

namespace namid::models {
namespace {

using testing::message_of;

Classifier trained_with(const ModelOptions& options, std::uint64_t seed = 1) {
  const auto model = create(options, {3, 28, 28}, 7, seed);
  model(torch::rand({4, 3, 28, 28}));  // moves the running statistics
  return model;
}

TEST(Weights, AFileAloneRebuildsTheModel) {
  const testing::TempFolder folder;
  const std::vector<double> mean{0.1, 1.0 / 3, 0.3}, std{0.5, 0.25, 2};
  const std::string layers =
      "[[layer]]\ntype = \"flatten\"\n# \"quoted\", back\\slash\n[[layer]]\ntype = \"linear\"\n";
  for (const ModelOptions& options :
       {ModelOptions{.model = "resnet18", .width = 4, .mean = mean, .std = std},
        ModelOptions{.model = "wideresnet-10-2", .width = 4, .reference_extras = true},
        ModelOptions{.model = "sequential", .layers = layers}, ModelOptions{.model = "mlp"}}) {
    SCOPED_TRACE(options.model);
    const auto path = folder / (options.model + ".safetensors");
    const auto model = trained_with(options);
    save_model(path, model);
    const auto loaded = load_model(path);
    EXPECT_EQ(loaded.info().recipe, model.info().recipe);
    EXPECT_EQ(loaded.info().mean, model.info().mean);
    EXPECT_FALSE(loaded.is_training());
    model.train(false);
    const auto x = torch::rand({2, 3, 28, 28});
    EXPECT_TRUE(at::equal(loaded(x), model(x)));
  }
}

TEST(Weights, ForeignFilesLoadByTheirNames) {
  const testing::TempFolder folder;
  const auto from = trained_with({.model = "small_cnn", .width = 4}, 1);
  run::write_tensor_file(folder / "w.safetensors", from.state_dict());
  const auto to = trained_with({.model = "small_cnn", .width = 4}, 2);
  load_weights(folder / "w.safetensors", to);
  EXPECT_TRUE(at::equal(to.parameters()[0], from.parameters()[0]));
  EXPECT_NE(message_of<DataError>([&] {
              load_model(folder / "w.safetensors");
            }).find("w.safetensors: no metadata namid.model"),
            std::string::npos);
}

TEST(Weights, UnfitFilesAreNamed) {
  const testing::TempFolder folder;
  const auto path = folder / "w.safetensors";
  const auto model = trained_with({.model = "small_cnn", .width = 4});
  save_model(path, model);
  const auto other = trained_with({.model = "small_cnn", .width = 8});
  const auto message = message_of<DataError>([&] { load_weights(path, other); });
  EXPECT_NE(message.find("w.safetensors: state dict does not fit"), std::string::npos) << message;
  for (const std::string text : {"{", "{}", R"({"options":{"model":"vgg12"},"input_shape":[3,32,32],
                                               "num_classes":10})",
                                 R"({"options":{"colour":"red"}})", R"({"options":{"width":3}})",
                                 R"({"options":{"model":"sequential","layers":"/etc/hostname"},
                                     "input_shape":[3],"num_classes":10})"}) {
    run::write_tensor_file(path, model.state_dict(), {{"namid.model", text}});
    EXPECT_THROW(load_model(path), DataError) << text;
  }
}

TEST(Weights, CallablesHaveNoFile) {
  const testing::TempFolder folder;
  const Classifier model([](const at::Tensor& x) { return x; },
                         {.name = "mine", .num_classes = 2, .input_shape = {2}});
  EXPECT_THROW(save_model(folder / "w.safetensors", model), OptionError);
}

}  // namespace
}  // namespace namid::models
