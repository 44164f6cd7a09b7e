# SPDX-License-Identifier: Apache-2.0
"""torchattacks' interface: gradients estimated from differences."""

import torch

from namid.compat._shared import at_least, margin
from namid.compat._torchattack_plain import Plain


class SPSA(Plain):
    """Uesato et al. 2018 (arXiv:1802.05666): Adam on the mean over v in {-1, 1}^d of (L(x + delta
    v) - L(x - delta v)) / (2 delta) v, L the logit margin. Every image of a batch sees the same v.
    Targets are those of the mode (the labels in the library)."""

    supported_mode = ("default", "targeted")

    def __init__(
        self,
        model,
        eps=0.3,
        delta=0.01,
        lr=0.01,
        nb_iter=1,
        nb_sample=128,
        max_batch_size=64,
    ):
        super().__init__("SPSA", model)
        at_least("SPSA", 0, eps=eps, lr=lr, nb_iter=nb_iter)
        at_least("SPSA", 1, nb_sample=nb_sample, max_batch_size=max_batch_size)
        if not delta > 0:
            raise ValueError(f"SPSA: delta: expected more than 0, got {delta}")
        self.eps, self.delta, self.lr, self.nb_iter = eps, delta, lr, nb_iter
        self.nb_sample, self.max_batch_size = nb_sample, max_batch_size

    def climb(self, images, labels, targets):
        moved = torch.zeros_like(images)
        optimizer = torch.optim.Adam([moved], lr=self.lr)
        for _ in range(self.nb_iter):
            moved.grad = self._estimate(images + moved, labels, targets)
            optimizer.step()
            moved.copy_((images + moved.clamp(-self.eps, self.eps)).clamp(0, 1) - images)
        return (images + moved).clamp(0, 1)

    def _estimate(self, images, labels, targets):
        """The gradient of what is to be small."""

        def loss(batch):
            gap = margin(self.logits(batch.flatten(0, 1)), classes.repeat(len(batch)))
            return (gap if targets is None else -gap).view(batch.shape[:2])

        classes = labels if targets is None else targets
        total = torch.zeros_like(images).flatten(1)
        for start in range(0, self.nb_sample, self.max_batch_size):
            count = min(self.max_batch_size, self.nb_sample - start)
            signs = torch.empty(
                (count, *images.shape[1:]), dtype=images.dtype, device=images.device
            )
            signs.bernoulli_().mul_(2).sub_(1)
            shift = self.delta * signs[:, None]
            slope = (loss(images + shift) - loss(images - shift)) / (2 * self.delta)
            total += slope.T @ signs.flatten(1)
        return (total / self.nb_sample).view_as(images)
