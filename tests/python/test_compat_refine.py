# SPDX-License-Identifier: Apache-2.0
"""foolbox's interface to attacks that start at adversarial images, search without gradients or look
among other images: against the library where it is installed, else against closed forms."""

import inspect

import numpy as np
import pytest
import torch
from helpers import linear_model

import namid.compat.foolbox as fb

MOMENTUM = [f"{n}MomentumIterativeFastGradientMethod" for n in ("L1", "L2", "Linf")]


def peer_or_skip():
    return pytest.importorskip("foolbox", reason="foolbox is not installed")


def case_of(bounds=(0, 1)):
    """A small net, images within the bounds, and labels, the first of which it gets wrong."""
    torch.manual_seed(3)
    hidden = [torch.nn.Flatten(), torch.nn.Linear(48, 16), torch.nn.Tanh()]
    model = torch.nn.Sequential(*hidden, torch.nn.Linear(16, 5)).eval()
    x = torch.rand(6, 3, 4, 4) * (bounds[1] - bounds[0]) + bounds[0]
    y = model(x).argmax(1)
    y[0] = (y[0] + 1) % 5
    return model, x, y


def under_one_seed(call, bounds=(0, 1)):
    """What `call(library, its model, x, y)` gives with the library and with namid."""
    model, x, y = case_of(bounds)
    found = []
    for library in (peer_or_skip(), fb):
        torch.manual_seed(5)
        np.random.seed(5)
        found.append(call(library, library.PyTorchModel(model, bounds=bounds), x, y))
    return found


def same(theirs, ours, atol=2e-6):
    torch.testing.assert_close(ours, theirs, rtol=0, atol=atol)


@pytest.mark.parametrize("name", [*MOMENTUM, "L2DeepFoolAttack", "LinfDeepFoolAttack"])
def test_signatures_are_the_librarys(name):
    def rows(call):
        return [(p.name, p.default, p.kind) for p in inspect.signature(call).parameters.values()]

    ours, theirs = getattr(fb.attacks, name), getattr(peer_or_skip().attacks, name)
    assert rows(ours) == rows(theirs)
    assert "run" in dir(ours)


# Momentum


@pytest.mark.parametrize("bounds", [(0, 1), (-1, 3)])
@pytest.mark.parametrize("options", [{}, {"random_start": True, "momentum": 0.5, "steps": 4}])
@pytest.mark.parametrize("name", MOMENTUM)
def test_momentum_is_the_librarys_from_the_image_and_from_a_random_start(name, options, bounds):
    def attack(library, fmodel, x, y):
        target = library.TargetedMisclassification((y + 1) % 5)
        made = getattr(library.attacks, name)(**options)
        raws = made(fmodel, x, y, epsilons=[0.1, 0.7])[0]
        return torch.stack([*raws, made.run(fmodel, x, target, epsilon=0.3)])

    same(*under_one_seed(attack, bounds))


def test_momentum_outweighs_a_gradient_that_turns():
    """Where each step overshoots a narrow valley, plain sign steps go back and forth."""

    class Valley(torch.nn.Module):
        def forward(self, x):
            steep = -((x[:, 0] - 0.5).abs() * 10)  # the loss falls on either side of 0.5
            return torch.stack([torch.zeros(len(x)), steep + x[:, 1]], 1)

    x = torch.tensor([[0.52, 0.5]])
    fmodel, y = fb.PyTorchModel(Valley(), (0, 1)), torch.tensor([0])
    options = {"abs_stepsize": 0.05, "steps": 2}
    plain = fb.attacks.MIFGSM(momentum=0.0, **options).run(fmodel, x, y, epsilon=0.3)
    torch.testing.assert_close(plain, torch.tensor([[0.52, 0.6]]))
    heavy = fb.attacks.MIFGSM(momentum=1.5, **options).run(fmodel, x, y, epsilon=0.3)
    torch.testing.assert_close(heavy, torch.tensor([[0.42, 0.6]]))


@pytest.mark.parametrize("name", MOMENTUM)
def test_random_starts_of_momentum_lie_in_the_ball_and_differ(name):
    model, x, y = case_of()
    attack = getattr(fb.attacks, name)(random_start=True, steps=0)
    fmodel = fb.PyTorchModel(model, (0, 1))
    torch.manual_seed(0)
    one, two = (attack.run(fmodel, x, y, epsilon=0.5) for _ in range(2))
    assert not torch.equal(one, two) and one.min() >= 0 and one.max() <= 1
    assert (attack.distance(x, one) <= 0.5 + 1e-6).all()


# DeepFool


@pytest.mark.parametrize("name", ["L2DeepFoolAttack", "LinfDeepFoolAttack"])
def test_deepfool_on_cross_entropies_is_deepfool_on_logits_and_the_librarys(name):
    model, x, y = case_of()
    logits, entropies = (
        getattr(fb.attacks, name)(loss=loss).run(fb.PyTorchModel(model, (0, 1)), x, y)
        for loss in ("logits", "crossentropy")
    )
    assert torch.equal(logits, entropies)
    with pytest.raises(ValueError, match="loss: expected 'logits' or 'crossentropy', got 'hinge'"):
        getattr(fb.attacks, name)(loss="hinge")
    same(
        *under_one_seed(
            lambda library, fmodel, x, y: getattr(library.attacks, name)(loss="crossentropy").run(
                fmodel, x, y
            )
        )
    )
