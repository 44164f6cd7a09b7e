// SPDX-License-Identifier: Apache-2.0
#include "namid/defenses/objective.h"

#include "namid/defenses/option_set.h"
#include "python/bindings.h"

namespace namid::python {
namespace {

using defenses::Defense;
using defenses::Objective;

Defense defense_called(const std::string& name) {
  return choice<Defense>(name, "defense");
}

py::list describe_defenses() {
  py::list rows;
  for (const auto& info : defenses::list_defenses()) {
    py::dict row;
    row["name"] = info.name;
    row["description"] = info.description;
    row["paper"] = info.paper;
    row["estimators"] = info.estimators;
    rows.append(row);
  }
  return rows;
}

/// The training loop's default: what PGD ends at, not the best of its iterates.
defenses::DefenseOptions default_options() {
  defenses::DefenseOptions options;
  options.attack.judge = attacks::Judge::last;
  return options;
}

py::list describe_defense_options(const std::string& name) {
  auto options = default_options();
  OptionSet set;
  defenses::add_options(set, defense_called(name), options);
  return describe(set);
}

Objective make_objective(const std::string& name, const py::dict& given,
                         const std::string& bn_updates, std::int64_t full_batch,
                         const mi::EstimatorPair* estimators) {
  auto options = default_options();
  OptionSet set;
  defenses::add_options(set, defense_called(name), options);
  set_options(set, given);
  options.bn_updates = choice<models::BnUpdates>(bn_updates, "bn_updates");
  options.full_batch = full_batch;
  attacks::validate_budget(options.attack.budget, name);
  return defenses::make_objective(
      defense_called(name), options,
      estimators ? std::optional<mi::EstimatorPair>(*estimators) : std::nullopt);
}

data::Batch batch_of(const at::Tensor& x, const at::Tensor& y, SampleIds ids) {
  if (ids.empty()) ids = hash_sample_ids(x, y);
  if (static_cast<std::int64_t>(ids.size()) != y.size(0))
    throw OptionError(str("ids: expected one per image (", y.size(0), "), got ", ids.size()));
  return {x, y, std::move(ids)};
}

/// A model for the time of one call, as the defences take it.
class LentModel {
 public:
  /// `use`: what Python knows of a model that is no built-in one.
  LentModel(const py::object& model, const at::Tensor& x, const py::dict& use)
      : own_(built_in(model)) {
    if (own_) return;
    borrowed_.emplace(model,
                      ModelUse{.input_shape = x.sizes().slice(1).vec(),
                               .num_classes = use["num_classes"].cast<std::int64_t>(),
                               .parameters = use["parameters"].cast<std::vector<at::Tensor>>(),
                               .switch_mode = use["switch_mode"]});
    borrowed_->classifier().train();
  }
  const models::Classifier& operator*() const { return own_ ? *own_ : borrowed_->classifier(); }

 private:
  const models::Classifier* own_;
  std::optional<BorrowedModel> borrowed_;
};

/// One step of the objective; `step`: epoch, seed, ids, and what LentModel reads.
py::tuple call(const Objective& objective, const py::object& model, const at::Tensor& x,
               const at::Tensor& y, const py::dict& step) {
  const LentModel lent(model, x, step);
  attacks::check_batch(*lent, x, y, "defenses");
  attacks::Context context{.random = Random(step["seed"].cast<std::uint64_t>(), "train/attack"),
                           .epoch = step["epoch"].cast<std::uint32_t>(),
                           .observe = [](int, double) { check_interrupts(); }};
  const auto batch = batch_of(x, y, step["ids"].cast<SampleIds>());
  context.ids = batch.ids;
  defenses::ObjectiveResult result;
  {
    const py::gil_scoped_release no_gil;
    result = objective(*lent, batch, context);
  }
  return py::make_tuple(result.loss, result.metrics);
}

/// Eq. 9 on adversarial examples at hand, on the base loss of `defense`. tensors: x, y, x_adv;
/// `use`: options ({path: value}), bn_updates, and what LentModel reads.
py::tuple namid_loss(const std::string& defense, const py::object& model, const py::dict& tensors,
                     const mi::EstimatorPair& estimators, const py::dict& use) {
  auto options = default_options();
  OptionSet set;
  const auto which = defense_called(defense);
  defenses::add_options(set, which, options);
  set_options(set, use["options"]);
  const auto x = tensors["x"].cast<at::Tensor>(), x_adv = tensors["x_adv"].cast<at::Tensor>();
  const data::Batch batch{x, tensors["y"].cast<at::Tensor>(), {}};
  const LentModel lent(model, x, use);
  attacks::check_batch(*lent, x, batch.y, "namid");
  attacks::check_batch(*lent, x_adv, batch.y, "namid");
  defenses::NamidSetting setting{.estimators = estimators, .options = options.namid};
  if (which == Defense::namid_t) setting.base = defenses::trades_base(options.trades);
  if (which == Defense::namid_m) setting.base = defenses::mart_base(options.mart);
  const auto updates =
      choice<models::BnUpdates>(use["bn_updates"].cast<std::string>(), "bn_updates");
  defenses::ObjectiveResult result;
  {
    const py::gil_scoped_release no_gil;
    result = defenses::namid_loss(*lent, batch, x_adv, setting, updates);
  }
  return py::make_tuple(result.loss, result.metrics);
}

}  // namespace

void bind_defenses(py::module_& module) {
  py::class_<Objective>(module, "Objective")
      .def("call", &call)
      .def("save_state", &Objective::save_state)
      .def("load_state", &Objective::load_state);
  module.def("defense_table", &describe_defenses);
  module.def("defense_options", &describe_defense_options);
  module.def("make_objective", &make_objective);
  module.def("namid_loss", &namid_loss);
}

}  // namespace namid::python
