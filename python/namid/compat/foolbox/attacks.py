# SPDX-License-Identifier: Apache-2.0
"""The attacks of foolbox's interface."""

from namid import attacks
from namid.compat._shared import fresh_seed
from namid.compat.foolbox.base import Attack
from namid.compat.foolbox.brendel_bethge import (  # noqa: F401
    L0BrendelBethgeAttack,
    L1BrendelBethgeAttack,
    L2BrendelBethgeAttack,
    LinfinityBrendelBethgeAttack,
)
from namid.compat.foolbox.dataset import DatasetAttack  # noqa: F401
from namid.compat.foolbox.decision import BoundaryAttack, HopSkipJumpAttack  # noqa: F401
from namid.compat.foolbox.descent import *  # noqa: F403
from namid.compat.foolbox.descent import (
    L1AdamProjectedGradientDescentAttack,
    L2AdamProjectedGradientDescentAttack,
    LinfAdamProjectedGradientDescentAttack,
)
from namid.compat.foolbox.elastic import EADAttack  # noqa: F401
from namid.compat.foolbox.filters import (  # noqa: F401
    BinarySearchContrastReductionAttack,
    GaussianBlurAttack,
    InversionAttack,
    L2ContrastReductionAttack,
    LinearSearchContrastReductionAttack,
)
from namid.compat.foolbox.fmn import (  # noqa: F401
    L0FMNAttack,
    L1FMNAttack,
    L2FMNAttack,
    LInfFMNAttack,
)
from namid.compat.foolbox.genetic import GenAttack  # noqa: F401
from namid.compat.foolbox.nearest import (  # noqa: F401
    DDNAttack,
    L2CarliniWagnerAttack,
    L2DeepFoolAttack,
    LinfDeepFoolAttack,
)
from namid.compat.foolbox.newton import NewtonFoolAttack  # noqa: F401
from namid.compat.foolbox.noise import *  # noqa: F403
from namid.compat.foolbox.pointwise import PointwiseAttack  # noqa: F401
from namid.compat.foolbox.refine import BinarizationRefinementAttack  # noqa: F401
from namid.compat.foolbox.spatial import SpatialAttack  # noqa: F401


class _Descent(Attack):
    """Steps along the gradient, the last point kept: namid's PGD."""

    norm = "linf"

    def perturb(self, model01, x, y, targeted, epsilon, scale):
        step = self.rel_stepsize * epsilon
        if self.abs_stepsize is not None:
            step = self.abs_stepsize / scale
        epsilon = min(epsilon, 1.0) if self.norm == "linf" else epsilon  # the box is no wider
        name, options = self.descent()
        return attacks.run(name, model01, x, y, norm=self.norm, epsilon=epsilon, steps=self.steps,
                           step_size=step, targeted=targeted, seed=fresh_seed(), **options
                           ).adv  # fmt: skip

    def descent(self):
        return "pgd", {"start": "uniform" if self.random_start else "none", "judge": "last"}


def _descent(name, norm, rel_stepsize, steps, random_start):
    def make(
        self,
        *,
        rel_stepsize=rel_stepsize,
        abs_stepsize=None,
        steps=steps,
        random_start=random_start,
    ):
        self.rel_stepsize, self.abs_stepsize = rel_stepsize, abs_stepsize
        self.steps, self.random_start = steps, random_start

    return type(name, (_Descent,), {"__init__": make, "norm": norm, "__module__": __name__})


class _FastGradient(_Descent):
    """One step of length epsilon."""

    def __init__(self, *, random_start=False):
        self.rel_stepsize, self.abs_stepsize, self.steps = 1.0, None, 1
        self.random_start = random_start

    def perturb(self, model01, x, y, targeted, epsilon, scale):
        if targeted:
            raise ValueError("unsupported criterion: fast gradient attacks are not targeted")
        return super().perturb(model01, x, y, targeted, epsilon, scale)


for _norm in ("L1", "L2", "Linf"):
    _pgd, _bim, _fgm = (
        _norm + kind
        for kind in ("ProjectedGradientDescentAttack", "BasicIterativeAttack", "FastGradientAttack")
    )
    _linf = _norm == "Linf"
    globals()[_pgd] = _descent(
        _pgd, _norm.lower(), 0.01 / 0.3 if _linf else 0.025, 40 if _linf else 50, True
    )
    globals()[_bim] = _descent(_bim, _norm.lower(), 0.2, 10, False)
    globals()[_fgm] = type(_fgm, (_FastGradient,), {"norm": _norm.lower(), "__module__": __name__})

_HERE = globals()
FGM, FGSM = _HERE["L2FastGradientAttack"], _HERE["LinfFastGradientAttack"]
L1PGD, L2PGD = (_HERE[n + "ProjectedGradientDescentAttack"] for n in ("L1", "L2"))
PGD = LinfPGD = _HERE["LinfProjectedGradientDescentAttack"]
MIFGSM = _HERE["LinfMomentumIterativeFastGradientMethod"]
L1AdamPGD = L1AdamProjectedGradientDescentAttack
L2AdamPGD = L2AdamProjectedGradientDescentAttack
LinfAdamPGD = LinfAdamProjectedGradientDescentAttack
AdamPGD = LinfAdamPGD
