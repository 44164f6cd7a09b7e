// SPDX-License-Identifier: Apache-2.0
#include "namid/eval/adversarial_set.h"

#include <ATen/ops/arange.h>
#include <ATen/ops/from_blob.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/tensor.h>

#include <algorithm>
#include <cctype>
#include <cmath>

#include "namid/core/error.h"
#include "namid/core/format.h"
#include "namid/io/npz.h"

namespace namid::eval {
namespace {

/// The arrays of one file, with messages that name them.
class Reader {
 public:
  explicit Reader(const std::filesystem::path& path)
      : bytes_(io::read_file(path)), file_(bytes_, path.string()) {}

  bool has(const std::string& array) const { return file_.contains(array); }
  io::NpyArray array(const std::string& name) const { return file_.read(name); }

  /// Integers (N); `rows` < 0: any N.
  at::Tensor integers(const std::string& name, std::int64_t rows) const {
    const auto array = file_.read(name);
    if (array.shape.size() != 1 || (rows >= 0 && array.shape[0] != rows))
      fail(name, str("expected one number per image",
                     rows >= 0 ? str(", ", rows, " in all") : std::string()));
    return at::tensor(array.integers(file_.name_of(name)), at::kLong);
  }
  std::string text(const std::string& name) const {
    if (!has(name)) return "";
    const auto text = file_.read_text(name);
    if (text.values.size() != 1) fail(name, str("expected one text, got ", text.values.size()));
    return text.values[0];
  }
  std::optional<double> number(const std::string& name) const {
    if (!has(name)) return std::nullopt;
    const auto array = file_.read(name);
    if (array.count() != 1) fail(name, str("expected one number, got ", array.count()));
    if (array.type == io::NpyType::f4) return array.values<float>()[0];
    if (array.type == io::NpyType::f8) return array.values<double>()[0];
    return static_cast<double>(array.integers(file_.name_of(name))[0]);
  }
  [[noreturn]] void fail(const std::string& array, const std::string& message) const {
    throw DataError(str(file_.name_of(array), ": ", message));
  }

 private:
  io::Bytes bytes_;
  io::NpzFile file_;
};

/// A tensor that owns the array's bytes.
at::Tensor floating_tensor(io::NpyArray array) {
  const bool single = array.type == io::NpyType::f4;
  if (!single && array.type != io::NpyType::f8) return {};
  auto* bytes = new io::Bytes(std::move(array.data));
  return at::from_blob(
      bytes->data(), array.shape, [bytes](void*) { delete bytes; },
      at::TensorOptions().dtype(single ? at::kFloat : at::kDouble));
}

at::Tensor read_plan(const Reader& reader, std::int64_t rows) {
  const auto plan = floating_tensor(reader.array("plan"));
  if (!plan.defined() || plan.scalar_type() != at::kFloat || plan.dim() < 2 || plan.size(0) != rows)
    reader.fail("plan", str("expected float32 of one plan per image, ", rows, " in all"));
  return plan;
}

std::optional<attacks::Norm> read_norm(const Reader& reader) {
  auto text = reader.text("norm");
  if (text.empty()) return std::nullopt;
  std::transform(text.begin(), text.end(), text.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  const auto& names = EnumNames<attacks::Norm>::kNames;
  const auto found = std::find(names.begin(), names.end(), text);
  if (found == names.end())
    reader.fail("norm", str("expected linf, l2, l1, l0, wasserstein or none, got '", text, "'"));
  return static_cast<attacks::Norm>(found - names.begin());
}

io::NpyArray numbers(const at::Tensor& tensor) {
  const auto values = tensor.detach().to(at::kCPU).contiguous();
  const auto count = static_cast<std::size_t>(values.numel());
  auto shape = values.sizes().vec();
  switch (values.scalar_type()) {
    case at::kFloat:
      return io::npy_array<float>(shape, {values.data_ptr<float>(), count});
    case at::kBool:
      return io::npy_array<bool>(shape, {values.data_ptr<bool>(), count});
    default:
      return io::npy_array<std::int64_t>(shape, {values.data_ptr<std::int64_t>(), count});
  }
}

}  // namespace

AdversarialSet read_adversarial_set(const std::filesystem::path& path) {
  const Reader reader(path);
  AdversarialSet set{.file = path.string()};
  auto images = reader.array("x_adv");
  set.dtype = io::name_of(images.type);
  set.shape = images.shape;
  if (set.shape.size() < 2 || set.shape[0] < 1)
    reader.fail("x_adv", "expected images (N, ...) with N ≥ 1");
  set.x_adv = floating_tensor(std::move(images));
  const auto rows = set.shape[0];
  set.y = reader.integers("y", rows);
  set.index = reader.has("index") ? reader.integers("index", rows) : at::arange(rows, at::kLong);
  set.success =
      reader.has("success") ? reader.integers("success", rows).ne(0) : at::ones({rows}, at::kBool);
  if (reader.has("target")) set.target = reader.integers("target", rows);
  if (reader.has("plan")) set.plan = read_plan(reader, rows);
  set.norm = read_norm(reader);
  set.epsilon = reader.number("epsilon");
  if (set.epsilon && !(std::isfinite(*set.epsilon) && *set.epsilon >= 0))
    reader.fail("epsilon", str("expected a number ≥ 0, got ", *set.epsilon));
  set.attack = reader.text("attack");
  set.options = reader.text("options");
  set.model_sha256 = reader.text("model_sha256");
  set.data_sha256 = reader.text("data_sha256");
  return set;
}

void write_adversarial_set(const std::filesystem::path& path, const AdversarialSet& set) {
  if (set.x_adv.scalar_type() != at::kFloat)
    throw DataError(str(path.string(), ": x_adv: expected float32 to write"));
  io::NpzMembers members{{"x_adv", numbers(set.x_adv)},
                         {"y", numbers(set.y)},
                         {"index", numbers(set.index)},
                         {"success", numbers(set.success)}};
  if (set.target.defined()) members.emplace_back("target", numbers(set.target));
  if (set.plan.defined()) members.emplace_back("plan", numbers(set.plan));
  if (set.norm) members.emplace_back("norm", io::npy_text(to_string(*set.norm)));
  if (set.epsilon) members.emplace_back("epsilon", io::npy_array<double>({}, {&*set.epsilon, 1}));
  members.emplace_back("attack", io::npy_text(set.attack));
  members.emplace_back("options", io::npy_text(set.options));
  members.emplace_back("model_sha256", io::npy_text(set.model_sha256));
  members.emplace_back("data_sha256", io::npy_text(set.data_sha256));
  io::write_npz(path, members);
}

}  // namespace namid::eval
