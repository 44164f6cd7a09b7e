// SPDX-License-Identifier: Apache-2.0
#include <ATen/Functions.h>

#include "namid/core/error.h"
#include "namid/core/format.h"
#include "namid/io/zip.h"
#include "namid/models/copy_state.h"
#include "namid/models/exported_program.h"
#include "namid/models/model_file.h"
#include "namid/models/program_classifier.h"

namespace namid::models {
namespace {

constexpr auto kDynamic =
    "export with a batch size that is left open: dynamic_shapes=({0: torch.export.Dim('batch')},) "
    "and an example of at least two images, or python -m namid.export";

class ExportedClassifier final : public ProgramClassifier {
 public:
  ExportedClassifier(ClassifierInfo info, TensorMap state, std::vector<bool> parameter,
                     const std::string& sha256, std::shared_ptr<const ExportedGraph> graph)
      : ProgramClassifier(std::move(info), std::move(state), std::move(parameter), sha256),
        graph_(std::move(graph)) {}

  Classifier clone() const override {
    TensorMap state;
    for (const auto& [name, tensor] : state_) state.emplace_back(name, tensor.detach().clone());
    const auto twin = std::make_shared<ExportedClassifier>(info(), std::move(state),
                                                           parameter_flags(), sha256(), graph_);
    twin->take_settings(*this);
    return Classifier(twin);
  }

 protected:
  at::Tensor run(const at::Tensor& x) override {
    std::vector<at::Tensor> tensors;
    tensors.reserve(state_.size());
    for (const auto& [name, tensor] : state_) tensors.push_back(tensor);
    return (*graph_)(x, tensors);
  }
  bool any_order() const override { return !graph_->fixed_order(); }

 private:
  std::shared_ptr<const ExportedGraph> graph_;
};

at::Tensor tensor_of(const io::Pt2Tensor& tensor) {
  const auto type = scalar_type(tensor.dtype);
  if (tensor.storage.empty()) return at::empty(tensor.sizes, type);
  // Read only: the blob is copied at once, since the file's bytes go.
  auto* first = const_cast<std::byte*>(tensor.storage.data());
  auto* storage = first + tensor.offset * static_cast<std::int64_t>(dtype_size(tensor.dtype));
  return at::from_blob(storage, tensor.sizes, tensor.strides, at::TensorOptions(type)).clone();
}

ClassifierInfo info_of(const io::Pt2Program& program, const std::string& file) {
  const auto& in = program.input;
  const auto& out = program.output.extents;
  if (in.extents.size() < 2)
    throw DataError(str(file, ": expected a program of a batch of images (N, ...)"));
  if (!in.extents[0].dynamic)
    throw DataError(str(file, ": made for batches of ", in.extents[0].size, "; ", kDynamic));
  if (!at::isFloatingType(scalar_type(in.dtype)))
    throw DataError(str(file, ": takes ", dtype_name(in.dtype),
                        " images; expected a program of float images in [0,1]"));
  if (out.size() != 2 || out[1].dynamic || out[1].size < 2)
    throw DataError(str(file, ": expected a program that returns logits (N, classes)"));
  ClassifierInfo info{.name = program.name, .num_classes = out[1].size};
  for (std::size_t i = 1; i < in.extents.size(); ++i) {
    if (in.extents[i].size < 1)
      throw DataError(str(file, ": extent ", i, " of the images is open and has no example; ",
                          "leave open the batch size alone"));
    info.input_shape.push_back(in.extents[i].size);
  }
  return info;
}

/// Runs `action`; what goes wrong in it is the file's fault, but for memory.
template <class Action>
auto about_file(const std::string& file, const Action& action) {
  try {
    return action();
  } catch (const c10::OutOfMemoryError&) {
    throw;
  } catch (const std::bad_alloc&) {
    throw;
  } catch (const c10::Error& error) {
    throw DataError(str(file, ": ", error.what_without_backtrace()));
  } catch (const std::exception& error) {
    throw DataError(str(file, ": ", error.what()));
  }
}

/// Runs two images of zeros: what does not work is found now.
void try_out(const Classifier& model) {
  const at::NoGradGuard no_grad;
  auto shape = model.info().input_shape;
  shape.insert(shape.begin(), 2);
  model(at::zeros(shape, at::kFloat));
}

}  // namespace

Classifier load_program(io::ByteSpan bytes, const std::string& file) {
  const auto program = io::parse_pt2(bytes, file);
  auto info = info_of(program, file);
  auto graph = about_file(file, [&] { return std::make_shared<const ExportedGraph>(program); });
  TensorMap state;
  std::vector<bool> parameter;
  for (const auto& tensor : program.state) {
    state.emplace_back(tensor.name, tensor_of(tensor));
    parameter.push_back(tensor.role == io::Pt2Role::parameter);
  }
  const Classifier model(
      std::make_shared<ExportedClassifier>(std::move(info), std::move(state), std::move(parameter),
                                           io::pt2_graph_sha256(program), std::move(graph)));
  about_file(file + ": does not run", [&] { try_out(model); });
  return model;
}

Classifier load_program(const std::filesystem::path& path) {
  return load_program(io::read_file(path), path.string());
}

}  // namespace namid::models
