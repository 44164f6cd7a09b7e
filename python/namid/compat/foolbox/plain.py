# SPDX-License-Identifier: Apache-2.0
"""foolbox's interface: the calling conventions of attacks that this package computes itself. Draws
come from torch's generator in the library's order, so that torch.manual_seed gives its results."""

import torch

from namid._scope import frozen_eval
from namid.compat._shared import by_sample, refuse
from namid.compat.foolbox.base import Attack, criterion_of, images_of, listed, no_more
from namid.compat.foolbox.distances import l2
from namid.compat.foolbox.models import like, raw


class Judge:
    """What a call is about: the model without gradients, its bounds, when an image is done, and the
    starting points, if any."""

    def __init__(self, model, criterion, starts=None):
        self.model, self.criterion, self.starts = model, criterion, starts
        self.classes, self.targeted = criterion_of(criterion)
        self.low, self.high = model.bounds

    def logits(self, x):
        with torch.no_grad():
            return self.model.logits(x)

    def adversarial(self, x, rows=slice(None)):
        """rows: those of the call that x is about."""
        return (self.logits(x).argmax(1) != self.classes[rows]) ^ self.targeted

    def clip(self, x):
        return x.clamp(self.low, self.high)


def starts_of(judge, x, init_attack):
    """The starting points given, else what init_attack finds, else None."""
    if judge.starts is not None or init_attack is None:
        return judge.starts
    return raw(init_attack.run(judge.model, x, judge.criterion))


class Plain(Attack):
    """`distance` measures; `found(judge, x, epsilons)` gives one raw batch per epsilon."""

    distance = l2
    takes_targets = True
    takes_starting_points = False

    def __call__(self, model, inputs, criterion, *, epsilons, **kwargs):
        """(raw, clipped, success); lists for a list of epsilons. clipped: raw moved into the ball of
        each epsilon, where success is judged."""
        every, several = listed(epsilons)
        x, judge = self._case(model, inputs, criterion, **kwargs)
        distance = self.distance
        with frozen_eval(model.module):
            raws = self.found(judge, x, every)
            clipped = [
                found if epsilon is None else distance.clip_perturbation(x, found, float(epsilon))
                for found, epsilon in zip(raws, every)
            ]
            success = torch.stack([judge.adversarial(adv) for adv in clipped])
        raws, clipped = ([like(adv, inputs) for adv in advs] for advs in (raws, clipped))
        if not several:
            return raws[0], clipped[0], like(success[0], inputs)
        return raws, clipped, like(success, inputs)

    def _case(self, model, inputs, criterion, starting_points=None, **kwargs):
        """(images, judge) of a call, its arguments checked."""
        if starting_points is not None and not self.takes_starting_points:
            kwargs["starting_points"] = starting_points
        no_more(kwargs)
        x, starts = images_of(model, inputs), None
        if starting_points is not None:
            starts = images_of(model, starting_points)
            if starts.shape != x.shape:
                raise ValueError(
                    f"starting_points: expected the inputs' shape {tuple(x.shape)}, got "
                    f"{tuple(starts.shape)}"
                )
        judge = Judge(model, criterion, starts)
        if judge.targeted and not self.takes_targets:
            raise ValueError(f"unsupported criterion: {type(self).__name__} is not targeted")
        return x, judge

    def _raw(self, model, inputs, criterion, epsilon, kwargs):
        x, judge = self._case(model, inputs, criterion, **kwargs)
        with frozen_eval(model.module):
            return like(self.found(judge, x, [epsilon])[0], inputs)

    def repeat(self, times):
        return PlainRepeated(self, times)

    def __repr__(self):
        options = ", ".join(f"{key.strip('_')}={value}" for key, value in vars(self).items())
        return f"{type(self).__name__}({options})"


class FixedEpsilon(Plain):
    """`perturb(judge, x, epsilon)`: one run for each epsilon."""

    def found(self, judge, x, epsilons):
        if any(epsilon is None for epsilon in epsilons):
            raise NotImplementedError(
                f"foolbox.attacks.{type(self).__name__}: epsilon None: this attack does not look for "
                "the smallest one"
            )
        return [self.perturb(judge, x, float(epsilon)) for epsilon in epsilons]

    def run(self, model, inputs, criterion, *, epsilon, **kwargs):
        """The raw images alone."""
        return self._raw(model, inputs, criterion, epsilon, kwargs)


class Smallest(Plain):
    """`search(judge, x)`: one search for the smallest perturbation serves every epsilon."""

    def found(self, judge, x, epsilons):
        found = self.search(judge, x)
        return [found] * len(epsilons)

    def run(self, model, inputs, criterion, *, early_stop=None, **kwargs):
        """The raw images alone, of whatever distance; namid stops no search early."""
        return self._raw(model, inputs, criterion, None, kwargs)


class OfAnyDistance(Smallest):
    def __init__(self, *, distance=None):
        self._distance = distance

    @property
    def distance(self):
        if self._distance is None:
            raise ValueError("unknown distance, please pass `distance` to the attack initializer")
        return self._distance


class PlainRepeated(Plain):
    """The best of several runs: the first that succeeds; of epsilon None the nearest."""

    def __init__(self, attack, times):
        if times < 1:
            raise ValueError(f"expected times >= 1, got {times}")
        self.attack, self.times = attack, times

    @property
    def distance(self):
        return self.attack.distance

    @property
    def takes_targets(self):
        return self.attack.takes_targets

    @property
    def takes_starting_points(self):
        return self.attack.takes_starting_points

    def found(self, judge, x, epsilons):
        best = self.attack.found(judge, x, epsilons)
        for _ in range(self.times - 1):
            again = self.attack.found(judge, x, epsilons)
            best = [self._better(judge, x, *each) for each in zip(best, again, epsilons)]
        return best

    def _better(self, judge, x, kept, other, epsilon):
        if epsilon is None:
            nearer = self.distance(x, other) < self.distance(x, kept)
            take = judge.adversarial(other) & (nearer | ~judge.adversarial(kept))
        else:
            kept_in, other_in = (
                self.distance.clip_perturbation(x, adv, float(epsilon)) for adv in (kept, other)
            )
            take = judge.adversarial(other_in) & ~judge.adversarial(kept_in)
        return torch.where(by_sample(take, x), other, kept)

    def repeat(self, times):
        return PlainRepeated(self.attack, self.times * times)


def channel_axis_of(given, x, attack):
    """The library asks models for it, whose PyTorch models are channels first."""
    if given is None:
        return 1
    refuse(given % x.dim() != 1, f"foolbox.attacks.{attack}: channel_axis={given}")
    return 1
