// SPDX-License-Identifier: Apache-2.0
#include <torch/csrc/autograd/python_variable.h>
#include "namid/models/handle_impl.h"
#include "namid/models/region_forward.h"
#include "python/bindings.h"

namespace namid::python {
namespace {

using models::Classifier;

/// What a forward into Python needs; the classifier tells whether an attack has frozen it.
struct Callee {
  py::object call, switch_mode;
  const Classifier* classifier = nullptr;
  bool frozen = false;
};

at::Tensor call_python(Callee& callee, const at::Tensor& batch) {
  const py::gil_scoped_acquire gil;
  if (PyErr_CheckSignals() != 0) throw py::error_already_set();
  const bool frozen = !callee.classifier->is_training();
  if (frozen != callee.frozen && !callee.switch_mode.is_none()) callee.switch_mode(frozen);
  callee.frozen = frozen;
  const py::object logits = callee.call(batch);
  if (!THPVariable_Check(logits.ptr()))
    throw OptionError(str("model: expected a tensor of logits (N, classes), got ",
                          py::str(py::type::handle_of(logits)).cast<std::string>()));
  return logits.cast<at::Tensor>();
}

/// Forwards of regions that Ctrl-C interrupts.
class InterruptibleRegions final : public models::RegionForward {
 public:
  explicit InterruptibleRegions(std::unique_ptr<models::RegionForward> own)
      : own_(std::move(own)) {}

  void keep(const at::Tensor& x) override { own_->keep(x); }
  at::Tensor logits(const at::Tensor& x, const models::Rectangle& changed) override {
    check_interrupts();
    return own_->logits(x, changed);
  }
  void accept(const at::Tensor& rows) override { own_->accept(rows); }

 private:
  std::unique_ptr<models::RegionForward> own_;
};

/// A model of namid's, borrowed as a function, with the forwards of regions that it has itself.
class WithRegions final : public models::HandleImpl {
 public:
  WithRegions(const Classifier& function, Classifier own)
      : HandleImpl(function), own_(std::move(own)) {}

  at::Tensor forward(const at::Tensor& x, models::Layer layer) override {
    return by_model(x, layer);
  }
  std::unique_ptr<models::RegionForward> region_forward(std::int64_t rows) override {
    auto regions = own_.region_forward(rows);
    return regions ? std::make_unique<InterruptibleRegions>(std::move(regions)) : nullptr;
  }
  Classifier clone() const override { return model_.clone(); }

 private:
  Classifier own_;
};

}  // namespace

BorrowedModel::BorrowedModel(py::object model, const ModelUse& use) {
  models::ClassifierInfo info{
      .name = use.name, .num_classes = use.num_classes, .input_shape = use.input_shape};
  if (const auto* own = built_in(model)) {
    const auto forward = [own = *own](const at::Tensor& batch) {
      check_interrupts();
      return own(batch);
    };
    const Classifier function(forward, std::move(info), use.parameters);
    classifier_ = Classifier(std::make_shared<WithRegions>(function, *own));
    return;
  }
  const std::shared_ptr<Callee> callee(new Callee{std::move(model), use.switch_mode, &classifier_},
                                       [](Callee* done) {
                                         const py::gil_scoped_acquire gil;
                                         delete done;
                                       });
  const auto forward = [callee](const at::Tensor& batch) { return call_python(*callee, batch); };
  classifier_ = Classifier(forward, std::move(info), use.parameters);
}

const Classifier* built_in(const py::object& model) {
  return py::isinstance<Classifier>(model) ? model.cast<const Classifier*>() : nullptr;
}

}  // namespace namid::python
