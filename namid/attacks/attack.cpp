// SPDX-License-Identifier: Apache-2.0
#include "namid/attacks/attack.h"

#include "namid/attacks/checks.h"
#include "namid/core/error.h"

namespace namid::attacks {
namespace {

[[noreturn]] void refuse(std::string_view where, const std::string& text) {
  throw OptionError(str("[", where, "] ", text));
}

std::string shape_text(at::IntArrayRef shape, std::string_view first) {
  std::string text(first);
  for (const auto size : shape) text += str(text.empty() ? "" : ", ", size);
  return str("(", text, ")");
}

std::string type_text(const at::Tensor& tensor) {
  return c10::toString(tensor.scalar_type());
}

void check_image_type(const at::Tensor& x, std::string_view where) {
  if (!x.defined()) refuse(where, "x: expected a batch of images, got an undefined tensor");
  if (at::isIntegralType(x.scalar_type(), true))
    refuse(where, str("x: expected float32 images in [0, 1], got ", type_text(x),
                      "; convert to float32 and divide by 255"));
  if (x.scalar_type() != at::kFloat)
    refuse(where,
           str("x: expected float32 images in [0, 1], got ", type_text(x), "; convert to float32"));
}

void check_image_shape(const at::Tensor& x, const at::IntArrayRef expected,
                       std::string_view where) {
  if (x.dim() < 1 || x.sizes().slice(1) != expected)
    refuse(where, str("x: expected shape ", shape_text(expected, "N"), ", got ",
                      shape_text(x.sizes(), "")));
  if (x.size(0) < 1) refuse(where, "x: expected at least one image, got an empty batch");
}

void check_image_range(const at::Tensor& x, std::string_view where) {
  if (x.numel() == 0) refuse(where, "x: expected images of at least one entry");
  const auto [low_tensor, high_tensor] = at::aminmax(x.detach());
  const auto low = low_tensor.item<float>(), high = high_tensor.item<float>();
  if (!std::isfinite(low) || !std::isfinite(high))
    refuse(where, "x: expected finite values in [0, 1], got NaN or infinity");
  if (low >= 0 && high <= 1) return;
  std::string_view hint;
  if (low < 0) {
    hint = "; give images as they are before normalisation, which belongs into the model";
  } else if (high > 2 && high <= 255) {
    hint = "; images in 0..255? divide by 255";
  }
  refuse(where, str("x: expected values in [0, 1], got ", low, " to ", high, hint));
}

void check_labels(const at::Tensor& x, const at::Tensor& y, std::int64_t classes,
                  std::string_view where) {
  if (!y.defined()) refuse(where, "y: expected one label per image, got an undefined tensor");
  if (y.scalar_type() != at::kLong)
    refuse(where, str("y: expected int64 labels, got ", type_text(y), "; convert to int64"));
  if (y.dim() != 1 || y.size(0) != x.size(0))
    refuse(where, str("y: expected one label per image, shape ", shape_text({x.size(0)}, ""),
                      ", got ", shape_text(y.sizes(), "")));
  if (y.device() != x.device())
    refuse(where,
           str("y: expected labels on ", x.device().str(), " like x, got ", y.device().str()));
  const auto [low, high] = at::aminmax(y);
  const auto lowest = low.item<std::int64_t>(), highest = high.item<std::int64_t>();
  if (lowest < 0 || highest >= classes)
    refuse(where,
           str("y: expected labels in 0..", classes - 1, ", got ", lowest < 0 ? lowest : highest));
}

}  // namespace

void validate_budget(const Budget& budget, std::string_view where, const std::vector<Norm>& known) {
  validate(budget, where);
  check_norm(budget.norm, known, where);
  if (budget.norm == Norm::linf && budget.epsilon > 1)
    refuse(where,
           str("epsilon: expected a number in [0, 1] for linf, got ", budget.epsilon,
               budget.epsilon <= 255 ? str("; in units of 0..255? write ", budget.epsilon, "/255")
                                     : std::string()));
}

void check_batch(const Classifier& model, const at::Tensor& x, const at::Tensor& y,
                 std::string_view where) {
  check_image_type(x, where);
  check_image_shape(x, model.info().input_shape, where);
  check_image_range(x, where);
  check_labels(x, y, model.info().num_classes, where);
}

}  // namespace namid::attacks
