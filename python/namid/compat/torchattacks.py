# SPDX-License-Identifier: Apache-2.0
"""The interface of torchattacks 3.5.1 (kim2020torchattacks):

atk = torchattacks.PGD(model, eps=8/255, alpha=2/255, steps=4)
adv_images = atk(images, labels)
"""

import torch

from namid.compat._torchattack import Attack
from namid.compat._torchattack_diverse import DIFGSM, TIFGSM
from namid.compat._torchattack_elastic import EADEN, EADL1
from namid.compat._torchattack_lgv import LGV
from namid.compat._torchattack_momentum import MIFGSM, NIFGSM
from namid.compat._torchattack_nearest import CW, DeepFool
from namid.compat._torchattack_patchwise import PIFGSM, PIFGSMPP
from namid.compat._torchattack_pgd import (
    BIM,
    EOTPGD,
    FFGSM,
    FGSM,
    GN,
    PGD,
    PGDL2,
    TPGD,
    VANILA,
)
from namid.compat._torchattack_pixels import OnePixel, Pixle
from namid.compat._torchattack_seeded import APGD, APGDT, FAB, Seeded, Square
from namid.compat._torchattack_smoothed import PGDRS, PGDRSL2
from namid.compat._torchattack_sparse import JSMA, SparseFool
from namid.compat._torchattack_spsa import SPSA
from namid.compat._torchattack_steps import RFGSM, SINIFGSM, UPGD, VMIFGSM, VNIFGSM, Jitter


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


__version__ = "3.5.1"
__all__ = [
    "APGD", "APGDT", "AutoAttack", "BIM", "CW", "DIFGSM", "DeepFool", "EADEN", "EADL1",
    "EOTPGD", "FAB", "FFGSM", "FGSM", "GN", "JSMA", "Jitter", "LGV", "MIFGSM", "MultiAttack",
    "NIFGSM", "OnePixel", "PGD", "PGDL2", "PGDRS", "PGDRSL2", "PIFGSM", "PIFGSMPP", "Pixle",
    "RFGSM", "SINIFGSM", "SPSA", "SparseFool", "Square", "TIFGSM", "TPGD", "UPGD", "VANILA",
    "VMIFGSM", "VNIFGSM",
]  # fmt: skip
