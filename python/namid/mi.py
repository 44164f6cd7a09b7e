# SPDX-License-Identifier: Apache-2.0
"""Scores, bounds and estimators of mutual information; autograd goes through all of them.

Losses are minimised; the negative of a loss is the score or bound in nats. What a bound is of the
mutual information, `table()` says: most forms in circulation are neither lower nor upper."""

import dataclasses
import json

import torch

from namid import _C
from namid._estimators import (
    EstimationLoss,
    Estimators,
    estimation_loss,
    load_estimators,
    make_estimators,
    mean_scores,
)
from namid._options import Table, describe


@dataclasses.dataclass(frozen=True)
class BoundInfo:
    """A row of the table of bounds."""

    name: str
    kind: str  # "lower", "upper", "neither"
    holds: str  # "in expectation, any N", ...
    paper: str  # key in docs/papers.bib
    note: str


def table():
    """Every score and bound, in the order of the docs."""
    return [BoundInfo(**row) for row in _C.bound_table()]


def score_tensor(global_, local):
    """u[i,j,k] = <G_i, L_jk> of global vectors (N, U) and local features (N, U, K): (N, N, K)."""
    return _C.score_tensor(global_, local)


_bound_table = Table(_C.bound_options(), leave_out=("bound",))


def bound_loss(bound, scores, **keywords):
    """Loss (N, K) of the bound called `bound` ("info-nce") on scores (N, N, K)."""
    return _C.bound_loss(scores, {"bound": bound, **_bound_table.paths(keywords)})


# Bounds that do not read a score tensor, and the score that has options of its own.


def dv(scores, mask="exclude"):
    """Row-wise Donsker-Varadhan loss (N, K), what NAMID trains with: neither a lower nor an upper
    bound at finite N. mask: "exclude" own pairs from the negatives, or "multiply" as released."""
    return _C.donsker_varadhan(scores, mask)


def dv_pooled(scores, mask="exclude"):
    """WMIM's form (N, K): the negatives of all rows under one logarithm."""
    return _C.donsker_varadhan_pooled(scores, mask)


def dv_units(global_, local):
    """Every unit a critic of its own: (U, K) of global vectors (N, U), local features (N, U, K)."""
    return _C.donsker_varadhan_units(global_, local)


def leave_one_out(log_density):
    """Upper bound per sample (N), in nats, of log p(y_i|x_j) (N, N), a known density."""
    return _C.leave_one_out(log_density)


def club(log_density):
    """CLUB per sample (N), in nats, of log p(y_i|x_j) (N, N): upper if the density is known."""
    return _C.club(log_density)


def club_learned(log_density):
    """The same with a learned density: no guaranteed bound."""
    return _C.club(log_density)


def _make(info):
    def bound(scores, **keywords):
        return bound_loss(info.name, scores, **keywords)

    words = ["Loss (N, K) of scores (N, N, K)."]
    words += [
        f"Of the mutual information: {info.kind}" + (f" ({info.holds})." if info.holds else ".")
    ]
    return describe(
        bound,
        name=info.name.replace("-", "_"),
        summary=f"{info.note[:1].upper()}{info.note[1:]} ({info.paper}).",
        lines=words,
        positional=("scores",),
        table=_bound_table,
        returns=torch.Tensor,
    )


# What NAMID's objectives are made of.


def cosine_loss(a, b, selected, kind="batch"):
    """L_cos of Eq. 8: |1 - similarity| of losses (N, K) over the selected rows, bool (N)."""
    return _C.cosine_loss(a, b, selected, kind)


def select(logits, logits_adv, y, rule="argmax"):
    """Eq. 6: right on the natural image and wrong on the adversarial one, bool (N)."""
    return _C.select(logits, logits_adv, y, rule)


def select_right(logits, logits_adv, y, rule="argmax"):
    """Right on both images, bool (N)."""
    return _C.select_right(logits, logits_adv, y, rule)


@dataclasses.dataclass(frozen=True)
class KnownPairs:
    """Draws whose mutual information is known."""

    x: torch.Tensor
    y: torch.Tensor
    information: float  # nats


def known(
    n,
    *,
    family="gaussian",
    dimension=2,
    information=1.0,
    noise=0.0,
    shuffled=False,
    seed=0,
    first_id=0,
):
    """n pairs of a distribution of known mutual information: "gaussian", "cubed", "image", "label".
    Row i depends on seed and first_id + i alone."""
    given = {
        "family": family,
        "dimension": dimension,
        "information": float(information),
        "noise": float(noise),
        "shuffled": shuffled,
    }
    return KnownPairs(*_C.draw_known(given, seed, list(range(first_id, first_id + n))))


_validation = Table(_C.validation_options())


def validate(**keywords):
    return json.loads(_C.validate_estimator(_validation.paths(keywords)))


describe(
    validate,
    name="validate",
    summary="Tries a bound where the truth is known; the document of `namid mi --validate`.",
    lines=[],
    positional=(),
    table=_validation,
    returns=dict,
)

__all__ = [
    "BoundInfo", "EstimationLoss", "Estimators", "KnownPairs", "bound_loss", "cosine_loss",
    "estimation_loss", "known", "load_estimators", "make_estimators", "mean_scores", "score_tensor",
    "select", "select_right", "table", "validate",
]  # fmt: skip
for _info in table():
    _name = _info.name.replace("-", "_")
    if _name not in globals():
        globals()[_name] = _make(_info)
    __all__.append(_name)
