# SPDX-License-Identifier: Apache-2.0
"""Attacks on any callable from images to logits, made from the C++ registry.

Names, keyword arguments, defaults and ranges are those of the C++ option tables."""

import dataclasses

import torch

from namid import _C
from namid._inputs import check_images, check_seed, class_count, computed, native
from namid._options import Table, describe
from namid._scope import frozen_eval
from namid._spatial import SpatialFlowResult, SpatialGridResult, spatial_flow, spatial_grid


@dataclasses.dataclass(frozen=True)
class AttackInfo:
    """A row of the registry."""

    name: str
    summary: str
    paper: str  # key in docs/papers.bib
    norms: tuple
    targeted: bool  # can move towards a given class
    gradient: bool  # needs gradients
    own_loss: bool  # takes a callable loss=; of those that need gradients also gradient=
    min_classes: int


@dataclasses.dataclass(frozen=True)
class AttackResult:
    """What an attack returns; rows belong to the rows of x."""

    adv: torch.Tensor  # like x, inside ball and box
    success: torch.Tensor  # bool (N)
    step: torch.Tensor  # int64 (N), 0 is the start point
    loss: torch.Tensor  # float32 (N)
    norms: dict  # "linf", "l2", "l1", "l0": float64 (N) of adv - x
    forwards: int  # samples forwarded, without the one that finds the class count
    backwards: int
    target: torch.Tensor | None = None  # int64 (N), with targets=: the class of adv
    plan: torch.Tensor | None = None  # wasserstein: (N, C, H, W, K * K), makes adv of x


def run(name, model, x, y, *, seed=0, loss=None, gradient=None, targets=None, surrogate=None,
        **keywords):  # fmt: skip
    """The attack of the registry called `name` ("apgd-ce").

    `loss` may be a text, one of the attack's own losses, or a callable (x_adv, logits, y) to a loss
    per sample (N), which the attack then maximises; `gradient`, a callable (x_adv, y) to a tensor
    like x, replaces autograd. Verdicts are on the logits, whatever is climbed.
    `targets` moves each row to a class: "given" (y holds it), "least-likely" (at x), "random" or "all"
    in turn (y holds labels); success is then the target reached. apgd_t, fab_t and malt have a count of
    that name.
    `surrogate`, another model of as many classes, is what the attack sees instead, loss and gradient
    too; success stays what `model` says at adv, over all rows, and the passes are the surrogate's."""
    check_images(x)
    if loss is not None and not callable(loss):
        keywords["loss"], loss = loss, None
    check_seed(seed)
    table = Table(_C.attack_options(name))
    if targets is not None and "targets" in table.rows:
        keywords["targets"], targets = targets, None
    request = {"loss": loss, "gradient": gradient, "seed": seed, "targets": targets}
    request["options"] = table.paths(keywords)
    with frozen_eval(model), frozen_eval(surrogate):
        call, images = computed(native(model), x)
        request["num_classes"] = class_count(model, x)
        request["surrogate"] = None
        if surrogate is not None:
            request["surrogate"] = computed(native(surrogate), x)[0]
            request["surrogate_classes"] = class_count(surrogate, x)
        found = _C.run_attack(name, call, images, y, request)
    if images is not x:  # what was left alone keeps its float64 bits
        found["adv"] = torch.where(found["adv"] == images, x, found["adv"].to(x.dtype))
    return AttackResult(**found)


def _make(info):
    table = Table(_C.attack_options(info.name))

    hooked = info.gradient and info.own_loss
    if hooked and "loss" in table.rows:
        table.rows["loss"] = {**table.rows["loss"], "type": "hook"}

    def attack(model, x, y, **keywords):
        return run(info.name, model, x, y, **keywords)

    hooks = [("loss", None)] * ("loss" not in table.rows) + [("gradient", None)]
    aims = [("targets", None)] * info.targeted
    lines = [
        "model: callable from a float batch in [0,1] to logits; x: (N, ...) float; y: (N) int64.",
        f"norms: {', '.join(info.norms)}.",
    ]
    if hooked:
        lines.append("loss, gradient: callables in place of the attack's own (namid.adaptive).")
    lines.append("surrogate: a model that the attack sees instead; `model` judges (transfer).")
    if info.targeted:
        lines.append("targets: given, least-likely, random or all (namid.attacks.run); None: off.")
    return describe(
        attack,
        name=info.name.replace("-", "_"),
        summary=f"{info.summary} ({info.paper}).",
        lines=lines,
        positional=("model", "x", "y"),
        table=table,
        more=(hooks if hooked else []) + aims + [("surrogate", None), ("seed", 0)],
        returns=AttackResult,
    )


def table():
    """Every attack, in the order of the docs."""
    return [AttackInfo(**{**row, "norms": tuple(row["norms"])}) for row in _C.attack_table()]


__all__ = ["AttackInfo", "AttackResult", "SpatialFlowResult", "SpatialGridResult", "run"]
__all__ += ["spatial_flow", "spatial_grid", "table"]
for _info in table():
    _attack = _make(_info)
    globals()[_attack.__name__] = _attack
    __all__.append(_attack.__name__)
