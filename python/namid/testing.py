# SPDX-License-Identifier: Apache-2.0
"""Robustness as a test: `assert_robust` for pytest and other frameworks."""

import dataclasses

import torch

from namid import _C, attacks
from namid._scope import frozen_eval


@dataclasses.dataclass(frozen=True)
class Robustness:
    """What `assert_robust` measured."""

    natural: float  # accuracy on x
    robust: float  # share of x that is right and that no attack broke
    lower: float  # Clopper-Pearson interval of that share
    upper: float
    broken_by: dict  # attack: images that it was the first to break
    survived: torch.Tensor  # bool (N)
    adv: torch.Tensor  # x, with the adversarial image where one was found


def _check_ball(adv, x, norm, epsilon, name):
    """The attack is not believed: ball and box are measured here again, in float64."""
    delta = (adv.double() - x.double()).flatten(1)
    size = {
        "linf": delta.abs().amax(1),
        "l2": delta.norm(dim=1),
        "l1": delta.abs().sum(1),
        "l0": delta.ne(0).sum(1),
    }[norm]
    slack = {"linf": 1e-6, "l0": 0}.get(norm, epsilon * 1e-5)
    if not (bool((size <= epsilon + slack).all()) and adv.min() >= 0 and adv.max() <= 1):
        raise RuntimeError(
            f"{name}: left the ball or the box; largest {norm} norm {size.max():.6g}"
        )


def measure(
    model,
    x,
    y,
    *,
    attack=("apgd-ce", "square"),
    norm="linf",
    epsilon=8 / 255,
    confidence=0.95,
    **keywords,
):
    """Attacks x by each attack in turn, on what is right and not broken yet, and re-checks every
    adversarial image: its distance, its range, and that the model is wrong on it. `attack`: a name
    of namid.attacks or several; keywords go to all of them."""
    names = (attack,) if isinstance(attack, str) else tuple(attack)
    with frozen_eval(model), torch.no_grad():
        survived = model(x).argmax(1) == y
    natural, adv, broken_by = float(survived.double().mean()), x.clone(), {}
    for name in names:
        rows = survived.nonzero().flatten()
        if len(rows) == 0:
            break
        found = attacks.run(name, model, x[rows], y[rows], norm=norm, epsilon=epsilon, **keywords)
        _check_ball(found.adv, x[rows], norm, epsilon, name)
        with frozen_eval(model), torch.no_grad():
            wrong = model(found.adv).argmax(1) != y[rows]
        survived[rows[wrong]] = False
        adv[rows[wrong]] = found.adv[wrong]
        broken_by[name] = int(wrong.sum())
    lower, upper = _C.clopper_pearson(int(survived.sum()), len(x), confidence)
    robust = float(survived.double().mean())
    return Robustness(natural, robust, lower, upper, broken_by, survived, adv)


def assert_robust(model, x, y, *, at_least, certain=False, **keywords):
    """AssertionError unless the robust accuracy found by `measure` is at least `at_least`; returns
    what was measured. Attacks can only show that a model is worse: passing says that these attacks
    found no more. `certain`: the lower end of the confidence interval must reach it, which images
    not seen in the test need."""
    found = measure(model, x, y, **keywords)
    reached = found.lower if certain else found.robust
    if reached >= at_least:
        return found
    by = ", ".join(f"{name} broke {count}" for name, count in found.broken_by.items())
    raise AssertionError(
        f"robust accuracy {found.robust:.4f} [{found.lower:.4f}, {found.upper:.4f}] of {len(x)} "
        f"images, expected at least {at_least:g}{' with certainty' if certain else ''}; natural "
        f"{found.natural:.4f}; {by or 'no attack was needed'}"
    )


__all__ = ["Robustness", "assert_robust", "measure"]
