# SPDX-License-Identifier: Apache-2.0
"""The base class of foolbox's interface."""

import torch

from namid._scope import frozen_eval
from namid.compat.foolbox.models import (
    Misclassification,
    PyTorchModel,
    TargetedMisclassification,
    like,
    raw,
)


def criterion_of(criterion):
    """(classes, targeted) of a criterion or of plain labels."""
    if isinstance(criterion, TargetedMisclassification):
        return raw(criterion.target_classes), True
    if isinstance(criterion, Misclassification):
        return raw(criterion.labels), False
    if isinstance(raw(criterion), torch.Tensor):
        return raw(criterion), False
    raise ValueError(f"unsupported criterion: {type(criterion).__name__}")


def images_of(model, inputs):
    """The images, which are to lie within the bounds of a model of this package."""
    if not isinstance(model, PyTorchModel):
        raise ValueError("model: expected a namid.compat.foolbox.PyTorchModel")
    x, (low, high) = raw(inputs).detach(), model.bounds
    if x.min() < low or x.max() > high:
        raise ValueError(f"inputs: expected values within the model's bounds ({low}, {high})")
    return x


def no_more(kwargs):
    if kwargs:
        raise TypeError(f"attack got an unexpected keyword argument '{next(iter(kwargs))}'")


def listed(epsilons):
    """(every epsilon, whether a list was given)."""
    several = isinstance(epsilons, (list, tuple)) or hasattr(epsilons, "__len__")
    return (list(epsilons) if several else [epsilons]), several


class Attack:
    """`perturb(model01, x01, y, targeted, epsilon, scale)` is what a class adds: on images in
    [0, 1], which are `scale` times narrower than the model's bounds."""

    def __call__(self, model, inputs, criterion, *, epsilons, **kwargs):
        """(raw, clipped, success); lists for a list of epsilons. These attacks keep to the ball, so
        that raw and clipped are the same."""
        no_more(kwargs)
        every, several = listed(epsilons)
        if any(epsilon is None for epsilon in every):
            raise ValueError("epsilon None: this attack does not look for the smallest one")
        found = [self._run(model, inputs, criterion, float(epsilon)) for epsilon in every]
        advs = [like(adv, inputs) for adv, _ in found]
        if not several:
            return advs[0], advs[0], like(found[0][1], inputs)
        return advs, list(advs), like(torch.stack([success for _, success in found]), inputs)

    def run(self, model, inputs, criterion, *, epsilon, **kwargs):
        """The raw images alone."""
        no_more(kwargs)
        return like(self._run(model, inputs, criterion, float(epsilon))[0], inputs)

    def _run(self, model, inputs, criterion, epsilon):
        x, (y, targeted) = images_of(model, inputs), criterion_of(criterion)
        low, high = model.bounds
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
