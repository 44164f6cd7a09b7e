# SPDX-License-Identifier: Apache-2.0
"""foolbox's interface: what attacks share that begin at adversarial images."""

import torch

from namid.compat._shared import refuse
from namid.compat.foolbox.nearest import Nearest
from namid.compat.foolbox.noise import LinearSearchBlendedUniformNoiseAttack
from namid.compat.foolbox.plain import Smallest, by_sample, starts_of


def above_zero(**options):
    for name, value in options.items():
        if not value > 0:
            raise ValueError(f"{name}: expected above 0, got {value}")


class FromStart(Smallest):
    """`walk(judge, x, adv, rows)` leads adversarial images `adv` nearer to x; they are rows `rows`
    of the call. It starts at starting_points or at what init_attack finds. An image that is
    adversarial as it is comes back so, and one that its start does not break as that start, where
    the library stops for all."""

    takes_starting_points = True

    def accept(self, init_attack, tensorboard):
        name = f"foolbox.attacks.{type(self).__name__}"
        refuse(tensorboard is not False, f"{name}: tensorboard={tensorboard}")
        if init_attack is not None and not isinstance(init_attack, (Smallest, Nearest)):
            raise NotImplementedError(
                f"{name}: init_attack: expected an attack that looks for the smallest perturbation, "
                f"got {type(init_attack).__name__}"
            )
        self.init_attack = init_attack

    def default_start(self):
        return LinearSearchBlendedUniformNoiseAttack(steps=50)

    def search(self, judge, x):
        start = starts_of(judge, x, self.init_attack or self.default_start())
        done = judge.adversarial(x)
        adv = torch.where(by_sample(done, x), x, start)
        rows = (judge.adversarial(start) & ~done).nonzero()[:, 0]
        if len(rows):
            adv[rows] = self.walk(judge, x[rows], adv[rows], rows)
        return adv
