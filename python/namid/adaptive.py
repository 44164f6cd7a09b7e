# SPDX-License-Identifier: Apache-2.0
"""Attacks that know the defence: substitutes for what has no gradient, expectations over what is
random, verdicts over several draws."""

import dataclasses
import math

import torch

from namid import _C
from namid._scope import frozen_eval


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
    lower: float  # of the share of images right in most draws, Clopper-Pearson over the images
    upper: float
    majority: float  # that share
    confidence: float


def judge(model, x, y, *, draws=20, confidence=0.95, batch_size=256):
    """Classifies x `draws` times, in eval mode without gradients. An image counts as right that is
    so in more than half of the draws; the interval is of the share of such images."""
    if draws < 1:
        raise ValueError(f"judge: draws: expected >= 1, got {draws}")
    right = torch.zeros(len(x), dtype=torch.int64)
    with frozen_eval(model), torch.no_grad():
        for _ in range(draws):
            for rows in torch.arange(len(x)).split(batch_size):
                right[rows] += (model(x[rows]).argmax(1) == y[rows]).long().cpu()
    most = int((2 * right > draws).sum())
    lower, upper = _C.clopper_pearson(most, len(x), confidence)
    share = float(right.double().mean() / draws)
    return Judgement(right, draws, share, lower, upper, most / len(x), confidence)


__all__ = ["Judgement", "bpda", "eot", "judge"]
