// SPDX-License-Identifier: Apache-2.0
#include "namid/mi/bound.h"

#include "namid/mi/club.h"
#include "namid/mi/cosine.h"
#include "namid/mi/donsker_varadhan.h"
#include "namid/mi/known.h"
#include "namid/mi/leave_one_out.h"
#include "namid/mi/scores.h"
#include "namid/mi/selection.h"
#include "namid/mi/validation.h"
#include "python/bindings.h"

namespace namid::python {
namespace {

py::list describe_bounds() {
  py::list rows;
  for (const auto& info : mi::bound_table()) {
    py::dict row;
    row["name"] = std::string(to_string(info.bound));
    row["kind"] = std::string(to_string(info.kind));
    row["holds"] = std::string(info.holds);
    row["paper"] = std::string(info.paper);
    row["note"] = std::string(info.note);
    rows.append(row);
  }
  return rows;
}

/// Options of `T` as rows for Python.
template <class T>
py::list described() {
  T options;
  OptionSet set;
  set.add("", options);
  return describe(set);
}

template <class T>
T read_options(const py::dict& given) {
  T options;
  OptionSet set;
  set.add("", options);
  set_options(set, given);
  return options;
}

at::Tensor bound_loss(const at::Tensor& scores, const py::dict& given) {
  const auto options = read_options<mi::BoundOptions>(given);
  const py::gil_scoped_release no_gil;
  return mi::bound_loss(scores, options);
}

std::string validate(const py::dict& given) {
  const auto options = read_options<mi::ValidationOptions>(given);
  mi::ValidationHooks hooks;
  hooks.progress = [](const auto&...) { check_interrupts(); };
  const py::gil_scoped_release no_gil;
  return mi::validate_estimator(options, hooks).dump();
}

mi::Known known_of(const py::dict& given) {
  mi::Known known;
  known.family = choice<mi::KnownFamily>(given["family"].cast<std::string>(), "family");
  known.dimension = given["dimension"].cast<std::int64_t>();
  known.information = given["information"].cast<double>();
  known.noise = given["noise"].cast<double>();
  known.shuffled = given["shuffled"].cast<bool>();
  mi::check(known);
  return known;
}

py::tuple draw_known(const py::dict& given, std::uint64_t seed, const SampleIds& ids) {
  const auto known = known_of(given);
  const auto pairs = mi::draw(known, Random(seed, "python/known"), ids);
  return py::make_tuple(pairs.x, pairs.y, mi::true_information(known));
}

void bind_forms(py::module_& module) {
  module.def("score_tensor", &mi::score_tensor, kUnlocked);
  module.def(
      "donsker_varadhan",
      [](const at::Tensor& scores, const std::string& mask) {
        return mi::donsker_varadhan(scores, choice<mi::DvMask>(mask, "mask"));
      },
      kUnlocked);
  module.def(
      "donsker_varadhan_pooled",
      [](const at::Tensor& scores, const std::string& mask) {
        return mi::donsker_varadhan_pooled(scores, choice<mi::DvMask>(mask, "mask"));
      },
      kUnlocked);
  module.def("donsker_varadhan_units", &mi::donsker_varadhan_units, kUnlocked);
  module.def("leave_one_out", &mi::leave_one_out, kUnlocked);
  module.def("club", &mi::club, kUnlocked);
}

void bind_parts(py::module_& module) {
  module.def(
      "cosine_loss",
      [](const at::Tensor& a, const at::Tensor& b, const at::Tensor& selected,
         const std::string& kind) {
        return mi::cosine_loss(a, b, selected, choice<mi::Cosine>(kind, "kind"));
      },
      kUnlocked);
  module.def(
      "select",
      [](const at::Tensor& natural, const at::Tensor& adversarial, const at::Tensor& y,
         const std::string& rule) {
        return mi::select(natural, adversarial, y, choice<mi::SelectionRule>(rule, "rule"));
      },
      kUnlocked);
  module.def(
      "select_right",
      [](const at::Tensor& natural, const at::Tensor& adversarial, const at::Tensor& y,
         const std::string& rule) {
        return mi::select_right(natural, adversarial, y, choice<mi::SelectionRule>(rule, "rule"));
      },
      kUnlocked);
}

}  // namespace

void bind_mi(py::module_& module) {
  module.def("bound_table", &describe_bounds);
  module.def("bound_options", &described<mi::BoundOptions>);
  module.def("bound_loss", &bound_loss);
  module.def("validation_options", &described<mi::ValidationOptions>);
  module.def("validate_estimator", &validate);
  module.def("draw_known", &draw_known);
  bind_forms(module);
  bind_parts(module);
}

}  // namespace namid::python
