# SPDX-License-Identifier: Apache-2.0
"""Is an adaptive attack worth believing? What it must show before its figures count."""

import dataclasses

import torch

from namid import attacks
from namid._scope import frozen_eval


def _cross_entropy(x, logits, y):
    return torch.nn.functional.cross_entropy(logits, y, reduction="none")


def _gradient(model, x, y, loss):
    point = x.detach().requires_grad_()
    with torch.enable_grad():
        (found,) = torch.autograd.grad(loss(point, model(point), y).sum(), point)
    return found.flatten(1)


def _cosine(a, b):
    """Per row; 0 where one of both vanishes."""
    return torch.nn.functional.cosine_similarity(a.double(), b.double(), dim=1, eps=1e-300)


def gradient_agreement(model, x, y, *, directions=64, step=8 / 255, seed=0, loss=_cross_entropy):
    """Cosine, per row of x, between the slopes of `loss` that autograd promises and those that are
    there: differences between x + step * u and x - step * u over `directions` random u of entries
    1 and -1. `loss` is a callable (x, logits, y) to a loss per sample. Near 0 or below: the
    substitute of a `bpda` leads nowhere."""
    if directions < 1 or not step > 0:
        raise ValueError("gradient_agreement: expected directions >= 1 and step > 0")
    generator = torch.Generator().manual_seed(seed)
    with frozen_eval(model):
        promised = _gradient(model, x, y, loss)
        slopes, found = [], []
        for _ in range(directions):
            u = torch.randint(0, 2, x.shape, generator=generator).to(x) * 2 - 1
            with torch.no_grad():
                ahead, behind = (loss(p, model(p), y) for p in (x + step * u, x - step * u))
            found.append((ahead - behind) / (2 * step))
            slopes.append((promised * u.flatten(1)).sum(1))
    return _cosine(torch.stack(slopes, 1), torch.stack(found, 1))


@dataclasses.dataclass(frozen=True)
class EnoughDraws:
    """How many draws a gradient needs, and what they agree to."""

    draws: int
    cosine: float  # mean over the images, of two gradients of that many draws each
    enough: bool  # cosine >= wanted


def enough_draws(model, x, y, *, draws=20, wanted=0.5, most=1280, images=64, loss=_cross_entropy):
    """Doubles `draws`, up to `most`, until two independent gradients, each the mean over that many
    passes of a model that draws random numbers, have a mean cosine of `wanted` on the first
    `images` rows (athalye2018eot averages them; AutoAttack's rand takes 20)."""
    if not 1 <= draws <= most:
        raise ValueError(f"enough_draws: expected 1 <= draws <= most, got {draws} and {most}")
    x, y = x[:images], y[:images]
    with frozen_eval(model):
        while True:
            first, second = (
                sum(_gradient(model, x, y, loss) for _ in range(draws)) for _ in range(2)
            )
            cosine = float(_cosine(first, second).mean())
            if cosine >= wanted or 2 * draws > most:
                return EnoughDraws(draws, cosine, cosine >= wanted)
            draws *= 2


@dataclasses.dataclass(frozen=True)
class SelfChecks:
    """What an attack through substitutes shows; accuracies are shares of all rows."""

    agreement: float  # mean of gradient_agreement
    natural: float  # of the model
    robust: float  # under the attack
    bare_natural: float  # of the model without the step that has no gradient
    bare_robust: float
    sweep: dict  # epsilon to accuracy, up to all of the box
    square: float  # under Square, which needs no gradient
    failed: tuple  # names of the checks that failed: agreement, bare, sweep, square

    @property
    def passed(self):
        return not self.failed


def self_checks(model, bare, x, y, *, epsilon, attack=attacks.pgd, queries=1000, seed=0, **settings):
    """The checks of an attack on `model`, which differentiates through substitutes (bpda), in
    L-inf. `bare` is the model without what they stand for.

    agreement: gradient_agreement is positive in the mean. bare: the attack on `bare` leaves no
    less than that on `model`, but for the accuracy that the step itself costs or gains. sweep: the
    accuracy falls to 0 as epsilon grows to 1. square: Square, with `queries`, leaves no less than
    the attack. `settings` go to the attack: more and smaller steps, since gradients are approximate."""
    if not 0 < epsilon <= 1:
        raise ValueError(f"self_checks: epsilon: expected above 0 and at most 1, got {epsilon}")
    with frozen_eval(model), frozen_eval(bare), torch.no_grad():
        natural, bare_natural = (
            float((each(x).argmax(1) == y).double().mean()) for each in (model, bare)
        )

    def left(function, target, radius, **more):
        found = function(target, x, y, epsilon=radius, seed=seed, **more)
        return 1 - float(found.success.double().mean())

    robust, bare_robust = (left(attack, each, epsilon, **settings) for each in (model, bare))
    sweep = {epsilon: robust}
    radius = epsilon
    while radius < 1 and sweep[radius] > 0:
        radius = min(1, 2 * radius)
        sweep[radius] = left(attack, model, radius, **settings)
    square = left(attacks.square, model, epsilon, queries=queries, rescale_schedule=True)
    agreement = float(gradient_agreement(model, x, y, seed=seed).mean())
    failed = {
        "agreement": not agreement > 0,
        "bare": robust - bare_robust > abs(natural - bare_natural) + 1e-9,
        "sweep": sweep[radius] > 0,
        "square": square < robust - 1e-9,
    }
    return SelfChecks(
        *(agreement, natural, robust, bare_natural, bare_robust, sweep, square),
        failed=tuple(name for name, bad in failed.items() if bad),
    )
