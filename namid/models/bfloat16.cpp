// SPDX-License-Identifier: Apache-2.0
#include "namid/models/bfloat16.h"

#include <ATen/autocast_mode.h>

#include "namid/core/error.h"
#include "namid/core/format.h"
#include "namid/models/handle_impl.h"

namespace namid::models {
namespace {

/// Autocast to bfloat16 on one kind of device, on this thread, while the object lives. Casts of
/// weights are not cached: the cache outlives the scope where the caller has autocast on himself.
class BFloat16Scope {
 public:
  explicit BFloat16Scope(at::DeviceType device)
      : device_(device),
        enabled_(at::autocast::is_autocast_enabled(device)),
        type_(at::autocast::get_autocast_dtype(device)),
        cached_(at::autocast::is_autocast_cache_enabled()) {
    at::autocast::set_autocast_dtype(device_, at::kBFloat16);
    at::autocast::set_autocast_cache_enabled(false);
    at::autocast::set_autocast_enabled(device_, true);
  }
  ~BFloat16Scope() {
    at::autocast::set_autocast_enabled(device_, enabled_);
    at::autocast::set_autocast_cache_enabled(cached_);
    at::autocast::set_autocast_dtype(device_, type_);
  }
  BFloat16Scope(const BFloat16Scope&) = delete;
  BFloat16Scope& operator=(const BFloat16Scope&) = delete;

 private:
  at::DeviceType device_;
  bool enabled_;
  at::ScalarType type_;
  bool cached_;
};

class BFloat16Classifier final : public HandleImpl {
 public:
  explicit BFloat16Classifier(const Classifier& model) : HandleImpl(model) {}

  at::Tensor forward(const at::Tensor& x, Layer layer) override {
    const BFloat16Scope scope(x.device().type());
    return by_model(x, layer).to(at::kFloat);
  }
  Classifier clone() const override { return in_bfloat16(model_.clone()); }
};

}  // namespace

Classifier in_bfloat16(const Classifier& model) {
  const auto device = model.device().type();
  if (!at::autocast::is_autocast_available(device))
    throw OptionError(str("[model] in_bfloat16: this LibTorch has no autocast on device ",
                          c10::DeviceTypeName(device, true), "; use float32"));
  return Classifier(std::make_shared<BFloat16Classifier>(model));
}

}  // namespace namid::models
