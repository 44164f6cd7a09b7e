# SPDX-License-Identifier: Apache-2.0
"""Distances of foolbox's interface."""

import math

import torch

from namid.compat.foolbox.models import like, raw


class Distance:
    """Base of distances."""


class LpDistance(Distance):
    """distance(references, perturbed) gives one number per sample."""

    def __init__(self, p):
        self.p = p

    def __repr__(self):
        return f"LpDistance({self.p})"

    def __str__(self):
        return f"L{self.p} distance"

    def __call__(self, references, perturbed):
        delta = (raw(perturbed) - raw(references)).flatten(1)
        return like(torch.linalg.vector_norm(delta, self.p, dim=1), references)

    def clip_perturbation(self, references, perturbed, epsilon):
        """`perturbed` moved towards `references` until it is no farther than epsilon."""
        x, adv = raw(references), raw(perturbed)
        delta = adv - x
        if self.p == math.inf:
            return like(x + delta.clamp(-epsilon, epsilon), references)
        size = torch.linalg.vector_norm(delta.flatten(1), self.p, dim=1).clamp(min=1e-12)
        factor = (epsilon / size).clamp(max=1)
        if self.p == 0:
            if bool((factor < 1).any()):
                raise NotImplementedError("distances.l0: perturbations of L0 are not made smaller")
            return perturbed
        return like(x + delta * factor.reshape(-1, *[1] * (x.dim() - 1)), references)


l0, l1, l2, linf = (LpDistance(p) for p in (0, 1, 2, math.inf))
