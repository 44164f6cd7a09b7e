# SPDX-License-Identifier: Apache-2.0
"""foolbox's interface: NewtonFool."""

import torch

from namid.compat._shared import at_least, by_sample
from namid.compat.foolbox.plain import Smallest


class NewtonFoolAttack(Smallest):
    """x <- x - d g / |g|^2, d = min(stepsize |x0| |g|, p - 1/K), g the gradient of the class's
    probability p (Jang et al. 2017, Algorithm 1), until another class wins. The library squares
    both norms once more, which sends x into the corners of the box, and divides by a zero
    gradient."""

    takes_targets = False

    def __init__(self, steps=100, stepsize=0.01):
        at_least("NewtonFoolAttack", 0, steps=steps, stepsize=stepsize)
        self.steps, self.stepsize = steps, stepsize

    def search(self, judge, x):
        adv, rows = x.clone(), torch.arange(len(x), device=x.device)
        reach = self.stepsize * x.flatten(1).norm(dim=1)
        for _ in range(self.steps):
            at = adv[rows].requires_grad_(True)
            with torch.enable_grad():
                shares = judge.model.logits(at).softmax(1)
                own = shares.gather(1, judge.classes[rows, None])[:, 0]
            gradient = torch.autograd.grad(own.sum(), at)[0]
            right = shares.argmax(1) == judge.classes[rows]
            rows, own, gradient = rows[right], own[right].detach(), gradient[right]
            if len(rows) == 0:
                break
            steepness = gradient.flatten(1).norm(dim=1).clamp(min=torch.finfo(x.dtype).tiny)
            length = torch.minimum(reach[rows], (own - 1 / shares.shape[1]) / steepness)
            unit = gradient / by_sample(steepness, gradient)
            adv[rows] = judge.clip(adv[rows] - by_sample(length, unit) * unit)
        return adv
