# SPDX-License-Identifier: Apache-2.0
"""torchattacks' interface: the base of attacks that this package computes itself."""

import torch
from torch.nn import functional

from namid._inputs import check_images
from namid._scope import frozen_eval
from namid.compat._torchattack import Attack


class Plain(Attack):
    """`climb(images, labels, targets)` is what a class adds: on images in [0, 1], with the model in
    eval mode; targets are classes to move to, or None."""

    def inner(self, images, labels):
        check_images(images)
        if images.numel() and (images.min() < 0 or images.max() > 1):
            raise ValueError(f"{self.attack}: expected images in [0, 1]")
        labels = self.predict(images) if labels is None else labels
        targets = self._target_map(images, labels) if self.targeted else None
        with frozen_eval(self.model):
            return self.climb(images, labels, targets)

    def need_pixels(self, images):
        if images.dim() != 4:
            raise ValueError(f"{self.attack}: expected images (N, C, H, W)")

    def logits(self, images):
        with torch.no_grad():
            return self.model01(images)

    def cross_entropy(self, images, labels, targets):
        """What is climbed: the mean over the batch, as in the library."""
        logits = self.model01(images)
        if targets is None:
            return functional.cross_entropy(logits, labels)
        return -functional.cross_entropy(logits, targets)

    def gradient(self, at, labels, targets, cost=None):
        at = at.detach().requires_grad_(True)
        with torch.enable_grad():
            value = (cost or self.cross_entropy)(at, labels, targets)
        return torch.autograd.grad(value, at)[0]
