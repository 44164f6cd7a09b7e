# SPDX-License-Identifier: Apache-2.0
"""foolbox's interface: attacks that look for the nearest adversarial image. One search serves every
epsilon, and epsilon None asks for what it found."""

import torch

from namid import attacks
from namid._scope import frozen_eval
from namid.compat._shared import UNBOUNDED, fresh_seed, refuse
from namid.compat.foolbox.base import Attack, criterion_of, images_of, listed, no_more
from namid.compat.foolbox.distances import l2, linf
from namid.compat.foolbox.models import like


_ALL = 2**31 - 1  # more candidates than there are classes
_DISTANCES = {"l2": l2, "linf": linf}


class Nearest(Attack):
    """`search(scale)` gives the name and the options of namid's attack, in units of [0, 1]."""

    norm = "l2"
    takes_targets = True

    def __call__(self, model, inputs, criterion, *, epsilons, **kwargs):
        """(raw, clipped, success); lists for a list of epsilons. raw: what the search found, the
        same for all; clipped: moved into the ball of each epsilon, where success is judged."""
        no_more(kwargs)
        every, several = listed(epsilons)
        x, (y, targeted) = images_of(model, inputs), criterion_of(criterion)
        found = self._search(model, x, y, targeted)
        clipped, success = [], []
        for epsilon in every:
            adv = found
            if epsilon is not None:
                adv = _DISTANCES[self.norm].clip_perturbation(x, found, float(epsilon))
            with frozen_eval(model.module), torch.no_grad():
                wrong = model.logits(adv).argmax(1) != y
            clipped.append(like(adv, inputs))
            success.append(wrong ^ targeted)
        if not several:
            return like(found, inputs), clipped[0], like(success[0], inputs)
        raws = [like(found, inputs) for _ in clipped]
        return raws, clipped, like(torch.stack(success), inputs)

    def run(self, model, inputs, criterion, *, early_stop=None, **kwargs):
        """The raw images alone; namid stops no search early."""
        no_more(kwargs)
        return like(self._search(model, images_of(model, inputs), *criterion_of(criterion)), inputs)

    def _search(self, model, x, y, targeted):
        if targeted and not self.takes_targets:
            raise ValueError(f"unsupported criterion: {type(self).__name__} is not targeted")
        low, high = model.bounds
        scale = high - low
        name, options = self.search(scale)
        if targeted:
            options["targeted"] = True
        epsilon = 1.0 if self.norm == "linf" else UNBOUNDED
        with frozen_eval(model.module):
            adv = attacks.run(
                name, lambda images: model.logits(images * scale + low), (x - low) / scale, y,
                norm=self.norm, epsilon=epsilon, seed=fresh_seed(), **options
            ).adv  # fmt: skip
        return torch.where(adv == (x - low) / scale, x, adv * scale + low)

    def repeat(self, times):
        refuse(times != 1, f"foolbox.attacks.{type(self).__name__}.repeat({times})")
        return self


class DDNAttack(Nearest):
    def __init__(self, *, init_epsilon=1.0, steps=100, gamma=0.05):
        self.init_epsilon, self.steps, self.gamma = init_epsilon, steps, gamma

    def search(self, scale):
        start = self.init_epsilon / scale
        return "ddn", {"steps": self.steps, "gamma": self.gamma, "initial_norm": start}


class L2CarliniWagnerAttack(Nearest):
    """namid cuts no search short, whatever abort_early says."""

    def __init__(self, binary_search_steps=9, steps=10000, stepsize=0.01, confidence=0,
                 initial_const=0.001, abort_early=True):  # fmt: skip
        self.binary_search_steps, self.steps, self.stepsize = binary_search_steps, steps, stepsize
        self.confidence, self.initial_const = confidence, initial_const
        self.abort_early = abort_early

    def search(self, scale):
        const = self.initial_const / scale**2  # the weight of a squared distance in [0, 1]
        return "cw", {"searches": self.binary_search_steps, "steps": self.steps,
                      "step_size": self.stepsize, "kappa": self.confidence,
                      "initial_const": const}  # fmt: skip


class _DeepFool(Nearest):
    """Both losses are one: differences of cross-entropies are differences of logits."""

    takes_targets = False

    def __init__(self, *, steps=50, candidates=10, overshoot=0.02, loss="logits"):
        if loss not in ("logits", "crossentropy"):
            raise ValueError(f"loss: expected 'logits' or 'crossentropy', got '{loss}'")
        if candidates is not None and candidates < 2:
            raise ValueError(f"candidates: expected None or at least 2, got {candidates}")
        self.steps, self.candidates = steps, candidates
        self.overshoot, self.loss = overshoot, loss

    def search(self, scale):
        others = _ALL if self.candidates is None else self.candidates - 1  # its own class counts
        return "deepfool", {"steps": self.steps, "overshoot": self.overshoot,
                            "candidates": others, "compat": "foolbox"}  # fmt: skip


class L2DeepFoolAttack(_DeepFool):
    norm = "l2"


class LinfDeepFoolAttack(_DeepFool):
    norm = "linf"
