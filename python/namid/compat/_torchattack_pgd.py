# SPDX-License-Identifier: Apache-2.0
"""torchattacks' interface: no attack, noise, and those that are namid's PGD of its last iterate."""

import torch

from namid.compat._torchattack import Attack


class VANILA(Attack):
    def __init__(self, model):
        super().__init__("VANILA", model)

    def perturb(self, images, labels, targeted):
        return images


class GN(Attack):
    def __init__(self, model, std=0.1):
        super().__init__("GN", model)
        self.std = std

    def perturb(self, images, labels, targeted):
        return (images + self.std * torch.randn_like(images)).clamp(0, 1)


class _Pgd(Attack):
    """Those that are namid's PGD of its last iterate; `options` says how."""

    norm = "linf"

    def perturb(self, images, labels, targeted):
        return self.run(
            "pgd", images, labels, targeted, judge="last", norm=self.norm, **self.options()
        )


class FGSM(_Pgd):
    def __init__(self, model, eps=8 / 255):
        super().__init__("FGSM", model)
        self.eps = eps

    def options(self):
        return {"epsilon": self.eps, "steps": 1, "step_size": self.eps, "start": "none"}


class FFGSM(_Pgd):
    def __init__(self, model, eps=8 / 255, alpha=10 / 255):
        super().__init__("FFGSM", model)
        self.eps, self.alpha = eps, alpha

    def options(self):
        return {"epsilon": self.eps, "steps": 1, "step_size": self.alpha}


class _Steps(_Pgd):
    """eps, alpha, steps and a start, by their names."""

    def options(self):
        start = "uniform" if getattr(self, "random_start", False) else "none"
        plain = {"epsilon": self.eps, "steps": self.steps, "step_size": self.alpha, "start": start}
        return {**plain, **self.more()}

    def more(self):
        return {}


class BIM(_Steps):
    def __init__(self, model, eps=8 / 255, alpha=2 / 255, steps=10):
        super().__init__("BIM", model)
        self.eps, self.alpha, self.steps = eps, alpha, steps


class PGD(_Steps):
    def __init__(self, model, eps=8 / 255, alpha=2 / 255, steps=10, random_start=True):
        super().__init__("PGD", model)
        self.eps, self.alpha, self.steps, self.random_start = eps, alpha, steps, random_start


class EOTPGD(_Steps):
    def __init__(self, model, eps=8 / 255, alpha=2 / 255, steps=10, eot_iter=2, random_start=True):
        super().__init__("EOTPGD", model)
        self.eps, self.alpha, self.steps = eps, alpha, steps
        self.eot_iter, self.random_start = eot_iter, random_start

    def more(self):
        return {"eot": self.eot_iter}


class TPGD(_Steps):
    """Climbs the KL term of TRADES; labels may be left out."""

    supported_mode = ("default",)

    def __init__(self, model, eps=8 / 255, alpha=2 / 255, steps=10):
        super().__init__("TPGD", model)
        self.eps, self.alpha, self.steps = eps, alpha, steps

    def more(self):
        return {"loss": "kl", "start": "gauss-0.001"}


class PGDL2(_Steps):
    norm = "l2"

    def __init__(
        self, model, eps=1.0, alpha=0.2, steps=10, random_start=True, eps_for_division=1e-10
    ):
        super().__init__("PGDL2", model)
        self.eps, self.alpha, self.steps, self.random_start = eps, alpha, steps, random_start
        self.eps_for_division = eps_for_division  # namid divides by no zero norm
