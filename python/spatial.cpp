// SPDX-License-Identifier: Apache-2.0
#include "namid/attacks/spatial_flow.h"
#include "namid/attacks/spatial_grid.h"
#include "namid/core/error.h"
#include "python/bindings.h"

namespace namid::python {
namespace {

template <class Options>
py::list describe_options_of() {
  Options options;
  OptionSet set;
  set.add("", options);
  return describe(set);
}

/// `request`: num_classes, options ({path: value}), seed.
py::dict run_spatial_grid(const py::object& model, const at::Tensor& x, const at::Tensor& y,
                          const py::dict& request) {
  if (x.dim() != 4) throw OptionError("[spatial-grid] x: expected images (N, C, H, W)");
  attacks::SpatialGridOptions options;
  OptionSet set;
  set.add("", options);
  set_options(set, request["options"]);
  const BorrowedModel borrowed(
      model, {x.sizes().slice(1).vec(), request["num_classes"].cast<std::int64_t>()});
  const auto* own = built_in(model);
  const auto frozen = own ? own->frozen_eval() : nullptr;
  const attacks::Context context{
      .random = Random(request["seed"].cast<std::uint64_t>(), "python/spatial-grid")};
  attacks::SpatialGridResult found;
  {
    const py::gil_scoped_release no_gil;
    found = attacks::spatial_grid(borrowed.classifier(), x, y, options, context);
  }
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

/// `request`: as above.
py::dict run_spatial_flow(const py::object& model, const at::Tensor& x, const at::Tensor& y,
                          const py::dict& request) {
  if (x.dim() != 4) throw OptionError("[spatial-flow] x: expected images (N, C, H, W)");
  attacks::SpatialFlowOptions options;
  OptionSet set;
  set.add("", options);
  set_options(set, request["options"]);
  const BorrowedModel borrowed(
      model, {x.sizes().slice(1).vec(), request["num_classes"].cast<std::int64_t>()});
  const auto* own = built_in(model);
  const auto frozen = own ? own->frozen_eval() : nullptr;
  attacks::SpatialFlowResult found;
  {
    const py::gil_scoped_release no_gil;
    found = attacks::spatial_flow(borrowed.classifier(), x, y, options);
  }
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
