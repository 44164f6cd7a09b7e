# SPDX-License-Identifier: Apache-2.0
"""Attacks on any callable from images to logits, made from the C++ registry: names, keyword arguments,
defaults and ranges are those of the C++ option tables."""

import dataclasses
import inspect

import torch

from namid import _C
from namid._scope import frozen_eval


@dataclasses.dataclass(frozen=True)
class AttackResult:
    """What an attack returns; rows belong to the rows of x."""

    adv: torch.Tensor  # like x, inside ball and box
    success: torch.Tensor  # bool (N)
    step: torch.Tensor  # int64 (N), 0 is the start point
    loss: torch.Tensor  # float32 (N)
    norms: dict  # "linf", "l2": float64 (N) of adv - x
    forwards: int  # samples forwarded, without the one that finds the class count
    backwards: int


def _class_count(model, x):
    if not isinstance(x, torch.Tensor) or not x.is_floating_point():
        kind = x.dtype if isinstance(x, torch.Tensor) else type(x).__name__
        raise ValueError(f"x: expected a float tensor of images in [0,1], got {kind}; divide by 255?")
    with torch.no_grad():
        logits = model(x[:1])
    if not isinstance(logits, torch.Tensor) or logits.dim() != 2:
        raise ValueError("model: expected logits of shape (N, classes) for a batch of images")
    return logits.shape[1]


def _make(name, summary, paper):
    options = _C.attack_options(name)

    def attack(model, x, y, *, seed=0, **keywords):
        with frozen_eval(model):
            return AttackResult(
                **_C.run_attack(name, model, x, y, _class_count(model, x), keywords, seed)
            )

    lines = [f"{summary} ({paper}).", ""]
    lines += ["model: callable from a float batch in [0,1] to logits; x: (N, ...) float32; y: (N) int64."]
    for row in options:
        limits = ", ".join(row["choices"]) or row["range"]
        lines.append(f"{row['name']}: {row['help']}" + (f" ({limits})" if limits else ""))
    attack.__name__ = attack.__qualname__ = name.replace("-", "_")
    attack.__doc__ = "\n".join(lines)
    parameter = inspect.Parameter
    attack.__signature__ = inspect.Signature(
        [parameter(p, parameter.POSITIONAL_OR_KEYWORD) for p in ("model", "x", "y")]
        + [parameter(row["name"], parameter.KEYWORD_ONLY, default=row["default"]) for row in options]
        + [parameter("seed", parameter.KEYWORD_ONLY, default=0)]
    )
    return attack


__all__ = ["AttackResult"]
for _row in _C.attack_table():
    _attack = _make(_row["name"], _row["summary"], _row["paper"])
    globals()[_attack.__name__] = _attack
    __all__.append(_attack.__name__)
