// SPDX-License-Identifier: Apache-2.0
#include <torch/csrc/jit/api/module.h>
#include <torch/csrc/jit/runtime/graph_executor.h>
#include <torch/csrc/jit/runtime/profiling_graph_executor_impl.h>
#include <torch/csrc/jit/serialization/import.h>

#include "namid/core/error.h"
#include "namid/core/format.h"
#include "namid/io/sha256.h"
#include "namid/io/zip.h"
#include "namid/models/model_file.h"
#include "namid/models/program_classifier.h"

namespace namid::models {
namespace {

/// Without profiling a program is run as it is from the first call on, so that equal inputs give
/// equal bits. An executor remembers what was set when it was made, at its first run.
class NoProfiling {
 public:
  NoProfiling() : was_(torch::jit::getProfilingMode().exchange(false)) {}
  NoProfiling(const NoProfiling&) = delete;
  NoProfiling& operator=(const NoProfiling&) = delete;
  ~NoProfiling() { torch::jit::getProfilingMode() = was_; }

 private:
  bool was_;
};

class ScriptClassifier final : public ProgramClassifier {
 public:
  ScriptClassifier(torch::jit::Module module, ClassifierInfo info, TensorMap state,
                   std::vector<bool> parameter, const std::string& sha256)
      : ProgramClassifier(std::move(info), std::move(state), std::move(parameter), sha256),
        module_(std::move(module)) {}

  Classifier clone() const override {
    throw OptionError(
        str("[model] clone: ", info().name, " is a TorchScript program; load it again instead"));
  }

 protected:
  at::Tensor run(const at::Tensor& x) override {
    const auto out = module_.forward({x});
    if (!out.isTensor()) throw DataError(str(info().name, ": expected one tensor, the logits"));
    return out.toTensor();
  }
  bool any_order() const override { return false; }

 private:
  torch::jit::Module module_;
};

std::int64_t class_count(torch::jit::Module& module, std::vector<std::int64_t> shape) {
  const at::NoGradGuard no_grad;
  shape.insert(shape.begin(), 2);
  const auto out = module.forward({at::zeros(shape, at::kFloat)});
  if (!out.isTensor() || out.toTensor().dim() != 2 || out.toTensor().size(0) != 2)
    throw DataError("expected logits (2, classes) for two images");
  return out.toTensor().size(1);
}

}  // namespace

Classifier load_torchscript(const std::filesystem::path& path,
                            const std::vector<std::int64_t>& input_shape) {
  const NoProfiling guard;
  try {
    auto module = torch::jit::load(path.string(), at::Device(at::kCPU));
    module.eval();
    TensorMap state;
    std::vector<bool> parameter;
    for (const auto& named : module.named_parameters()) {
      state.emplace_back(named.name, named.value);
      parameter.push_back(true);
    }
    for (const auto& named : module.named_buffers()) {
      state.emplace_back(named.name, named.value);
      parameter.push_back(false);
    }
    ClassifierInfo info{.name = path.stem().string(),
                        .num_classes = class_count(module, input_shape),
                        .input_shape = input_shape};
    return Classifier(std::make_shared<ScriptClassifier>(std::move(module), std::move(info),
                                                         std::move(state), std::move(parameter),
                                                         io::sha256_file(path)));
  } catch (const c10::OutOfMemoryError&) {
    throw;
  } catch (const c10::Error& error) {
    throw DataError(str(path.string(), ": TorchScript: ", error.what_without_backtrace()));
  } catch (const std::runtime_error& error) {  // DataErrors too, and those of its interpreter
    throw DataError(str(path.string(), ": TorchScript: ", error.what()));
  }
}

}  // namespace namid::models
