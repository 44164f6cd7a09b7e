# SPDX-License-Identifier: Apache-2.0
"""foolbox's interface: genetic search, of the model's scores alone."""

import numpy as np
import torch
from torch.nn import functional

from namid.compat.foolbox.distances import linf
from namid.compat.foolbox.plain import FixedEpsilon, by_sample, channel_axis_of

_PATIENCE = 100  # generations with one elite, after which mutations are damped
_AT_ONCE = 256  # images of one forward, unless the batch has more


class GenAttack(FixedEpsilon):
    """GenAttack (Alzantot et al. 2019, arXiv:1805.11090), towards target classes: of perturbations
    in the ball the fittest is kept, and parents, drawn by softmax(fitness / temperature), are mixed
    entry by entry and mutated. Draws are torch's and, for parents, NumPy's: on the CPU in the
    library's order, where one image's draws depend on the batch that it is in.

    fitness: the paper's, z_t - log of the other classes' sum of exp z; the library takes z_t from
    the sum where exp z_t is meant. Images keep to the model's bounds, not to [0, 1]. An image whose
    elite reached the target comes back as that elite, also where a fitter one later lost it."""

    distance = linf

    def __init__(self, *, steps=1000, population=10, mutation_probability=0.10, mutation_range=0.15,
                 sampling_temperature=0.3, channel_axis=None, reduced_dims=None):  # fmt: skip
        for name, value in (("steps", steps), ("population", population)):
            if value < 1:
                raise ValueError(f"{name}: expected at least 1, got {value}")
        if sampling_temperature <= 0:
            raise ValueError(f"sampling_temperature: expected > 0, got {sampling_temperature}")
        self.steps, self.population = steps, population
        self.min_mutation_probability = mutation_probability
        self.min_mutation_range = mutation_range
        self.sampling_temperature = sampling_temperature
        self.channel_axis, self.reduced_dims = channel_axis, reduced_dims

    def perturb(self, judge, x, epsilon):
        if not judge.targeted:
            raise ValueError("unsupported criterion: GenAttack moves towards target classes alone")
        rows = torch.arange(len(x), device=x.device)
        members = self._first(x, epsilon)
        probability = torch.full_like(x.flatten(1)[:, 0], self.min_mutation_probability)
        reach = torch.full_like(probability, self.min_mutation_range)
        kept, reached = members[:, 0], torch.zeros_like(rows, dtype=torch.bool)
        still, plateaus = torch.zeros_like(rows), torch.zeros_like(rows)
        for _ in range(self.steps):
            logits = self._logits(judge, x, members, epsilon)
            fitness = _fitness(logits, judge.classes)
            elite = fitness.argmax(1)
            best = members[rows, elite]
            hit = logits[rows, elite].argmax(1) == judge.classes
            kept = torch.where(by_sample(hit | ~reached, best), best, kept)
            reached = reached | hit
            if bool(reached.all()):
                break
            chances = (fitness / self.sampling_temperature).softmax(1)
            members = _next(members, best, chances, probability, reach, epsilon)
            still = torch.where(elite == 0, still + 1, 0)
            plateaus = plateaus + (still >= _PATIENCE)
            still = torch.where(still >= _PATIENCE, 0, still)
            damping = 0.9 ** plateaus.to(x.dtype)
            probability = (0.5 * damping).clamp(min=self.min_mutation_probability)
            reach = (0.4 * damping).clamp(min=self.min_mutation_range)
        return self._moved(judge, x, kept, epsilon)

    def _first(self, x, epsilon):
        """Uniform in the ball, (N, population, ...): of reduced_dims, where given."""
        shape = x.shape[1:]
        if self.reduced_dims is not None:
            if x.dim() != 4:
                raise NotImplementedError("GenAttack: reduced_dims: expected images (N, C, H, W)")
            channel_axis_of(self.channel_axis, x, type(self).__name__)
            shape = (x.shape[1], *self.reduced_dims)
        draw = torch.rand(len(x), self.population, *shape, dtype=x.dtype, device=x.device)
        return draw * (2 * epsilon) - epsilon

    def _moved(self, judge, x, noise, epsilon):
        if noise.shape != x.shape:
            noise = functional.interpolate(noise, size=x.shape[2:], mode="bilinear")
        return judge.clip(x + noise.clamp(-epsilon, epsilon))

    def _logits(self, judge, x, members, epsilon):
        """(N, population, classes)."""
        size = max(len(x), _AT_ONCE)
        images = x.repeat_interleave(self.population, 0).split(size)
        parts = zip(images, members.flatten(0, 1).split(size))
        logits = [judge.logits(self._moved(judge, *each, epsilon)) for each in parts]
        return torch.cat(logits).unflatten(0, (len(x), self.population))


def _fitness(logits, classes):
    """(N, population): z_t - log sum_{j != t} exp z_j."""
    at = classes[:, None, None].expand(-1, logits.shape[1], 1)
    return (logits.gather(2, at) - logits.scatter(2, at, -torch.inf).logsumexp(2, True))[..., 0]


def _parents(chances, count):
    """(N, count) places, drawn as numpy.random.choice draws them for one row after the other."""
    sums = chances.double().cumsum(1)
    draws = np.random.random_sample((len(chances), count))
    draws = torch.from_numpy(draws).to(chances.device)
    return torch.searchsorted(sums / sums[:, -1:], draws, right=True).clamp(
        max=chances.shape[1] - 1
    )


def _next(members, elite, chances, probability, reach, epsilon):
    """The elite, then children: of each two parents' entries the first's with its share of both
    chances, mutated with `probability` by up to `reach` epsilon, in the ball."""
    count = members.shape[1] - 1
    parents = _parents(chances, 2 * count)
    rows = torch.arange(len(members), device=members.device)
    probability, span = (by_sample(each, elite) for each in (probability, 2 * epsilon * reach))
    made = [elite]
    for one, other in zip(parents[:, ::2].T, parents[:, 1::2].T):
        mix, mutation, chosen = torch.rand(3, *elite.shape, dtype=elite.dtype, device=elite.device)
        share = chances[rows, one] / (chances[rows, one] + chances[rows, other])
        child = torch.where(mix < by_sample(share, elite), members[rows, one], members[rows, other])
        moved = child + mutation * span - span / 2
        made.append(torch.where(chosen <= probability, moved, child).clamp(-epsilon, epsilon))
    return torch.stack(made, 1)
