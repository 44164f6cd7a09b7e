# SPDX-License-Identifier: Apache-2.0
"""foolbox's interface: adversarial images brought back to the image entry by entry."""

import numpy as np
import torch

from namid.compat.foolbox.distances import l2
from namid.compat.foolbox.noise import SaltAndPepperNoiseAttack
from namid.compat.foolbox.plain import Smallest, starts_of

_HALVINGS = 10


class PointwiseAttack(Smallest):
    """Sweeps over the entries that differ, in random orders: each goes back to the image if the
    class allows it, until a sweep changes nothing; then, with l2_binary_search, each goes as far
    back as 10 halvings find (Schott et al. 2018, arXiv:1805.09190). Starts at starting_points, at
    what init_attack finds or at salt and pepper noise; images that the start does not break come
    back as it is, where the library stops for all. Draws are NumPy's, and those of the start.

    The library gives it no distance, so that only `run` works there; here a call measures L2."""

    distance = l2
    takes_starting_points = True

    def __init__(self, init_attack=None, l2_binary_search=True):
        self.init_attack, self.l2_binary_search = init_attack, l2_binary_search

    def run(
        self, model, inputs, criterion=None, *, starting_points=None, early_stop=None, **kwargs
    ):
        """The raw images alone; namid stops no search early."""
        kwargs["starting_points"] = starting_points
        return super().run(model, inputs, criterion, **kwargs)

    def search(self, judge, x):
        start = starts_of(judge, x, self.init_attack or SaltAndPepperNoiseAttack())
        entries, adv = x.flatten(1), start.flatten(1).clone()
        broken = judge.adversarial(start)
        _settle(judge, entries, adv, broken, x.shape, 1e-8, 0)
        if self.l2_binary_search:
            _settle(judge, entries, adv, broken, x.shape, 1e-12, _HALVINGS)
        return adv.reshape(x.shape)


def _settle(judge, x, adv, moving, shape, least, halvings):
    """Sweeps until no row moves. A row at rest is left out of the later ones, but still draws."""
    while bool(moving.any()):
        differ = ((x - adv).abs() > least).cpu().numpy()
        orders = [np.random.permutation(np.flatnonzero(row)) for row in differ]
        moving = moving & _sweep(judge, x, adv, moving, orders, shape, halvings)


def _sweep(judge, x, adv, moving, orders, shape, halvings):
    """Tries each row's entries in its order, in place; which rows moved."""
    moved = torch.zeros_like(moving)
    left = [row for row in moving.nonzero().flatten().tolist() if len(orders[row])]
    for place in range(max((len(orders[row]) for row in left), default=0)):
        left = [row for row in left if len(orders[row]) > place]
        rows = torch.tensor(left, device=x.device)
        columns = torch.tensor([orders[row][place] for row in left], device=x.device)
        before = adv[rows, columns]
        _return(judge, x, adv, rows, columns, shape, halvings)
        moved[rows] |= adv[rows, columns] != before
    return moved


def _return(judge, x, adv, rows, columns, shape, halvings):
    """One entry of each row to the image's value, or to the last of `halvings` bisections towards
    it that keeps the row adversarial."""

    def fools(at, entries, values):
        adv[at, entries] = values
        return judge.adversarial(adv[at].reshape(-1, *shape[1:]), at)

    kept, wanted = adv[rows, columns], x[rows, columns]
    back = fools(rows, columns, wanted)
    rows, columns = rows[~back], columns[~back]
    kept, wanted = kept[~back], wanted[~back]
    for _ in range(halvings if len(rows) else 0):
        middle = (kept + wanted) / 2
        hit = fools(rows, columns, middle)
        kept, wanted = torch.where(hit, middle, kept), torch.where(hit, wanted, middle)
    adv[rows, columns] = kept
