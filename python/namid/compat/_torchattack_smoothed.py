# SPDX-License-Identifier: Apache-2.0
"""torchattacks' interface: PGD on a classifier that is smoothed by noise. Draws come from torch's
generator in the library's order."""

import torch

from namid.compat._torchattack_steps import Steps


class PGDRS(Steps):
    """Climbs the cross-entropy of the mean prediction over noise_batch_size noisy copies.
    noise_type: "guassian" (the library's spelling) or "uniform"."""

    norm = "linf"

    def __init__(
        self,
        model,
        eps=8 / 255,
        alpha=2 / 255,
        steps=10,
        noise_type="guassian",
        noise_sd=0.5,
        noise_batch_size=5,
        batch_max=2048,
    ):
        super().__init__(type(self).__name__, model, eps, alpha, steps)
        if noise_type not in ("guassian", "uniform"):
            raise ValueError(f"noise_type: expected guassian or uniform, got '{noise_type}'")
        self.noise_type, self.noise_sd = noise_type, noise_sd
        self.noise_batch_size, self.batch_max = noise_batch_size, batch_max

    def climb(self, images, labels, targets):
        count = len(images)
        if count * self.noise_batch_size > self.batch_max:
            count = max(1, self.batch_max // self.noise_batch_size)
        parts = [part.split(count) for part in (images, labels if targets is None else targets)]
        return torch.cat([self._climb_part(*part, targets is not None) for part in zip(*parts)])

    def _climb_part(self, images, classes, targeted):
        delta = torch.zeros_like(images)
        for _ in range(self.steps):
            at = delta.detach().requires_grad_(True)
            with torch.enable_grad():
                cost = self._smoothed_loss((images + at).clamp(0, 1), classes)
            gradient = torch.autograd.grad(-cost if targeted else cost, at)[0]
            delta = self.moved(delta, gradient)
        return (images + delta).clamp(0, 1)

    def _smoothed_loss(self, images, classes):
        copies = images.repeat_interleave(self.noise_batch_size, 0)
        flat = copies.flatten(1)
        if self.noise_type == "guassian":
            noise = torch.randn_like(flat) * self.noise_sd
        else:
            noise = (torch.rand_like(flat) - 0.5) * 2 * self.noise_sd
        logits = self.model01(copies + noise.view_as(copies))
        mean = logits.softmax(1).unflatten(0, (len(images), -1)).mean(1)
        return torch.nn.functional.nll_loss(mean.clamp(min=1e-20).log(), classes)

    def moved(self, delta, gradient):
        return (delta + self.alpha * gradient.sign()).clamp(-self.eps, self.eps)


class PGDRSL2(PGDRS):
    norm = "l2"

    def __init__(
        self,
        model,
        eps=1.0,
        alpha=0.2,
        steps=10,
        noise_type="guassian",
        noise_sd=0.5,
        noise_batch_size=5,
        batch_max=2048,
        eps_for_division=1e-10,
    ):
        super().__init__(
            model, eps, alpha, steps, noise_type, noise_sd, noise_batch_size, batch_max
        )
        self.eps_for_division = eps_for_division

    def moved(self, delta, gradient):
        def size(tensor):
            return tensor.flatten(1).norm(dim=1).reshape(-1, *[1] * (tensor.dim() - 1))

        delta = delta + self.alpha * gradient / (size(gradient) + self.eps_for_division)
        return delta * (self.eps / size(delta).clamp(min=1e-12)).clamp(max=1)
