// SPDX-License-Identifier: Apache-2.0
#pragma once

// Third-party MNIST networks with published figures, and the traces of reference attacks on them.
// They lie in the folder of local test data; open a test with NAMID_NEEDS_DATA().

#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <torch/csrc/autograd/autograd.h>

#include <cstdlib>
#include <string>

#include "namid/data/dataset.h"
#include "namid/io/bytes.h"
#include "namid/io/npz.h"
#include "namid/models/weights.h"
#include "support/data_folder.h"

namespace namid::testing {

/// The model file of "lenet5_advtrained", "lenet5_clntrained" or "convex_mnist"; converted once.
inline std::filesystem::path known_model_file(const std::string& name) {
  const auto folder = std::filesystem::path(NAMID_BUILD_DIR) / "known-models";
  const auto file = folder / (name + ".safetensors");
  if (!std::filesystem::exists(file)) {
    const auto command = std::string(NAMID_PYTHON) + " " + NAMID_SOURCE_DIR +
                         "/tests/support/convert_known_models.py '" +
                         (data_folder() / "models").string() + "' '" + folder.string() + "'";
    if (std::system(command.c_str()) != 0) ADD_FAILURE() << command;
  }
  return file;
}

/// True ones among verdicts.
inline std::int64_t count(const at::Tensor& verdicts) {
  return verdicts.sum().item<std::int64_t>();
}

inline models::Classifier known_model(const std::string& name) {
  return models::load_model(known_model_file(name));
}

/// The first `count` MNIST test images in [0,1] and their labels.
inline data::Batch mnist(std::int64_t count) {
  const auto set = data::load_dataset(
      {.data = (data_folder() / "mnist").string(), .test_limit = count}, data::Part::test);
  std::vector<std::int64_t> rows;
  for (std::int64_t i = 0; i < count; ++i) rows.push_back(i);
  return data::make_batch(set, rows);
}

/// The arrays of one file of golden traces, e.g. Trace("linf_apgd_ce")["x_adv"].
class Trace {
 public:
  explicit Trace(const std::string& name)
      : bytes_(io::read_file(data_folder() / "golden" / (name + ".npz"))), file_(bytes_, name) {}

  /// In the type and shape that is stored.
  at::Tensor operator[](const std::string& array) const {
    const auto values = file_.read(array);
    return at::from_blob(const_cast<std::byte*>(values.data.data()), values.shape,
                         scalar_type(values.type))
        .clone();
  }
  double number(const std::string& array) const { return (*this)[array].item<double>(); }

 private:
  static at::ScalarType scalar_type(io::NpyType type) {
    switch (type) {
      case io::NpyType::b1:
        return at::kBool;
      case io::NpyType::u1:
        return at::kByte;
      case io::NpyType::i4:
        return at::kInt;
      case io::NpyType::i8:
        return at::kLong;
      case io::NpyType::f8:
        return at::kDouble;
      default:
        return at::kFloat;
    }
  }
  io::Bytes bytes_;
  io::NpzFile file_;
};

/// Whether the model has the input gradients of the traces' network of that name.
inline bool has_traced_gradients(const models::Classifier& model, const std::string& name) {
  const auto batch = mnist(20);
  const auto x = batch.x.clone().requires_grad_(true);
  const auto loss = at::cross_entropy_loss(model(x), batch.y, {}, at::Reduction::Sum);
  const Trace gradients("clean_input_gradients_mnist_0_19");
  return at::allclose(torch::autograd::grad({loss}, {x}).front(), gradients["grad_sum_ce_" + name],
                      1e-4, 1e-5);
}

}  // namespace namid::testing

/// For traces whose steps hang on ties. On even background the windows of a max-pool are ties, and
/// which one has the gradient hangs on the last bits of LibTorch's own convolutions.
#define NAMID_NEEDS_TIES_OF_THE_TRACES()                                                       \
  if (!namid::testing::has_traced_gradients(namid::testing::known_model("lenet5_advtrained"),  \
                                            "lenet5_advtrained"))                              \
  GTEST_SKIP() << "LibTorch's convolutions on this machine break ties of max-pools otherwise " \
                  "than on that of the traces: input gradients differ from theirs"
