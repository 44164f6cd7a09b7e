# SPDX-License-Identifier: Apache-2.0
"""torchattacks' interface: patch-wise sign steps, amplified ones whose overflow goes to
neighbours."""

import torch
from torch.nn import functional

from namid.compat._shared import at_least
from namid.compat._torchattack_diverse import filtered, gaussian_row
from namid.compat._torchattack_plain import Plain


class PIFGSM(Plain):
    """Amplified sign steps; what of them leaves the ball is spread over the 8 neighbours. momentum
    and prob do nothing, as in the library; any number of channels."""

    supported_mode = ("default",)
    project_factor = 1.0
    spreads_again = True  # what was spread counts as a step

    def __init__(
        self,
        model,
        max_epsilon=16 / 255,
        num_iter_set=10,
        momentum=1.0,
        amplification=10.0,
        prob=0.7,
    ):
        super().__init__(type(self).__name__, model)
        at_least(self.attack, 0, max_epsilon=max_epsilon, num_iter_set=num_iter_set)
        self.max_epsilon, self.num_iter_set = max_epsilon, num_iter_set
        self.momentum, self.amplification, self.prob = momentum, amplification, prob

    def smoothed(self, gradient):
        return gradient

    def climb(self, images, labels, targets):
        self.need_pixels(images)
        channels, eps = images.shape[1], self.max_epsilon
        step = eps / max(self.num_iter_set, 1) * self.amplification
        spread = torch.full((channels, 1, 3, 3), 1 / 8).to(images)
        spread[:, :, 1, 1] = 0
        low, high = (images - eps).clamp(min=0), (images + eps).clamp(max=1)
        adv, total = images.clone(), torch.zeros_like(images)
        for _ in range(self.num_iter_set):
            move = step * self.smoothed(self.gradient(adv, labels, targets)).sign()
            total = total + move
            beyond = (total.abs() - eps).clamp(0, 10000.0) * total.sign()
            push = functional.conv2d(beyond, spread, padding=1, groups=channels).sign()
            push = step * self.project_factor * push
            if self.spreads_again:
                total = total + push
            adv = (adv + move + push).clamp(low, high)
        return adv


class PIFGSMPP(PIFGSM):
    """Gao et al. 2020 (arXiv:2012.15503): gradients are smoothed by a Gaussian of 3 x 3 and
    spreading is weighted by project_factor. Unlike the library: the Gaussian is one in both
    directions (flat along rows there), and targets are those of the mode (the labels there)."""

    supported_mode = ("default", "targeted")
    spreads_again = False

    def __init__(
        self,
        model,
        max_epsilon=16 / 255,
        num_iter_set=10,
        momentum=1.0,
        amplification=10.0,
        prob=0.7,
        project_factor=0.8,
    ):
        super().__init__(model, max_epsilon, num_iter_set, momentum, amplification, prob)
        self.project_factor = project_factor

    def smoothed(self, gradient):
        return filtered(gradient, gaussian_row(3, 3))
