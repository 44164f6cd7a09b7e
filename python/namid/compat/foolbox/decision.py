# SPDX-License-Identifier: Apache-2.0
"""foolbox's interface: attacks that see the model's decisions alone. Draws come from torch's
generator in the library's order."""

import math

import torch

from namid.compat._shared import at_least, by_sample
from namid.compat.foolbox.distances import l2, linf
from namid.compat.foolbox.start import FromStart, above_zero

_AT_ONCE = 2**22  # entries of the images whose decisions are asked for together
_HALVINGS = 60  # of a step, after which nothing is left of it


class BoundaryAttack(FromStart):
    """Boundary attack (Brendel et al. 2018, arXiv:1712.04248): a random step at the same distance,
    then one towards the image, kept if still adversarial; the lengths follow the success rates.
    A row that has converged asks no more; in the library it waits for all, and may start again."""

    distance = l2

    def __init__(self, init_attack=None, steps=25000, spherical_step=1e-2, source_step=1e-2,
                 source_step_convergance=1e-7, step_adaptation=1.5, tensorboard=False,
                 update_stats_every_k=10):  # fmt: skip
        self.accept(init_attack, tensorboard)
        at_least(type(self).__name__, 0, steps=steps)
        at_least(type(self).__name__, 1, update_stats_every_k=update_stats_every_k,
                 step_adaptation=step_adaptation)  # fmt: skip
        above_zero(spherical_step=spherical_step, source_step=source_step)
        self.steps, self.spherical_step, self.source_step = steps, spherical_step, source_step
        self.source_step_convergance = source_step_convergance
        self.step_adaptation, self.tensorboard = step_adaptation, tensorboard
        self.update_stats_every_k = update_stats_every_k

    def walk(self, judge, x, adv, rows):
        found, places = adv.clone(), torch.arange(len(x), device=x.device)
        lengths = torch.tensor([self.spherical_step, self.source_step]).to(x).repeat(len(x), 1)
        rates = _Rates(100, x), _Rates(30, x)  # of the random step, and of both steps
        for step in range(1, self.steps + 1):
            going = lengths[:, 1] >= self.source_step_convergance
            if not bool(going.all()):
                if not bool(going.any()):
                    break
                x, adv, rows, places = x[going], adv[going], rows[going], places[going]
                lengths = lengths[going]
                for rate in rates:
                    rate.keep(going)
            turned, moved = _proposals(judge, x, adv, lengths)
            hit = judge.adversarial(moved, rows)
            nearer = hit & (_size(x - moved) < _size(x - adv))
            adv = torch.where(by_sample(nearer, x), moved, adv)
            found[places] = adv
            if step % self.update_stats_every_k == 0:
                both = rates[0].add(judge.adversarial(turned, rows)).turn(0.5, 0.2)
                source = rates[1].add(hit).turn(0.25, 0.1)
                source = torch.stack([torch.zeros_like(source), source], 1)
                lengths = self._adapted(self._adapted(lengths, both[:, None]), source)
        return found

    def _adapted(self, lengths, turn):
        longer, shorter = lengths * self.step_adaptation, lengths / self.step_adaptation
        return torch.where(turn > 0, longer, torch.where(turn < 0, shorter, lengths))


class _Rates:
    """Shares of successes among each row's last `count` checks, once there are as many."""

    def __init__(self, count, x):
        self.hits = torch.zeros(count, len(x), dtype=torch.bool, device=x.device)
        self.seen = torch.zeros(len(x), dtype=torch.int64, device=x.device)
        self.at = 0

    def keep(self, going):
        self.hits, self.seen = self.hits[:, going], self.seen[going]

    def add(self, hit):
        self.hits[self.at] = hit
        self.at = (self.at + 1) % len(self.hits)
        self.seen += 1
        return self

    def turn(self, high, low):
        """1 above `high`, -1 below `low`, where counting starts anew; else 0."""
        share, full = self.hits.double().mean(0), self.seen >= len(self.hits)
        turn = (full & (share > high)).int() - (full & (share < low)).int()
        self.seen[turn != 0] = 0
        return turn


