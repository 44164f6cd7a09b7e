# SPDX-License-Identifier: Apache-2.0
"""Rotations, translations and flow fields: attacks that know no norm."""

import dataclasses

import torch

from namid import _C
from namid._inputs import check_images, check_seed, class_count, computed, native
from namid._options import Table, describe
from namid._scope import frozen_eval


@dataclasses.dataclass(frozen=True)
class SpatialGridResult:
    """What a grid of rotations and shifts did; rows belong to the rows of x."""

    adv: torch.Tensor  # at the first cell that fools; x where none does, or x itself fools
    success: torch.Tensor  # bool (N)
    cell: torch.Tensor  # int64 (N): the first that fools, or -1
    rotation: torch.Tensor  # float64 (N), degrees, of that cell
    dx: torch.Tensor  # float64 (N), pixels
    dy: torch.Tensor
    failing: torch.Tensor  # int64 (N): cells that fool
    worst_loss: torch.Tensor  # float32 (N): largest cross-entropy of all cells
    worst_rotation: torch.Tensor  # float64 (N), of the cell of that loss
    worst_dx: torch.Tensor
    worst_dy: torch.Tensor
    cells: int  # tried for each sample
    forwards: int


@dataclasses.dataclass(frozen=True)
class SpatialFlowResult:
    """What a flow field did; rows belong to the rows of x."""

    adv: torch.Tensor  # the fooling image of the smallest displacement; x where none fools
    success: torch.Tensor  # bool (N)
    flow: torch.Tensor  # float32 (N, H, W, 2): how far to the right and down, in pixels
    displacement: torch.Tensor  # float64 (N): sum of squares, the image being 2 wide and high
    roughness: torch.Tensor  # float64 (N): what smoothness weighs
    forwards: int
    backwards: int


_TABLE = Table(_C.spatial_options())
_FLOW_TABLE = Table(_C.spatial_flow_options())


def _run(function, model, x, y, request):
    check_images(x)
    with frozen_eval(model):
        call, images = computed(native(model), x)
        request["num_classes"] = class_count(model, x)
        found = function(call, images, y, request)
    if images is not x:
        found["adv"] = torch.where(found["adv"] == images, x, found["adv"].to(x.dtype))
    return found


def spatial_grid(model, x, y, *, seed=0, **keywords):
    check_seed(seed)
    request = {"seed": seed, "options": _TABLE.paths(keywords)}
    return SpatialGridResult(**_run(_C.run_spatial_grid, model, x, y, request))


def spatial_flow(model, x, y, *, loss=None, gradient=None, **keywords):
    request = {"loss": loss, "gradient": gradient, "options": _FLOW_TABLE.paths(keywords)}
    return SpatialFlowResult(**_run(_C.run_spatial_flow, model, x, y, request))


describe(
    spatial_grid,
    name="spatial_grid",
    summary="rotations and translations on a grid or at random (engstrom2019).",
    lines=["model: callable from a float batch in [0,1] to logits; x: (N, C, H, W); y: (N) int64."],
    positional=("model", "x", "y"),
    table=_TABLE,
    more=[("seed", 0)],
    returns=SpatialGridResult,
)

describe(
    spatial_flow,
    name="spatial_flow",
    summary="pixels moved by a smooth flow field, found by L-BFGS (xiao2018).",
    lines=[
        "model: callable from a float batch in [0,1] to logits; x: (N, C, H, W); y: (N) int64.",
        "loss, gradient: callables in place of the margin (namid.adaptive).",
    ],
    positional=("model", "x", "y"),
    table=_FLOW_TABLE,
    more=[("loss", None), ("gradient", None)],
    returns=SpatialFlowResult,
)
