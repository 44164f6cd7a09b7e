# SPDX-License-Identifier: Apache-2.0
"""torchattacks' interface: few entries moved far, along gradients."""

import math

import torch

from namid.compat._shared import UNBOUNDED, at_least, by_sample
from namid.compat._torchattack_plain import Plain


class JSMA(Plain):
    """Papernot et al. 2016 (arXiv:1511.07528): theta on the two entries of largest saliency, up to
    the share gamma of all, until the target wins. Without a target it is the class after the label,
    of all classes (of 10 in the library). Where no pair is salient the image is left; the library
    moves its first entry then, and always for negative theta."""

    supported_mode = ("default", "targeted")

    def __init__(self, model, theta=1.0, gamma=0.1):
        super().__init__("JSMA", model)
        if theta == 0:
            raise ValueError("JSMA: theta: expected a number other than 0")
        if not 0 <= gamma <= 1:
            raise ValueError(f"JSMA: gamma: expected a share from 0 to 1, got {gamma}")
        self.theta, self.gamma = theta, gamma

    def climb(self, images, labels, targets):
        logits = self.logits(images)
        targets = (labels + 1) % logits.shape[1] if targets is None else targets
        adv = images.clone(memory_format=torch.contiguous_format)
        free = (images < 0.99 if self.theta > 0 else images > 0.01).flatten(1)
        rows = (logits.argmax(1) != targets).nonzero()[:, 0]
        for _ in range(math.ceil(free.shape[1] * self.gamma / 2)):
            if len(rows) == 0:
                break
            slopes = self._slopes(adv[rows], targets[rows])
            pairs = [_most_salient(*each, self.theta) for each in zip(*slopes, free[rows])]
            going = torch.tensor([pair is not None for pair in pairs], device=rows.device)
            rows, pairs = rows[going], [pair for pair in pairs if pair is not None]
            for row, pair in zip(rows.tolist(), pairs):
                adv[row].view(-1)[pair] += self.theta
                free[row, pair] = False
            adv.clamp_(0, 1)
            rows = rows[self.logits(adv[rows]).argmax(1) != targets[rows]]
        return adv

    def _slopes(self, images, targets):
        """Gradients of the target's logit and of the sum of the others, (N, entries) each."""
        at = images.requires_grad_(True)
        with torch.enable_grad():
            logits = self.model01(at)
            own = logits.gather(1, targets[:, None]).sum()
        own_slope = torch.autograd.grad(own, at, retain_graph=True)[0]
        slope = torch.autograd.grad(logits.sum(), at)[0]
        return own_slope.flatten(1), (slope - own_slope).flatten(1)


def _most_salient(own, others, free, theta):
    """The two free entries p, q of largest (a_p + a_q) |b_p + b_q| among those with a_p + a_q > 0
    and b_p + b_q < 0, a the target's slopes and b the others' (both signs turned for theta < 0); or
    None. Growth in both sums allows for a search of few: of an entry that two others beat in a and
    -b one can take the place, so that the two outer layers of points hold a best pair."""
    sign = 1 if theta > 0 else -1
    index = free.nonzero()[:, 0]
    gain, loss = sign * own[index], -sign * others[index]
    order = torch.argsort(loss, descending=True, stable=True)
    order = order[torch.argsort(gain[order], descending=True, stable=True)]
    outer = _outer_layer(loss[order])
    second = order[~outer]
    layers = torch.cat([order[outer], second[_outer_layer(loss[second])]]).sort().values
    index, gain, loss = index[layers], gain[layers], loss[layers]
    raised, lowered = gain[:, None] + gain, loss[:, None] + loss
    salient = (raised > 0) & (lowered > 0)
    salient.fill_diagonal_(False)
    if not bool(salient.any()):
        return None
    best = int(torch.where(salient, raised * lowered, 0).argmax())
    return index[[best // len(index), best % len(index)]]


def _outer_layer(values):
    """Which are larger than all before them."""
    before = torch.cat([values.new_full((1,), -math.inf), values.cummax(0).values[:-1]])
    return values > before[: len(values)]


class SparseFool(Plain):
    """Modas et al. 2019 (arXiv:1811.02248): the boundary is linearised beyond DeepFool's image, lam
    times as far, and crossed by as few entries as the box allows, steepest first. Where the image
    is already past that plane DeepFool's image is taken; the library then drives every entry to the
    end of the box, and gives NaN where the boundary is flat."""

    supported_mode = ("default",)

    def __init__(self, model, steps=10, lam=3, overshoot=0.02):
        super().__init__("SparseFool", model)
        at_least("SparseFool", 0, steps=steps, lam=lam, overshoot=overshoot)
        self.steps, self.lam, self.overshoot = steps, lam, overshoot

    def climb(self, images, labels, targets):
        adv = images.clone()
        for _ in range(self.steps):
            rows = (self.logits(adv).argmax(1) == labels).nonzero()[:, 0]
            if len(rows) == 0:
                break
            x, y = images[rows], labels[rows]
            nearest = self._deepfool(adv[rows], y)
            beyond = x + self.lam * (nearest - x)
            crossed, possible = cross_plane(x, self._normal(beyond, nearest, y), beyond)
            crossed = (x + (1 + self.overshoot) * (crossed - x)).clamp(0, 1)
            adv[rows] = torch.where(by_sample(possible, x), crossed, nearest)
        return adv

    def _deepfool(self, images, labels):
        search = {"steps": 50, "overshoot": 0.02, "compat": "torchattacks", "epsilon": UNBOUNDED}
        return self.run("deepfool", images, labels, False, seed=0, **search)

    def _normal(self, beyond, nearest, labels):
        """The direction in which the class beyond the boundary gains most on the label."""
        rivals, reached = self.logits(beyond).argmax(1), self.logits(nearest)
        others = reached.scatter(1, labels[:, None], -math.inf).argmax(1)
        rivals = torch.where(rivals == labels, others, rivals)
        at = beyond.clone().requires_grad_(True)
        with torch.enable_grad():
            logits = self.model01(at)
            gap = logits.gather(1, rivals[:, None]) - logits.gather(1, labels[:, None])
        gradient = torch.autograd.grad(gap.sum(), at)[0]
        size = gradient.flatten(1).norm(dim=1).clamp(min=torch.finfo(at.dtype).tiny)
        return gradient / by_sample(size, gradient)


def cross_plane(x, normal, point):
    """Algorithm 1: (images, which could), x with the entries of largest |normal| moved, each to the
    end of the box but the last, until 0.001 beyond the plane through `point`. Not where x is
    beyond."""
    flat, steep = x.flatten(1), normal.flatten(1)
    gap = (steep * (flat - point.flatten(1))).sum(1, keepdim=True)
    size, order = steep.abs().sort(dim=1, descending=True, stable=True)
    start, sign = flat.gather(1, order), steep.gather(1, order).sign()
    room = torch.where(sign > 0, 1 - start, start)
    after = gap + (size * room).cumsum(1)
    before = after - size * room
    wanted = ((before.abs() + 0.001) / size.clamp(min=torch.finfo(x.dtype).tiny)).clamp(min=1e-4)
    moves = torch.where(after < 0, room, torch.minimum(wanted, room))
    reached = (after >= 0).cumsum(1)  # 1 at the entry that crosses, more after it
    moved = start + sign * torch.where(reached <= 1, moves, 0)
    return flat.scatter(1, order, moved).view_as(x), gap[:, 0] < 0