def _size(delta):
    return delta.flatten(1).square().sum(1).sqrt()


def _proposals(judge, x, adv, lengths):
    """(after the random step, after both). One Gaussian serves all rows."""
    shape, (x, adv) = x.shape, (x.flatten(1), adv.flatten(1))
    spherical, source = lengths[:, :1], lengths[:, 1:]
    way = x - adv
    size = _size(way)[:, None]
    unit = way / size
    draw = torch.randn(x.shape[1], 1, dtype=x.dtype, device=x.device)
    across = draw.T - (unit @ draw) * unit
    across = across * (spherical * size / _size(across)[:, None])
    turned = judge.clip(x + (across - way) / (spherical.square() + 1).sqrt())
    back = x - turned
    left = _size(back)[:, None]
    share = (source * size + left - size).clamp(min=0) / left
    moved = judge.clip(turned + share * back)
    return turned.reshape(shape), moved.reshape(shape)


class HopSkipJumpAttack(FromStart):
    """HopSkipJump (Chen et al. 2020, arXiv:1904.02144): from the boundary, a step along a gradient
    that decisions around it give, then back to the boundary by bisection.

    Each image's directions, gradients, steps and bisections are its own, so that results are the
    library's for a batch of one: there a batch shares their norms and the place on the grid.
    Images keep to the model's bounds, not to [0, 1]; the first reach is 0.1 of their width."""

    def __init__(self, init_attack=None, steps=64, initial_gradient_eval_steps=100,
                 max_gradient_eval_steps=10000, stepsize_search="geometric_progression", gamma=1.0,
                 tensorboard=False, constraint="l2"):  # fmt: skip
        self.accept(init_attack, tensorboard)
        at_least(type(self).__name__, 0, steps=steps)
        at_least(type(self).__name__, 1, initial_gradient_eval_steps=initial_gradient_eval_steps,
                 max_gradient_eval_steps=max_gradient_eval_steps)  # fmt: skip
        above_zero(gamma=gamma)
        if stepsize_search not in ("geometric_progression", "grid_search"):
            raise ValueError(
                "stepsize_search: expected 'geometric_progression' or 'grid_search', got "
                f"'{stepsize_search}'"
            )
        if constraint not in ("l2", "linf"):
            raise ValueError(f"constraint: expected 'l2' or 'linf', got '{constraint}'")
        self.steps, self.initial_num_evals = steps, initial_gradient_eval_steps
        self.max_num_evals, self.stepsize_search = max_gradient_eval_steps, stepsize_search
        self.gamma, self.tensorboard, self.constraint = gamma, tensorboard, constraint

    @property
    def distance(self):
        return l2 if self.constraint == "l2" else linf

    def walk(self, judge, x, adv, rows):
        adv = self._to_boundary(judge, x, adv, rows)
        move = self._halved if self.stepsize_search == "geometric_progression" else self._of_grid
        for step in range(self.steps):
            size = self.distance(x, adv)
            count = int(min(self.initial_num_evals * math.sqrt(step + 1), self.max_num_evals))
            way = self._gradient(judge, adv, rows, self._reach(judge, x, size, step), count)
            way = way.sign() if self.constraint == "linf" else way
            adv = move(judge, x, adv, rows, way, size, step)
        return adv

    def _reach(self, judge, x, size, step):
        """How far around the images decisions are asked for."""
        if step == 0:
            return torch.full_like(size, 0.1 * (judge.high - judge.low))
        entries = x[0].numel()
        return size * self.gamma / entries

    def _gradient(self, judge, adv, rows, reach, count):
        """Eq. (15): the mean of (phi_b - mean phi) u_b, of norm 1; phi_b = 1 where adv + reach u_b is
        adversarial, else -1."""
        signed, plain, total = torch.zeros_like(adv), torch.zeros_like(adv), 0
        reach = by_sample(reach, adv)
        step = max(_AT_ONCE // adv.numel() // 16, 1) * 16  # torch fills by 16: as one draw would
        for begin in range(0, count, step):
            part = min(step, count - begin)
            points = judge.clip(adv + reach * self._directions(adv, part))
            hit = judge.adversarial(points.flatten(0, 1), rows.repeat(part)).reshape(part, -1)
            phi = 2 * hit.to(adv.dtype) - 1
            moved = (points - adv) / (reach + 1e-8)
            signed += (phi.reshape(part, -1, *[1] * (adv.dim() - 1)) * moved).sum(0)
            plain += moved.sum(0)
            total = total + phi.sum(0)
        mean = total / count
        mean = by_sample(torch.where(mean.abs() == 1, 0, mean), adv)
        gradient = (signed - mean * plain) / count
        return gradient / (by_sample(_size(gradient), adv) + 1e-12)

    def _directions(self, adv, count):
        shape, options = (count, *adv.shape), {"dtype": adv.dtype, "device": adv.device}
        if self.constraint == "l2":
            draw = torch.randn(shape, **options)
        else:
            draw = torch.rand(shape, **options) * 2 - 1
        size = draw.flatten(2).square().sum(2).sqrt()
        return draw / (size.reshape(*shape[:2], *[1] * (adv.dim() - 1)) + 1e-12)

    def _halved(self, judge, x, adv, rows, way, size, step):
        """The first of size / sqrt(step + 1), half of it, ... that stays adversarial."""
        length, moved = size / math.sqrt(step + 1), adv.clone()
        left = torch.arange(len(x), device=x.device)
        for _ in range(_HALVINGS):
            tried = judge.clip(adv[left] + by_sample(length[left], x) * way[left])
            hit = judge.adversarial(tried, rows[left])
            moved[left[hit]] = tried[hit]
            left = left[~hit]
            if not len(left):
                break
            length[left] /= 2
        return self._to_boundary(judge, x, moved, rows)

    def _of_grid(self, judge, x, adv, rows, way, size, step):
        """The nearest of 20 lengths up to the distance, each brought back to the boundary; adv
        itself stands for those that are not adversarial."""
        shares = torch.logspace(-4, 0, 20).to(x)
        length = (shares[:, None] * size).flatten()
        every, back, rows = (each.repeat(len(shares), *[1] * (each.dim() - 1))
                             for each in (x, adv, rows))  # fmt: skip
        moved = judge.clip(
            back + by_sample(length, x) * way.repeat(len(shares), *[1] * (x.dim() - 1))
        )
        hit = judge.adversarial(moved, rows)
        back[hit] = self._to_boundary(judge, every[hit], moved[hit], rows[hit])
        best = self.distance(every, back).reshape(len(shares), -1).argmin(0)
        return back[best * len(x) + torch.arange(len(x), device=x.device)]

    def _to_boundary(self, judge, x, adv, rows):
        """Bisects, row by row, between the image and adv; the adversarial end of what is left."""
        entries = x[0].numel()
        if self.constraint == "linf":
            high = linf(x, adv)
            least = high * self.gamma / entries**2
        else:
            high = x.new_ones(len(x))
            least = high * self.gamma / entries**1.5
        low = torch.zeros_like(high)
        going = (high > least).nonzero()[:, 0]
        while len(going):
            middle = (low[going] + high[going]) / 2
            hit = judge.adversarial(self._between(x[going], adv[going], middle), rows[going])
            stuck = (middle == low[going]) | (middle == high[going])
            high[going] = torch.where(hit, middle, high[going])
            low[going] = torch.where(hit, low[going], middle)
            going = going[(high[going] - low[going] > least[going]) & ~stuck]
        return judge.clip(self._between(x, adv, high))

    def _between(self, x, adv, share):
        share = by_sample(share, x)
        if self.constraint == "linf":
            return torch.minimum(torch.maximum(adv, x - share), x + share)
        return (1 - share) * x + share * adv
