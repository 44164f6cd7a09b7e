# SPDX-License-Identifier: Apache-2.0
"""Training objectives as loss functions for a loop of one's own, made from the C++ registry.

loss = namid.defenses.trades(beta=6, epsilon=8 / 255, steps=10)
for epoch, (x, y) in ...:
    found = loss(model, x, y, epoch=epoch)
    found.loss.backward()
"""

import dataclasses

import torch

from namid import _C
from namid._inputs import check_images, class_count, native
from namid._options import Table, describe
from namid._scope import Modes


@dataclasses.dataclass(frozen=True)
class DefenseInfo:
    """A row of the registry."""

    name: str
    description: str
    paper: str
    estimators: str  # objectives whose estimators it needs; empty: none


@dataclasses.dataclass(frozen=True)
class Found:
    """A differentiable scalar, and what is worth logging."""

    loss: torch.Tensor
    metrics: dict


class Loss:
    """A defence bound to its options. Calling it crafts adversarial examples with the model in eval
    mode, then computes the loss with every submodule in the mode that it was in."""

    def __init__(self, name, keywords, *, estimators=None, bn_updates="once", full_batch=0):
        self.name = name
        given = Table(_C.defense_options(name)).paths(keywords)
        pair = None if estimators is None else estimators._native
        self._objective = _C.make_objective(name, given, bn_updates, full_batch, pair)

    def __repr__(self):
        return f"<namid.defenses.{self.name}>"

    def __call__(self, model, x, y, *, epoch=1, seed=0, ids=None):
        """model: a model of namid.models, or any module or callable; x: float32 (N, ...) in [0,1];
        y: int64 (N). epoch: from 1; ids: one number per image that stays with it from epoch to
        epoch, by default a hash of its bytes and label."""
        modes = Modes(model)
        try:
            step = _use(model, x, modes)
            step.update(epoch=epoch, seed=seed, ids=[] if ids is None else [int(i) for i in ids])
            return Found(*self._objective.call(native(model), x, y, step))
        finally:
            modes.switch(False)

    def state_dict(self):
        """What the defence keeps between steps (MMA: a margin per image)."""
        return dict(self._objective.save_state())

    def load_state_dict(self, state):
        self._objective.load_state(list(state.items()))


def _use(model, x, modes):
    """What the extension must know of a model that is no built-in one."""
    check_images(x)
    if x.dtype != torch.float32:
        raise ValueError(f"x: training expects float32 images, got {x.dtype}; give x.float()")
    modes.switch(True)
    classes = class_count(model, x)
    modes.switch(False)
    parameters = list(model.parameters()) if hasattr(model, "parameters") else []
    return {"num_classes": classes, "parameters": parameters, "switch_mode": modes.switch}


def namid_loss(model, x, y, x_adv, *, estimators, defense="namid", bn_updates="once", **keywords):
    """L_all of Eq. 9 on adversarial examples at hand: base loss + alpha L_mi, with .metrics
    base_loss, mi_loss, ... ; the estimators must be frozen. defense: "namid", "namid-t" or
    "namid-m", whose base loss it is; keywords: its options but those of the attack."""
    if defense not in ("namid", "namid-t", "namid-m"):
        raise ValueError(f"defense: expected namid, namid-t or namid-m, got '{defense}'")
    given = Table(_C.defense_options(defense)).paths(keywords)
    modes = Modes(model)
    try:
        use = {**_use(model, x, modes), "bn_updates": bn_updates, "options": given}
        tensors = {"x": x, "y": y, "x_adv": x_adv}
        return Found(*_C.namid_loss(defense, native(model), tensors, estimators._native, use))
    finally:
        modes.switch(False)


def _make(info):
    table = Table(_C.defense_options(info.name))

    def defense(*, estimators=None, bn_updates="once", full_batch=0, **keywords):
        return Loss(
            info.name, keywords, estimators=estimators, bn_updates=bn_updates, full_batch=full_batch
        )

    needs = [f"estimators: trained ones of objective {info.estimators}."] if info.estimators else []
    return describe(
        defense,
        name=info.name.replace("-", "_"),
        summary=f"{info.description}" + (f" ({info.paper})." if info.paper else "."),
        lines=needs + ["Returns a Loss: called with (model, x, y) it gives .loss and .metrics."],
        positional=(),
        table=table,
        more=[("estimators", None)] * bool(info.estimators)
        + [("bn_updates", "once"), ("full_batch", 0)],
        returns=Loss,
    )


def table():
    """Every defence, in the order of the docs."""
    return [DefenseInfo(**row) for row in _C.defense_table()]


__all__ = ["DefenseInfo", "Found", "Loss", "namid_loss", "table"]
for _info in table():
    _defense = _make(_info)
    globals()[_defense.__name__] = _defense
    __all__.append(_defense.__name__)
