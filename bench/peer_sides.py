# SPDX-License-Identifier: Apache-2.0
"""The attacks of namid and of other libraries under one signature.

A side is a function (model, x, y, norm, epsilon, seed, **settings) to images. `settings` is the
budget that all sides share; what it does not name is each library's default. of_LIBRARY takes the
library's name of the attack and its keywords, each with a value or the name of a setting. As a
program: which libraries import."""

import copy
import dataclasses
import functools
import importlib
import importlib.metadata
import math
import pathlib
import random
import sys
import time
import types

import numpy
import torch
from peer_progress import Progress

import namid

BATCH = 250
JITTER = 1e-4
UNBOUNDED = {"linf": 1.0, "l2": 1e3, "l1": 1e4}  # for searches of the smallest perturbation
POWER = {"linf": math.inf, "l2": 2, "l1": 1}
NAMES = {"linf": "Linf", "l2": "L2", "l1": "L1"}  # torchattacks
PACKAGES = {
    "torchattacks": "torchattacks",
    "foolbox": "foolbox",
    "adv-lib": "adv_lib",
    "art": "adversarial-robustness-toolbox",
}


def adv_lib(module, name):
    """A function of adv_lib.attacks. The package's __init__ imports torchvision for the distance of
    one attack, and torchvision's wheels on PyPI load with a CUDA torch alone: it is passed by."""
    if "adv_lib.attacks" not in sys.modules:
        package = types.ModuleType("adv_lib.attacks")
        root = importlib.import_module("adv_lib").__file__
        package.__path__ = [str(pathlib.Path(root).parent / "attacks")]
        sys.modules["adv_lib.attacks"] = package
    return getattr(importlib.import_module(f"adv_lib.attacks.{module}"), name)


def version(side):
    if side in PACKAGES:
        return importlib.metadata.version(PACKAGES[side])
    return namid.__version__ if side == "namid" else torch.__version__


def seed_all(seed):
    random.seed(seed)
    numpy.random.seed(seed)
    torch.manual_seed(seed)


def filled(keywords, known):
    """A text in `keywords` that names something known stands for it."""
    return {
        key: known.get(value, value) if isinstance(value, str) else value
        for key, value in keywords.items()
    }


def of_namid(name, **more):
    def run(model, x, y, norm, epsilon, seed, **settings):
        attack = getattr(namid.attacks, name)
        radius = UNBOUNDED[norm] if epsilon is None else epsilon
        found = attack(model, x, y, norm=norm, epsilon=radius, seed=seed, **more, **settings)
        run.passes = {"forwards": found.forwards / len(x), "backwards": found.backwards / len(x)}
        return found.adv

    return run


class Plain:
    """PGD as a loop in eager PyTorch. best: channels-last (every side's parameters are frozen)."""

    def __init__(self, best):
        self.best, self.models = best, {}

    def prepared(self, model):
        if not self.best:
            return model
        if id(model) not in self.models:
            last = copy.deepcopy(model).to(memory_format=torch.channels_last)
            self.models[id(model)] = (model, last)
        return self.models[id(model)][1]

    def __call__(self, model, x, y, norm, epsilon, seed, steps, step_size):
        model, x_adv = self.prepared(model), x
        if self.best:
            x_adv = x = x.contiguous(memory_format=torch.channels_last)
        for _ in range(steps):
            x_adv = x_adv.detach().requires_grad_()
            loss = torch.nn.functional.cross_entropy(model(x_adv), y, reduction="sum")
            (gradient,) = torch.autograd.grad(loss, x_adv)
            with torch.no_grad():
                x_adv = x_adv + step_size * gradient.sign()
                x_adv = torch.min(torch.max(x_adv, x - epsilon), x + epsilon).clamp(0, 1)
        return x_adv.detach()


def of_torchattacks(name, **more):
    def run(model, x, y, norm, epsilon, seed, **settings):
        radius = 1e3 if epsilon is None else epsilon
        known = {"norm": NAMES[norm], "eps": radius, "seed": seed, **settings}
        attack = getattr(importlib.import_module("torchattacks"), name)
        return attack(model, **filled(more, known))(x, y)

    return run


