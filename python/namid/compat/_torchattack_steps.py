# SPDX-License-Identifier: Apache-2.0
"""torchattacks' interface: sign steps whose direction is more than a gradient. The loop is this
file's; draws come from torch's generator in the library's order, so that torch.manual_seed gives
the library's own results."""

import torch
from torch.nn import functional

from namid.compat._shared import by_sample, margin
from namid.compat._torchattack_plain import Plain


def of_mean_one(gradient):
    """Divided by each sample's mean of |entries|; a zero gradient stays zero."""
    mean = gradient.abs().flatten(1).mean(1).clamp(min=torch.finfo(gradient.dtype).tiny)
    return gradient / by_sample(mean, gradient)


class Steps(Plain):
    """x <- clamp(x + alpha sign(direction)), within eps of the image, from `start`. A class says
    `direction(images, labels, targets)`, a function of the current images."""

    def __init__(self, name, model, eps, alpha, steps):
        super().__init__(name, model)
        self.eps, self.alpha, self.steps = eps, alpha, steps

    def climb(self, images, labels, targets):
        adv = self.start(images)
        direction = self.direction(images, labels, targets)
        for _ in range(self.steps):
            moved = adv + self.alpha * direction(adv).sign()
            adv = (images + (moved - images).clamp(-self.eps, self.eps)).clamp(0, 1)
        return adv

    def start(self, images):
        return images.clone()

    def uniform_start(self, images):
        if not self.random_start:
            return images.clone()
        return (images + torch.empty_like(images).uniform_(-self.eps, self.eps)).clamp(0, 1)


class RFGSM(Steps):
    def __init__(self, model, eps=8 / 255, alpha=2 / 255, steps=10):
        super().__init__("RFGSM", model, eps, alpha, steps)

    def start(self, images):
        return (images + self.alpha * torch.randn_like(images).sign()).clamp(0, 1)

    def direction(self, images, labels, targets):
        return lambda adv: self.gradient(adv, labels, targets)


class UPGD(Steps):
    """`loss`: ce, dlr, margin or a callable (images, labels, targets). margin leaves the label's own
    logit out, where the library puts 0 in its place."""

    def __init__(
        self,
        model,
        eps=8 / 255,
        alpha=2 / 255,
        steps=10,
        random_start=False,
        loss="ce",
        decay=1.0,
        eot_iter=1,
    ):
        super().__init__("UPGD", model, eps, alpha, steps)
        self.random_start, self.loss, self.decay = random_start, loss, decay
        self.eot_iter = eot_iter
        if isinstance(loss, str) and loss not in ("ce", "dlr", "margin"):
            raise ValueError(f"{loss} is not valid.")

    start = Steps.uniform_start

    def direction(self, images, labels, targets):
        momentum = torch.zeros_like(images)

        def next_direction(adv):
            nonlocal momentum
            mean = sum(
                self.gradient(adv, labels, targets, self.cost) / self.eot_iter
                for _ in range(self.eot_iter)
            )
            momentum = of_mean_one(mean) + momentum * self.decay
            return momentum

        return next_direction

    def cost(self, images, labels, targets):
        if not isinstance(self.loss, str):
            return self.loss(images, labels, targets)
        if self.loss == "ce":
            return self.cross_entropy(images, labels, targets)
        return (self._dlr if self.loss == "dlr" else self._margin)(images, labels, targets).sum()

    def _dlr(self, images, labels, targets):
        logits = self.model01(images)
        own = logits.gather(1, labels[:, None])[:, 0]
        top = logits.sort(1, descending=True).values
        if targets is None:
            rival = torch.where(logits.argmax(1) == labels, top[:, 1], top[:, 0])
            return (rival - own) / (top[:, 0] - top[:, 2] + 1e-12)
        aimed = logits.gather(1, targets[:, None])[:, 0]
        return (aimed - own) / (top[:, 0] - (top[:, 2] + top[:, 3]) / 2 + 1e-12)

    def _margin(self, images, labels, targets):
        gap = margin(self.model01(images), labels if targets is None else targets)
        return -(gap if targets is None else -gap).clamp(min=0)


class Jitter(Steps):
    def __init__(
        self, model, eps=8 / 255, alpha=2 / 255, steps=10, scale=10, std=0.1, random_start=True
    ):
        super().__init__("Jitter", model, eps, alpha, steps)
        self.random_start, self.scale, self.std = random_start, scale, std

    start = Steps.uniform_start

    def direction(self, images, labels, targets):
        def cost(adv, _labels, _targets):
            logits = self.model01(adv)
            largest = logits.abs().amax(1, keepdim=True)
            softened = (self.scale * logits / largest).softmax(1)
            if self.std != 0:
                softened = softened + self.std * torch.randn_like(softened)
            classes = labels if targets is None else targets
            wanted = functional.one_hot(classes, logits.shape[1]).to(softened)
            error = (softened - wanted).square().mean(1)
            error = error if targets is None else -error
            size = (adv - images).abs().flatten(1).amax(1)
            shrink = (logits.argmax(1) != labels) & (size != 0)
            return torch.where(shrink, error / torch.where(shrink, size, 1), error).mean()

        return lambda adv: self.gradient(adv, labels, targets, cost)


class SINIFGSM(Steps):
    """Nesterov's point in m sizes, x / 2^i."""

    def __init__(self, model, eps=8 / 255, alpha=2 / 255, steps=10, decay=1.0, m=5):
        super().__init__("SINIFGSM", model, eps, alpha, steps)
        self.decay, self.m = decay, m

    def direction(self, images, labels, targets):
        momentum = torch.zeros_like(images)

        def scaled(exponent, ahead):
            def cost(adv, labels, targets):
                return self.cross_entropy((adv + ahead) / 2**exponent, labels, targets)

            return cost

        def next_direction(adv):
            nonlocal momentum
            ahead = self.decay * self.alpha * momentum
            mean = sum(self.gradient(adv, labels, targets, scaled(i, ahead)) for i in range(self.m))
            momentum = self.decay * momentum + of_mean_one(mean / self.m)
            return momentum

        return next_direction


class VMIFGSM(Steps):
    """Momentum on gradients that lean to the mean of N neighbours."""

    nesterov = False

    def __init__(self, model, eps=8 / 255, alpha=2 / 255, steps=10, decay=1.0, N=5, beta=3 / 2):
        super().__init__(type(self).__name__, model, eps, alpha, steps)
        self.decay, self.N, self.beta = decay, N, beta

    def direction(self, images, labels, targets):
        momentum, variance = torch.zeros_like(images), torch.zeros_like(images)

        def neighbour(adv):
            torch.randn_like(adv)  # the library draws it, and overwrites it
            reach = self.eps * self.beta
            return adv + torch.empty_like(adv).uniform_(-reach, reach)

        def next_direction(adv):
            nonlocal momentum, variance
            at = adv + self.decay * self.alpha * momentum if self.nesterov else adv
            own = self.gradient(at, labels, targets)
            momentum = of_mean_one(own + variance) + momentum * self.decay
            around = sum(self.gradient(neighbour(adv), labels, targets) for _ in range(self.N))
            variance = around / self.N - own
            return momentum

        return next_direction


class VNIFGSM(VMIFGSM):
    nesterov = True
