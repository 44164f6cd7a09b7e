# SPDX-License-Identifier: Apache-2.0
"""Attacks that know the defence: substitutes for what has no gradient, expectations over what is
random, verdicts over several draws."""

import dataclasses
import math

import torch

from namid import _C
from namid._scope import frozen_eval
from namid._self_checks import (
    EnoughDraws,
    SelfChecks,
    enough_draws,
    gradient_agreement,
    self_checks,
)


class _Substitute(torch.autograd.Function):
    """The first argument forward, the gradient of the second backward."""

    @staticmethod
    def forward(ctx, value, stand_in):
        return value.view_as(value)

    @staticmethod
    def backward(ctx, gradient):
        return None, gradient


def bpda(function, substitute=None):
    """Backward-pass differentiable approximation (athalye2018obfuscated).

    A callable with the values of `function` and the gradient of `substitute`, by default the
    identity. For a step of a model that autograd cannot see through, such as rounding or JPEG."""

    def through(x):
        with torch.no_grad():
            value = function(x)
        if not (torch.is_grad_enabled() and x.requires_grad):
            return value
        stand_in = x if substitute is None else substitute(x)
        if stand_in.shape != value.shape:
            raise ValueError(
                f"bpda: function gives shape {tuple(value.shape)}, "
                f"substitute {tuple(stand_in.shape)}"
            )
        return _Substitute.apply(value, stand_in)

    return through


def eot(model, draws):
    """Expectation over transformation (athalye2018eot).

    A callable that gives the logarithm of the mean of `draws` predictions, log mean
    softmax(model(x)), so that every attack sees, and climbs, the expected prediction of a model
    that draws random numbers. pgd and apgd have `eot=` of their own, which averages gradients."""
    if draws < 1:
        raise ValueError(f"eot: draws: expected >= 1, got {draws}")

    def expected(x):
        logs = torch.stack([torch.log_softmax(model(x), 1) for _ in range(draws)])
        return torch.logsumexp(logs, 0) - math.log(draws)

    return expected


@dataclasses.dataclass(frozen=True)
class Judgement:
    """How a model that draws random numbers does over K draws."""

    right: torch.Tensor  # int64 (N), of `draws`
    draws: int
    accuracy: float  # mean share of right answers: what one draw is expected to give
    standard_error: float  # of accuracy, over images and draws
    majority: float  # share of images right in more than half of the draws
    lower: float  # of that share, Clopper-Pearson over the images
    upper: float
    voted: float  # share whose most frequent class is right, and beyond doubt the most frequent
    always: float  # share of images right in every draw
    ever: float  # share of images right in some draw
    confidence: float


def judge(model, x, y, *, draws=100, confidence=0.95, batch_size=256):
    """Classifies x `draws` times, in eval mode without gradients. `accuracy` is for a model that
    answers by one draw, `voted` for one that answers by many and abstains, which counts as wrong,
    where the two most frequent classes cannot be told apart; `always` and `ever` lie around both.
    Fix the images before: an attack that chose them by the same draws flatters itself."""
    if draws < 1:
        raise ValueError(f"judge: draws: expected >= 1, got {draws}")
    counts = None
    with frozen_eval(model), torch.no_grad():
        for _ in range(draws):
            answers = torch.cat([model(part) for part in x.split(batch_size)])
            if counts is None:
                counts = torch.zeros(len(x), answers.shape[1], dtype=torch.int64)
            counts += torch.nn.functional.one_hot(answers.argmax(1).cpu(), answers.shape[1])
    right = counts.gather(1, y.cpu()[:, None])[:, 0]
    top, classes = counts.topk(min(2, counts.shape[1]), 1)
    clear = torch.tensor([_C.told_apart(*map(int, pair)) for pair in top])
    most = int((2 * right > draws).sum())
    lower, upper = _C.clopper_pearson(most, len(x), confidence)
    share = right.double() / draws

    def of(rows):
        return float(rows.double().mean())

    return Judgement(
        right=right,
        draws=draws,
        accuracy=of(share),
        standard_error=float((share.var(unbiased=False) / len(x)).sqrt()),
        majority=most / len(x),
        lower=lower,
        upper=upper,
        voted=of(clear & (classes[:, 0] == y.cpu())),
        always=of(right == draws),
        ever=of(right > 0),
        confidence=confidence,
    )


__all__ = ["EnoughDraws", "Judgement", "SelfChecks", "bpda", "enough_draws", "eot"]
__all__ += ["gradient_agreement", "judge", "self_checks"]
