# SPDX-License-Identifier: Apache-2.0
"""foolbox's interface: attacks along the decision boundary to the nearest adversarial image."""

import torch

from namid.compat._shared import at_least, by_sample
from namid.compat.foolbox import trust_region
from namid.compat.foolbox.distances import l1, l2, linf
from namid.compat.foolbox.fmn import L0FMNAttack
from namid.compat.foolbox.noise import LinearSearchBlendedUniformNoiseAttack
from namid.compat.foolbox.start import FromStart, above_zero


class _BrendelBethge(FromStart):
    """Brendel & Bethge (Brendel et al. 2019, arXiv:1907.01003): from the boundary between the image
    and its start, steps that come nearest to the image on the linearised boundary within a ball,
    whose radius falls; the nearest adversarial image met is kept.

    Steps are solved exactly, where the library's L-BFGS-B and bisections stop early, or walk away
    from a boundary out of reach; the first radius is lr times an image's entries times the bounds'
    width, times the batch size in the library. So results are near the library's, not the same;
    where steps are too few for the radius, its L1 steps, which leave the ball, may get nearer."""

    def __init__(self, init_attack=None, overshoot=1.1, steps=1000, lr=1e-3, lr_decay=0.5,
                 lr_num_decay=20, momentum=0.8, tensorboard=False,
                 binary_search_steps=10):  # fmt: skip
        self.accept(init_attack, tensorboard)
        at_least(type(self).__name__, 0, steps=steps, binary_search_steps=binary_search_steps)
        above_zero(lr=lr, lr_decay=lr_decay, lr_num_decay=lr_num_decay)
        if not 0 <= momentum < 1:
            raise ValueError(f"momentum: expected at least 0 and below 1, got {momentum}")
        if not 1 <= overshoot <= 2:
            raise ValueError(f"overshoot: expected from 1 to 2, got {overshoot}")
        self.overshoot, self.steps, self.lr, self.lr_decay = overshoot, steps, lr, lr_decay
        self.lr_num_decay, self.momentum, self.tensorboard = lr_num_decay, momentum, tensorboard
        self.binary_search_steps = binary_search_steps

    def default_start(self):
        return LinearSearchBlendedUniformNoiseAttack()

    def walk(self, judge, x, adv, rows):
        at, least = self._to_boundary(judge, x, adv, rows), self.distance(x, adv)
        radius, normal = self.lr * x[0].numel() * (judge.high - judge.low), None
        every = max(1, int(self.steps / self.lr_num_decay))
        for step in range(1, self.steps + 1):
            margin, gradient = _margin(judge, at, rows)
            size = self.distance(x, at)
            better = (margin < 0) & (size < least)
            adv = torch.where(by_sample(better, x), at, adv)
            least = torch.where(better, size, least)
            normal = gradient if step == 1 else torch.lerp(gradient, normal, self.momentum)
            if (step + 1) % every == 0:
                radius *= self.lr_decay
            at = self._step(judge, x, at, normal, margin, radius)
        return adv

    def _step(self, judge, x, at, normal, margin, radius):
        """By the overshoot past the boundary from the wrong side, short of it from the other."""
        change = -torch.where(margin > 0, self.overshoot, 2 - self.overshoot) * margin
        here, image = at.flatten(1).double(), x.flatten(1).double()
        problem = trust_region.Problem(
            v=image - here,
            b=normal.flatten(1).double(),
            c=change.double()[:, None],
            r=here.new_full((len(here), 1), radius),
            lower=judge.low - here,
            upper=judge.high - here,
        )
        step = trust_region.solve(problem, self.nearest)
        there = torch.where(step == problem.v, image, here + step)
        return judge.clip(there.to(x).reshape(x.shape))

    def _to_boundary(self, judge, x, adv, rows):
        low, high = x.new_zeros(len(x)), x.new_ones(len(x))
        width = judge.high - judge.low
        for _ in range(self.binary_search_steps):
            middle = (low + high) / 2
            hit = judge.adversarial(self.between(x, adv, by_sample(middle, x), width), rows)
            low, high = torch.where(hit, low, middle), torch.where(hit, middle, high)
        return self.between(x, adv, by_sample(high, x), width)


def _margin(judge, x, rows):
    """(l, its gradient): l = z_y - max_{j != y} z_j, for targets its negative, plus what rounding
    may change in a batch of another size: l < 0 is adversarial in any."""
    at, labels = x.detach().requires_grad_(True), judge.classes[rows][:, None]
    with torch.enable_grad():
        logits = judge.model.logits(at)
        others = logits.scatter(1, labels, -torch.inf).amax(1)
        margin = logits.gather(1, labels)[:, 0] - others
        margin = -margin if judge.targeted else margin
    gradient = torch.autograd.grad(margin.sum(), at)[0]
    rounding = 8 * torch.finfo(x.dtype).eps * logits.detach().abs().amax(1)
    return margin.detach() + rounding, gradient


class L2BrendelBethgeAttack(_BrendelBethge):
    distance = l2
    nearest = staticmethod(trust_region.l2)

    def between(self, x, adv, share, width):
        return share * adv + (1 - share) * x


class LinfinityBrendelBethgeAttack(_BrendelBethge):
    distance = linf
    nearest = staticmethod(trust_region.linf)

    def between(self, x, adv, share, width):
        return torch.minimum(torch.maximum(adv, x - share * width), x + share * width)


class L1BrendelBethgeAttack(_BrendelBethge):
    """Between image and start: each entry's change less one threshold."""

    distance = l1
    nearest = staticmethod(trust_region.l1)

    def between(self, x, adv, share, width):
        way = adv - x
        return x + way.sign() * (way.abs() - width * (1 - share)).clamp(min=0)


class L0BrendelBethgeAttack(_BrendelBethge):
    """The number of changed entries; between image and start: those that change by no more than a
    threshold, strictly less in the library. Steps change few entries, not always the fewest: after
    them, and unlike in the library, entries that are not needed go back, in `steps` tries."""

    distance = L0FMNAttack.distance  # cuts to the largest entries
    nearest = staticmethod(trust_region.l0)

    def between(self, x, adv, share, width):
        return torch.where((adv - x).abs() <= share * width, adv, x)

    def walk(self, judge, x, adv, rows):
        adv = super().walk(judge, x, adv, rows)
        change = (adv - x).flatten(1)
        helps = -_margin(judge, adv, rows)[1].flatten(1) * change
        rank = torch.where(change == 0, torch.inf, helps).argsort(dim=1).argsort(dim=1)
        rank, changed = rank.reshape(x.shape), (change != 0).sum(1)
        first, count = torch.zeros_like(changed), torch.ones_like(changed)
        for _ in range(self.steps):
            if bool((first >= changed).all()):
                break
            back = (rank >= by_sample(first, x)) & (rank < by_sample(first + count, x))
            tried = torch.where(back, x, adv)
            hit = _margin(judge, tried, rows)[0] < 0
            adv = torch.where(by_sample(hit, x), tried, adv)
            first = first + torch.where(hit, count, (count == 1).long())
            count = torch.where(hit, 2 * count, (count // 2).clamp(min=1))
        return adv
