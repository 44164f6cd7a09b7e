# SPDX-License-Identifier: Apache-2.0
"""Elastic-net attack, Chen et al. 2018 (arXiv:1709.04114), for the interfaces that have it."""

import dataclasses
from types import SimpleNamespace

import torch

from namid.compat._shared import at_least, margin


@dataclasses.dataclass(frozen=True)
class ElasticNet:
    """Of Algorithm 1 and the search for c; the second half is where the libraries differ."""

    searches: int
    steps: int
    step_size: float
    confidence: float
    initial_const: float
    beta: float
    rule: str  # what is least in the image returned: "L1" or "EN", beta L1 + L2^2
    abort_early: bool
    low: float = 0.0
    high: float = 1.0
    warm: bool = False  # a search starts where the one before ended, else at the image
    lead: int = 0  # momentum of step k, from 0: (k + lead) / (k + lead + 3)
    check_every: int = 1  # steps between looks at the loss
    gain: float = 1e-4  # the least relative gain between two looks
    looks_ahead: bool = True  # the loss without its L1 term at y, else the whole one at x


def check_elastic(owner, **options):
    """Refuses negative options."""
    at_least(owner, 0, **options)


def elastic_net(model, x, classes, targeted, options):
    """x* = argmin c max(0, f(x) + kappa) + beta |x - x0|_1 + |x - x0|^2 within the box, c searched
    per sample. Images that no step breaks come back as they were. Samples stop each on their own,
    so that results do not depend on the batch."""
    count = len(x)
    point = SimpleNamespace(at=x.clone(), ahead=x.clone(), best=x.clone())
    point.least = x.new_full((count,), float("inf"))
    const = x.new_full((count,), options.initial_const)
    below, above = x.new_zeros(count), x.new_full((count,), float("inf"))
    for search in range(options.searches):
        if options.searches >= 10 and search == options.searches - 1:
            const = above.clamp(max=1e10)  # once more with the least c that was enough
        if not options.warm:
            point.at, point.ahead = x.clone(), x.clone()
        found = _descend(model, x, classes, targeted, const, options, point)
        above, below = torch.where(found, const, above), torch.where(found, below, const)
        const = torch.where(above.isinf(), const * 10, (below + above) / 2)
    return point.best


def _descend(model, x, classes, targeted, const, options, point):
    """One search: moves `point`, whose best images it keeps; says which samples it broke."""
    rows = torch.arange(len(x), device=x.device)
    found = torch.zeros(len(x), dtype=torch.bool, device=x.device)
    previous = torch.full_like(const, float("inf"))
    for step in range(options.steps):
        problem = SimpleNamespace(model=model, x=x[rows], classes=classes[rows], targeted=targeted,
                                  const=const[rows], options=options)  # fmt: skip
        y = point.ahead[rows]
        gradient, loss = _smooth_part(problem, y)
        size = options.step_size * (1 - step / options.steps) ** 0.5
        moved = _shrunk(y - size * gradient, problem)
        k = step + options.lead
        point.ahead[rows] = moved + k / (k + 3) * (moved - point.at[rows])
        point.at[rows] = moved
        l1, l2 = _sizes(moved, problem.x)
        with torch.no_grad():
            logits = model(moved)
        hit, cost = _adversarial(logits, problem), options.beta * l1 + l2
        if options.abort_early and step % options.check_every == 0:
            if not options.looks_ahead:
                loss = problem.const * (_gap(logits, problem).clamp(min=-options.confidence)) + cost
            going = loss <= (1 - options.gain) * previous[rows]
            previous[rows] = loss
            rows, moved, hit = rows[going], moved[going], hit[going]
            l1, cost = l1[going], cost[going]
        cost = l1 if options.rule == "L1" else cost
        found[rows] |= hit
        better = hit & (cost < point.least[rows])
        point.best[rows[better]], point.least[rows[better]] = moved[better], cost[better]
        if len(rows) == 0:
            break
    return found


def _gap(logits, problem):
    """f of the paper without its floor: below 0 where the image does what it is to do."""
    gap = margin(logits, problem.classes)
    return -gap if problem.targeted else gap


def _smooth_part(problem, y):
    """(gradient, value) of c max(0, f + kappa) + |y - x|^2."""
    at = y.detach().requires_grad_(True)
    with torch.enable_grad():
        hinge = (_gap(problem.model(at), problem) + problem.options.confidence).clamp(min=0)
        weighted = problem.const * hinge
    gradient = torch.autograd.grad(weighted.sum(), at)[0]
    return gradient + 2 * (y - problem.x), weighted.detach() + _sizes(y, problem.x)[1]


def _shrunk(z, problem):
    """S_beta, Eq. (5): back to x where z is within beta of it, else nearer to it by beta."""
    x, beta = problem.x, problem.options.beta
    less, more = (
        (z - beta).clamp(max=problem.options.high),
        (z + beta).clamp(min=problem.options.low),
    )
    return torch.where(z - x > beta, less, torch.where(z - x < -beta, more, x))


def _sizes(adv, x):
    delta = (adv - x).flatten(1)
    return delta.abs().sum(1), delta.square().sum(1)


def _adversarial(logits, problem):
    """Also with the confidence added to the own logit, or taken from the target's."""
    add = -problem.options.confidence if problem.targeted else problem.options.confidence
    change = torch.full_like(logits[:, :1], add)
    shifted = logits.scatter_add(1, problem.classes[:, None], change)
    return (shifted.argmax(1) != problem.classes) ^ problem.targeted
