# SPDX-License-Identifier: Apache-2.0
"""torchattacks' interface: momentum on gradients of images resized at random. Draws come from
torch's generator in the library's order."""

import torch
from torch.nn import functional

from namid.compat._shared import at_least
from namid.compat._torchattack_steps import Steps, of_mean_one


class DIFGSM(Steps):
    """Xie et al. 2019 (arXiv:1803.06978). Images of any shape keep theirs (the library makes them
    square), and where there is no smaller size they stay as they are (it fails)."""

    def __init__(
        self,
        model,
        eps=8 / 255,
        alpha=2 / 255,
        steps=10,
        decay=0.0,
        resize_rate=0.9,
        diversity_prob=0.5,
        random_start=False,
    ):
        super().__init__(type(self).__name__, model, eps, alpha, steps)
        at_least(self.attack, 0, eps=eps, steps=steps, diversity_prob=diversity_prob)
        if not resize_rate > 0:
            raise ValueError(f"{self.attack}: resize_rate: expected more than 0, got {resize_rate}")
        self.decay, self.resize_rate = decay, resize_rate
        self.diversity_prob, self.random_start = diversity_prob, random_start

    start = Steps.uniform_start

    def resized(self, images):
        """Padded to the larger of the two sizes after a random one between them; drawn in any
        case."""
        height, width = images.shape[-2:]
        small, large = sorted((width, max(1, int(width * self.resize_rate))))
        if small == large:
            return images
        inner = int(torch.randint(small, large, (1,), dtype=torch.int32))
        left_over = large - inner
        top, left = (int(torch.randint(0, left_over, (1,), dtype=torch.int32)) for _ in range(2))
        if torch.rand(1) >= self.diversity_prob:
            return images
        tall, outer = (max(1, side * height // width) for side in (inner, large))
        top = top * (outer - tall) // left_over
        rescaled = functional.interpolate(
            images, size=(tall, inner), mode="bilinear", align_corners=False
        )
        return functional.pad(rescaled, (left, left_over - left, top, outer - tall - top))

    def direction(self, images, labels, targets):
        self.need_pixels(images)
        momentum = torch.zeros_like(images)

        def cost(adv, labels, targets):
            return self.cross_entropy(self.resized(adv), labels, targets)

        def next_direction(adv):
            nonlocal momentum
            gradient = self.smoothed(self.gradient(adv, labels, targets, cost))
            momentum = of_mean_one(gradient) + momentum * self.decay
            return momentum

        return next_direction

    def smoothed(self, gradient):
        return gradient


class TIFGSM(DIFGSM):
    """Gradients smoothed by a kernel (Dong et al. 2019, arXiv:1904.02884) of images resized at
    random; any number of channels."""

    def __init__(
        self,
        model,
        eps=8 / 255,
        alpha=2 / 255,
        steps=10,
        decay=0.0,
        kernel_name="gaussian",
        len_kernel=15,
        nsig=3,
        resize_rate=0.9,
        diversity_prob=0.5,
        random_start=False,
    ):
        super().__init__(model, eps, alpha, steps, decay, resize_rate, diversity_prob, random_start)
        at_least("TIFGSM", 1, len_kernel=len_kernel)
        if kernel_name not in _KERNELS:
            known = ", ".join(_KERNELS)
            raise ValueError(f"TIFGSM: kernel_name: expected one of {known}, got {kernel_name}")
        self.kernel_name, self.len_kernel, self.nsig = kernel_name, len_kernel, nsig

    def smoothed(self, gradient):
        return filtered(gradient, _KERNELS[self.kernel_name](self.len_kernel, self.nsig))


def filtered(images, row):
    """Each channel with the outer square of `row`, whose sum is made 1."""
    channels = images.shape[1]
    kernel = (torch.outer(row, row) / row.sum() ** 2).to(images).expand(channels, 1, -1, -1)
    return functional.conv2d(images, kernel, padding="same", groups=channels)


def gaussian_row(length, reach):
    return torch.linspace(-reach, reach, length, dtype=torch.float64).square().div(-2).exp()


def _linear(length, reach):
    half = (length - 1) / 2
    return 1 - torch.linspace(-half, half, length, dtype=torch.float64).abs() / (length + 1) * 2


def _uniform(length, reach):
    return torch.ones(length, dtype=torch.float64)


_KERNELS = {"gaussian": gaussian_row, "linear": _linear, "uniform": _uniform}
