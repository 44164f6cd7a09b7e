# SPDX-License-Identifier: Apache-2.0
"""The interface of torchattacks 3.5.1 (kim2020torchattacks):

atk = torchattacks.PGD(model, eps=8/255, alpha=2/255, steps=4)
adv_images = atk(images, labels)
"""

import torch

from namid.compat._shared import absent
from namid.compat._torchattack import Attack
from namid.compat._torchattack_diverse import DIFGSM, TIFGSM
from namid.compat._torchattack_elastic import EADEN, EADL1
from namid.compat._torchattack_momentum import MIFGSM, NIFGSM
from namid.compat._torchattack_nearest import CW, DeepFool
from namid.compat._torchattack_patchwise import PIFGSM, PIFGSMPP
from namid.compat._torchattack_seeded import APGD, APGDT, FAB, Seeded, Square
from namid.compat._torchattack_smoothed import PGDRS, PGDRSL2
from namid.compat._torchattack_spsa import SPSA
from namid.compat._torchattack_steps import RFGSM, SINIFGSM, UPGD, VMIFGSM, VNIFGSM, Jitter


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


class MultiAttack(Attack):
    """Attacks in turn, each on what the ones before it did not break."""

    supported_mode = ("default",)

    def __init__(self, attacks, verbose=False):
        if len(attacks) < 2:
            raise ValueError("MultiAttack: expected at least two attacks")
        if len({id(each.model) for each in attacks}) > 1:
            raise ValueError("MultiAttack: expected attacks on one and the same model")
        super().__init__("MultiAttack", attacks[0].model)
        self.attacks, self.verbose = attacks, verbose
        self._mean_std = attacks[0]._mean_std

    def perturb(self, images, labels, targeted):
        images = images.clone()
        left = torch.arange(len(images), device=images.device)
        for each in self.attacks:
            adv = each.inner(images[left], labels[left])
            wrong = self.predict(adv) != labels[left]
            images[left[wrong]] = adv[wrong]
            left = left[~wrong]
            if len(left) == 0:
                break
        return images


class AutoAttack(Seeded):
    """The ensemble of AutoAttack's versions "standard", "plus" and "rand"."""

    supported_mode = ("default",)

    def __init__(
        self,
        model,
        norm="Linf",
        eps=8 / 255,
        version="standard",
        n_classes=10,
        seed=None,
        verbose=False,
    ):
        super().__init__("AutoAttack", model)
        self.norm, self.eps, self.version, self.n_classes = norm, eps, version, n_classes
        self.seed, self.verbose = seed, verbose

    def perturb(self, images, labels, targeted):
        from namid.compat.autoattack import AutoAttack as Ensemble

        ensemble = Ensemble(
            self.model01,
            self.norm,
            self.eps,
            self.seed,
            False,
            version=self.version,
            device=images.device,
        )
        return ensemble.run_standard_evaluation(images, labels, bs=len(images))


_ABSENT = "SparseFool OnePixel Pixle JSMA LGV".split()
for _name in _ABSENT:
    globals()[_name] = absent("torchattacks", _name)
__version__ = "3.5.1"
__all__ = [
    *_ABSENT, "APGD", "APGDT", "AutoAttack", "BIM", "CW", "DIFGSM", "DeepFool", "EADEN",
    "EADL1", "EOTPGD", "FAB", "FFGSM", "FGSM", "GN", "Jitter", "MIFGSM", "MultiAttack",
    "NIFGSM", "PGD", "PGDL2", "PGDRS", "PGDRSL2", "PIFGSM", "PIFGSMPP", "RFGSM", "SINIFGSM",
    "SPSA", "Square", "TIFGSM", "TPGD", "UPGD", "VANILA", "VMIFGSM", "VNIFGSM",
]  # fmt: skip