def torchattacks_cw(model, x, y, norm, epsilon, seed, steps, searches, step_size, initial_const):
    attack = importlib.import_module("torchattacks").CW(model, steps=steps * searches, lr=step_size)
    return attack(x, y)


def of_foolbox(name, **more):
    """{norm} in the class's name is filled in."""

    def run(model, x, y, norm, epsilon, seed, **settings):
        spelled = "LInf" if "FMN" in name and norm == "linf" else NAMES[norm]
        attack = getattr(importlib.import_module("foolbox.attacks"), name.format(norm=spelled))
        wrapped = importlib.import_module("foolbox").PyTorchModel(model, bounds=(0, 1))
        return attack(**filled(more, settings))(wrapped, x, y, epsilons=epsilon)[1].detach()

    return run


def of_adv_lib(module, name, **more):
    def run(model, x, y, norm, epsilon, seed, **settings):
        known = {"norm": POWER[norm], "eps": epsilon, **settings}
        return adv_lib(module, name)(model, x.clone(), y.clone(), **filled(more, known))

    return run


def of_art(name, quiet=True, **more):
    """quiet: whether the attack has `verbose`."""

    def run(model, x, y, norm, epsilon, seed, **settings):
        evasion = importlib.import_module("art.attacks.evasion")
        classifiers = importlib.import_module("art.estimators.classification")
        classifier = classifiers.PyTorchClassifier(
            model=model,
            loss=torch.nn.CrossEntropyLoss(),
            input_shape=tuple(x.shape[1:]),
            nb_classes=model(x[:1]).shape[1],
            clip_values=(0, 1),
            device_type=x.device.type,
        )
        known = {"norm": POWER[norm], "eps": epsilon, "twice_eps": 2 * (epsilon or 0), **settings}
        keywords = filled(more, known) | ({"verbose": False} if quiet else {})
        attack = getattr(evasion, name)(classifier, batch_size=len(x), **keywords)
        return torch.from_numpy(attack.generate(x.numpy(), y.numpy()))

    return run


@dataclasses.dataclass(frozen=True)
class Attack:
    """One comparison. step: step_size as a share of epsilon; draws: whether a seed matters. Where
    it does not, a search of the smallest perturbation starts from images with noise of JITTER for
    every seed but 0: its path hangs on last bits, and that is the spread to compare with. most: the
    images that it gets at most; batch: at a time."""

    name: str
    norm: str
    settings: dict
    sides: dict
    bounded: bool = True
    step: float = 0
    draws: bool = True
    most: int | None = None
    batch: int = BATCH

    def budget(self, epsilon):
        return {**self.settings, **({"step_size": self.step * epsilon} if self.step else {})}

    def seeds(self, count):
        return range(count if self.draws or not self.bounded else 1)

    def run(self, side, model, x, y, epsilon, seed, progress=None):
        """progress: batches that are there are not attacked again, each new one is added."""
        progress = progress or Progress()
        seed_all(seed)
        if seed and not self.draws and not self.bounded:
            x = (x + JITTER * (2 * torch.rand_like(x) - 1)).clamp(0, 1)
        radius = epsilon if self.bounded else None
        batches = list(zip(x.split(self.batch), y.split(self.batch)))
        attack = functools.partial(self.sides[side], norm=self.norm, epsilon=radius, seed=seed)
        budget = self.budget(epsilon)
        for part, labels in batches[progress.go_on() :]:
            start = time.perf_counter()
            images = attack(model, part, labels, **budget).detach()
            progress.add(images, time.perf_counter() - start)
        return torch.cat(progress.batches)


def main():
    for side in PACKAGES:
        try:
            if side == "adv-lib":
                for module in ("auto_pgd", "fast_adaptive_boundary", "decoupled_direction_norm"):
                    adv_lib(module, "__file__")
            else:
                importlib.import_module({"art": "art.attacks.evasion"}.get(side, side))
            print(f"{side} {version(side)}: imports")
        except Exception as error:  # whatever a package raises while it is imported
            print(f"{side}: does not import: {error!r}")


if __name__ == "__main__":
    main()
