// SPDX-License-Identifier: Apache-2.0
#include "namid/attacks/spatial_flow.h"
#include "namid/attacks/spatial_grid.h"
#include "namid/core/error.h"
#include "namid/core/format.h"
#include "python/bindings.h"
#include "python/hooks.h"

namespace namid::python {
namespace {

template <class Options>
py::list describe_options_of() {
  Options options;
  OptionSet set;
  set.add("", options);
  return describe(set);
}

/// `request`: num_classes, options ({path: value}), seed where the attack draws, loss and gradient
/// where it climbs.
template <class Options, class Attack>
auto run_spatial(const std::string& name, const py::object& model, const at::Tensor& x,
                 const py::dict& request, const Attack& attack) {
  if (x.dim() != 4) throw OptionError(str("[", name, "] x: expected images (N, C, H, W)"));
  Options options;
  OptionSet set;
  set.add("", options);
  set_options(set, request["options"]);
  const FrozenModel seen(model, x.sizes().slice(1).vec(),
                         request["num_classes"].cast<std::int64_t>());
  attacks::Context context;
  if (request.contains("seed"))
    context.random = Random(request["seed"].cast<std::uint64_t>(), "python/" + name);
  if (request.contains("loss")) add_hooks(context, request);
  const py::gil_scoped_release no_gil;
  return attack(seen.classifier(), options, context);
}

py::dict run_spatial_grid(const py::object& model, const at::Tensor& x, const at::Tensor& y,
                          const py::dict& request) {
  const auto found = run_spatial<attacks::SpatialGridOptions>(
      "spatial-grid", model, x, request,
      [&](const auto& classifier, const auto& options, const auto& context) {
        return attacks::spatial_grid(classifier, x, y, options, context);
      });
  py::dict out;
  out["adv"] = found.x_adv;
  out["success"] = found.success;
  out["cell"] = found.cell;
  out["rotation"] = found.rotation;
  out["dx"] = found.dx;
  out["dy"] = found.dy;
  out["failing"] = found.failing;
  out["worst_loss"] = found.worst_loss;
  out["worst_rotation"] = found.worst_rotation;
  out["worst_dx"] = found.worst_dx;
  out["worst_dy"] = found.worst_dy;
  out["cells"] = found.cells;
  out["forwards"] = found.passes.forwards;
  return out;
}

py::dict run_spatial_flow(const py::object& model, const at::Tensor& x, const at::Tensor& y,
                          const py::dict& request) {
  const auto found = run_spatial<attacks::SpatialFlowOptions>(
      "spatial-flow", model, x, request,
      [&](const auto& classifier, const auto& options, const auto& context) {
        return attacks::spatial_flow(classifier, x, y, options, context);
      });
  py::dict out;
  out["adv"] = found.x_adv;
  out["success"] = found.success;
  out["flow"] = found.flow;
  out["displacement"] = found.displacement;
  out["roughness"] = found.roughness;
  out["forwards"] = found.passes.forwards;
  out["backwards"] = found.passes.backwards;
  return out;
}

}  // namespace

void bind_spatial(py::module_& module) {
  module.def("spatial_options", &describe_options_of<attacks::SpatialGridOptions>);
  module.def("spatial_flow_options", &describe_options_of<attacks::SpatialFlowOptions>);
  module.def("run_spatial_grid", &run_spatial_grid);
  module.def("run_spatial_flow", &run_spatial_flow);
}

}  // namespace namid::python
