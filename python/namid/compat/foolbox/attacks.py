# SPDX-License-Identifier: Apache-2.0
"""The attacks of foolbox's interface."""

import torch

from namid import attacks
from namid._scope import frozen_eval
from namid.compat._shared import absent, fresh_seed
from namid.compat.foolbox.models import (
    Misclassification,
    PyTorchModel,
    TargetedMisclassification,
    like,
    raw,
)


def _criterion(criterion):
    """(classes, targeted) of a criterion or of plain labels."""
    if isinstance(criterion, TargetedMisclassification):
        return raw(criterion.target_classes), True
    if isinstance(criterion, Misclassification):
        return raw(criterion.labels), False
    if isinstance(raw(criterion), torch.Tensor):
        return raw(criterion), False
    raise ValueError(f"unsupported criterion: {type(criterion).__name__}")


class Attack:
    """`perturb(model01, x01, y, targeted, epsilon, scale)` is what a class adds: on images in
    [0, 1], which are `scale` times narrower than the model's bounds."""

    def __call__(self, model, inputs, criterion, *, epsilons, **kwargs):
        """(raw, clipped, success); lists for a list of epsilons. These attacks keep to the ball, so
        that raw and clipped are the same."""
        if kwargs:
            raise TypeError(f"attack got an unexpected keyword argument '{next(iter(kwargs))}'")
        several = isinstance(epsilons, (list, tuple)) or hasattr(epsilons, "__len__")
        every = list(epsilons) if several else [epsilons]
        if any(epsilon is None for epsilon in every):
            raise ValueError("epsilon None: this attack does not look for the smallest one")
        found = [self._run(model, inputs, criterion, float(epsilon)) for epsilon in every]
        advs = [like(adv, inputs) for adv, _ in found]
        if not several:
            return advs[0], advs[0], like(found[0][1], inputs)
        return advs, list(advs), like(torch.stack([success for _, success in found]), inputs)

    def _run(self, model, inputs, criterion, epsilon):
        if not isinstance(model, PyTorchModel):
            raise ValueError("model: expected a namid.compat.foolbox.PyTorchModel")
        x, (y, targeted) = raw(inputs).detach(), _criterion(criterion)
        low, high = model.bounds
        if x.min() < low or x.max() > high:
            raise ValueError(f"inputs: expected values within the model's bounds ({low}, {high})")
        scale = high - low

        def model01(images):
            return model.logits(images * scale + low)

        with frozen_eval(model.module):
            adv = self.perturb(model01, (x - low) / scale, y, targeted, epsilon / scale, scale)
            adv = torch.where(adv == (x - low) / scale, x, adv * scale + low)
            with torch.no_grad():
                wrong = model.logits(adv).argmax(1) != y
        return adv, wrong ^ targeted

    def repeat(self, times):
        """The best of `times` runs: the first that succeeds, else the last."""
        return Repeated(self, times)

    def __repr__(self):
        options = ", ".join(f"{key}={value}" for key, value in vars(self).items())
        return f"{type(self).__name__}({options})"


class Repeated(Attack):
    def __init__(self, attack, times):
        if times < 1:
            raise ValueError(f"expected times >= 1, got {times}")
        self.attack, self.times = attack, times

    def _run(self, model, inputs, criterion, epsilon):
        adv, success = self.attack._run(model, inputs, criterion, epsilon)
        for _ in range(self.times - 1):
            again, better = self.attack._run(model, inputs, criterion, epsilon)
            adv[~success] = again[~success]
            success |= better
        return adv, success


class _Descent(Attack):
    """Steps along the gradient, the last point kept: namid's PGD."""

    norm = "linf"

    def perturb(self, model01, x, y, targeted, epsilon, scale):
        step = self.rel_stepsize * epsilon
        if self.abs_stepsize is not None:
            step = self.abs_stepsize / scale
        start = "uniform" if self.random_start else "none"
        epsilon = min(epsilon, 1.0) if self.norm == "linf" else epsilon  # the box is no wider
        return attacks.pgd(model01, x, y, norm=self.norm, epsilon=epsilon, steps=self.steps,
                           step_size=step, start=start, judge="last", targeted=targeted,
                           seed=fresh_seed()).adv  # fmt: skip


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

_ABSENT = """
L2ContrastReductionAttack VirtualAdversarialAttack DDNAttack L1AdamProjectedGradientDescentAttack
L2AdamProjectedGradientDescentAttack LinfAdamProjectedGradientDescentAttack
L1AdamBasicIterativeAttack L2AdamBasicIterativeAttack LinfAdamBasicIterativeAttack
L1MomentumIterativeFastGradientMethod L2MomentumIterativeFastGradientMethod
LinfMomentumIterativeFastGradientMethod L2AdditiveGaussianNoiseAttack L2AdditiveUniformNoiseAttack
L2ClippingAwareAdditiveGaussianNoiseAttack L2ClippingAwareAdditiveUniformNoiseAttack
LinfAdditiveUniformNoiseAttack L2RepeatedAdditiveGaussianNoiseAttack
L2RepeatedAdditiveUniformNoiseAttack L2ClippingAwareRepeatedAdditiveGaussianNoiseAttack
L2ClippingAwareRepeatedAdditiveUniformNoiseAttack LinfRepeatedAdditiveUniformNoiseAttack
SparseL1DescentAttack InversionAttack BinarySearchContrastReductionAttack
LinearSearchContrastReductionAttack L2CarliniWagnerAttack NewtonFoolAttack EADAttack
GaussianBlurAttack SpatialAttack L2DeepFoolAttack LinfDeepFoolAttack SaltAndPepperNoiseAttack
LinearSearchBlendedUniformNoiseAttack BinarizationRefinementAttack DatasetAttack BoundaryAttack
HopSkipJumpAttack L0BrendelBethgeAttack L1BrendelBethgeAttack L2BrendelBethgeAttack
LinfinityBrendelBethgeAttack L0FMNAttack L1FMNAttack L2FMNAttack LInfFMNAttack GenAttack
PointwiseAttack
""".split()
for _name in _ABSENT:
    globals()[_name] = absent("foolbox.attacks", _name)

_HERE = globals()
FGM, FGSM = _HERE["L2FastGradientAttack"], _HERE["LinfFastGradientAttack"]
L1PGD, L2PGD = (_HERE[n + "ProjectedGradientDescentAttack"] for n in ("L1", "L2"))
PGD = LinfPGD = _HERE["LinfProjectedGradientDescentAttack"]
MIFGSM = _HERE["LinfMomentumIterativeFastGradientMethod"]
L1AdamPGD, L2AdamPGD, LinfAdamPGD = (
    _HERE[n + "AdamProjectedGradientDescentAttack"] for n in ("L1", "L2", "Linf")
)
AdamPGD = LinfAdamPGD
