# SPDX-License-Identifier: Apache-2.0
"""foolbox's interface: fast minimum-norm attacks, also from adversarial starting points."""

import math

import torch

from namid.compat.foolbox.descent import onto_l1_ball
from namid.compat.foolbox.distances import LpDistance, l1, l2, linf
from namid.compat.foolbox.plain import Smallest, by_sample, starts_of

_OVERSHOOT = 1.02  # of the distance to the linearised boundary, as namid.attacks.fmn has it
_TINY = 1e-12


def _largest(delta, count):
    """The `count` (N) entries of each row that are largest in size; the first of equal ones."""
    falling = delta.abs().flatten(1).argsort(dim=1, descending=True, stable=True)
    rank = falling.argsort(dim=1)
    return torch.where(rank.reshape(delta.shape) < by_sample(count, delta), delta, 0)


class _L0(LpDistance):
    """Cuts perturbations to their largest entries, where the library refuses."""

    def clip_perturbation(self, references, perturbed, epsilon):
        count = torch.full((len(references),), int(epsilon), device=references.device)
        return references + _largest(perturbed - references, count)


class _Fmn(Smallest):
    """FMN (pintor2021): namid.attacks.fmn with a least step size and starting points. From points
    given, or found by init_attack, a binary search leads to the boundary, where the search begins;
    images that those do not break begin at themselves, where the library stops for all. L2
    perturbations are projected (left as they are in the library), and L0 keeps epsilon entries
    (one more, or a crash, in the library)."""

    takes_starting_points = True

    def __init__(self, *, steps=100, max_stepsize=1.0, min_stepsize=None, gamma=0.05,
                 init_attack=None, binary_search_steps=10):  # fmt: skip
        if steps < 1:
            raise ValueError(f"steps: expected at least 1, got {steps}")
        self.steps, self.max_stepsize = steps, max_stepsize
        self.min_stepsize = max_stepsize / 100 if min_stepsize is None else min_stepsize
        if not 0 < self.min_stepsize <= max_stepsize:
            raise ValueError(
                f"min_stepsize: expected above 0, at most max_stepsize {max_stepsize}, got "
                f"{self.min_stepsize}"
            )
        self.gamma, self.init_attack = gamma, init_attack
        self.binary_search_steps = binary_search_steps

    def search(self, judge, x):
        delta = self._begin(judge, x)
        widest = self._norm(torch.maximum(x - judge.low, judge.high - x))
        radius = self._first_radius(delta)
        nearest, smallest = delta, widest
        found = torch.zeros_like(widest, dtype=torch.bool)
        for step in range(self.steps):
            falling = (1 + math.cos(math.pi * step / self.steps)) / 2
            length = self.min_stepsize + (self.max_stepsize - self.min_stepsize) * falling
            gamma = 0.001 + (self.gamma - 0.001) * falling
            margin, gradient, adversarial = _climb(judge, judge.clip(x + delta))
            norm = self._norm(delta)
            better = adversarial & (norm <= smallest)
            found = found | adversarial
            smallest = torch.where(better, norm, smallest)
            nearest = torch.where(by_sample(better, x), delta, nearest)
            ahead = norm + _OVERSHOOT * margin.abs() / self._dual(gradient).clamp(min=_TINY)
            radius = self._radius(radius, gamma, adversarial, found, smallest, ahead)
            radius = torch.minimum(radius, widest)
            size = gradient.flatten(1).norm(dim=1).clamp(min=_TINY)
            delta = self._project(delta + gradient * by_sample(length / size, x), radius)
            delta = judge.clip(x + delta) - x
        return judge.clip(x + nearest)

    def _begin(self, judge, x):
        """The perturbation to begin with: at the boundary on the way to the starting points."""
        points = starts_of(judge, x, self.init_attack)
        if points is None:
            return torch.zeros_like(x)
        way, width = points - x, judge.high - judge.low
        low, high = x.new_zeros(len(x)), x.new_ones(len(x))
        for _ in range(self.binary_search_steps):
            middle = (low + high) / 2
            hit = judge.adversarial(x + self._part(way, middle, width))
            low, high = torch.where(hit, low, middle), torch.where(hit, middle, high)
        broken = by_sample(judge.adversarial(points), x)
        return torch.where(broken, self._part(way, high, width), 0)

    def _norm(self, delta):
        return torch.linalg.vector_norm(delta.flatten(1), self.distance.p, dim=1)

    def _dual(self, gradient):
        order = {0: 2, 1: math.inf, 2: 2, math.inf: 1}[self.distance.p]  # of no use to L0
        return torch.linalg.vector_norm(gradient.flatten(1), order, dim=1)

    def _first_radius(self, delta):
        return delta.new_full((len(delta),), math.inf)

    def _radius(self, radius, gamma, adversarial, found, smallest, ahead):
        outside = torch.where(found, radius * (1 + gamma), ahead)
        return torch.where(adversarial, torch.minimum(radius * (1 - gamma), smallest), outside)


def _climb(judge, x):
    """(margin l, its gradient, adversarial): l = max_{j != y} z_j - z_y, for targets its negative:
    l > 0 is adversarial."""
    at = x.detach().requires_grad_(True)
    with torch.enable_grad():
        logits = judge.model.logits(at)
        labels = judge.classes[:, None]
        others = logits.scatter(1, labels, -math.inf).amax(1)
        margin = others - logits.gather(1, labels)[:, 0]
        margin = -margin if judge.targeted else margin
    gradient = torch.autograd.grad(margin.sum(), at)[0]
    hit = (logits.detach().argmax(1) != judge.classes) ^ judge.targeted
    return margin.detach(), gradient, hit


class L0FMNAttack(_Fmn):
    distance = _L0(0)

    def _first_radius(self, delta):
        return self._norm(delta).clamp(min=1)

    def _radius(self, radius, gamma, adversarial, found, smallest, ahead):
        fewer = torch.minimum((radius * (1 - gamma)).floor(), radius - 1)
        more = torch.maximum((radius * (1 + gamma)).floor(), radius + 1)
        return torch.where(adversarial, torch.minimum(fewer, smallest), more).clamp(min=1)

    def _project(self, delta, radius):
        return _largest(delta, radius)

    def _part(self, way, share, width):
        return _largest(way, (share * way[0].numel()).floor())


class L1FMNAttack(_Fmn):
    distance = l1

    def _project(self, delta, radius):
        return onto_l1_ball(delta, radius)

    def _part(self, way, share, width):
        return way.sign() * (way.abs() - by_sample(width * (1 - share), way)).clamp(min=0)


class L2FMNAttack(_Fmn):
    distance = l2

    def _project(self, delta, radius):
        return delta * by_sample((radius / self._norm(delta).clamp(min=_TINY)).clamp(max=1), delta)

    def _part(self, way, share, width):
        return way * by_sample(share, way)


class LInfFMNAttack(_Fmn):
    distance = linf

    def _project(self, delta, radius):
        limit = by_sample(radius, delta)
        return torch.minimum(torch.maximum(delta, -limit), limit)

    def _part(self, way, share, width):
        return self._project(way, share * width)
