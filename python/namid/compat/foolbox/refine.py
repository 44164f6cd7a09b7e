# SPDX-License-Identifier: Apache-2.0
"""foolbox's interface: what brings adversarial images of a binarising model nearer."""

import numpy as np
import torch

from namid.compat.foolbox.plain import OfAnyDistance


class BinarizationRefinementAttack(OfAnyDistance):
    """Of a model that sees only on which side of the threshold an entry lies: entries on the
    image's own side go back to the image, others to the first value across. threshold None: the
    middle of the bounds; included_in: the side that the threshold itself belongs to."""

    takes_starting_points = True

    def __init__(self, *, distance=None, threshold=None, included_in="upper"):
        super().__init__(distance=distance)
        if included_in not in ("lower", "upper"):
            raise ValueError(f"included_in: expected 'lower' or 'upper', got '{included_in}'")
        self.threshold, self.included_in = threshold, included_in

    def search(self, judge, x):
        if judge.starts is None:
            raise ValueError(f"{type(self).__name__} requires starting_points")
        if judge.starts.dtype != x.dtype:
            raise ValueError(
                f"starting_points: expected the inputs' {x.dtype}, got {judge.starts.dtype}"
            )
        lower, upper = self._sides(judge, x)
        below = judge.starts <= lower
        across = torch.where(below, lower, upper).to(x.dtype)
        refined = torch.where((x <= lower) == below, x, across)
        if bool((judge.adversarial(judge.starts) != judge.adversarial(refined)).any()):
            raise ValueError(
                "threshold: the model does not binarise there: it tells the refined images from "
                "the starting points"
            )
        return refined

    def _sides(self, judge, x):
        """The highest value below and the lowest above, neighbours in the precision of x."""
        middle = (judge.low + judge.high) / 2 if self.threshold is None else self.threshold
        at = torch.tensor(middle, dtype=x.dtype).numpy()
        if self.included_in == "lower":
            return float(at), float(np.nextafter(at, at + at.dtype.type(1)))
        return float(np.nextafter(at, at - at.dtype.type(1))), float(at)
