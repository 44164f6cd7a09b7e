# SPDX-License-Identifier: Apache-2.0
"""foolbox's interface to momentum, DeepFool and fast minimum-norm attacks: against the library where
it is installed, else against namid.attacks and a linear model's boundary."""

import pytest
import torch
from foolbox_cases import assert_signature_is_the_librarys, case_of, same, under_one_seed
from helpers import linear_model

import namid
import namid.compat.foolbox as fb

FMN = [f"{n}FMNAttack" for n in ("L0", "L1", "L2", "LInf")]
MOMENTUM = [f"{n}MomentumIterativeFastGradientMethod" for n in ("L1", "L2", "Linf")]


@pytest.mark.parametrize("name", [*MOMENTUM, *FMN, "L2DeepFoolAttack", "LinfDeepFoolAttack"])
def test_signatures_are_the_librarys(name):
    assert_signature_is_the_librarys(name)


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


@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_momentum_is_that_of_namid_attacks_as_foolbox(norm):
    model, x, y = case_of()
    name = f"{norm.capitalize()}MomentumIterativeFastGradientMethod"
    attack = getattr(fb.attacks, name)(momentum=0.7, abs_stepsize=0.04, steps=6)
    adv = attack.run(fb.PyTorchModel(model, (0, 1)), x, y, epsilon=0.2)
    found = namid.attacks.mi_fgsm(
        model, x, y, norm=norm, epsilon=0.2, step_size=0.04, steps=6, decay=0.7, compat="foolbox"
    )
    left = ~found.success | (model(x).argmax(1) != y)  # namid keeps what is wrong already
    torch.testing.assert_close(found.adv[~left], adv[~left], rtol=0, atol=1e-5)
    assert (~left).any()


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


# Fast minimum-norm attacks


@pytest.mark.parametrize("way", ["points", "init_attack"])
@pytest.mark.parametrize("name", ["L1FMNAttack", "LInfFMNAttack"])
def test_minimum_norms_from_starting_points_are_the_librarys(name, way):
    def attack(library, fmodel, x, y):
        noise = library.attacks.LinearSearchBlendedUniformNoiseAttack(steps=20)
        options = {"steps": 40, "min_stepsize": 0.05, "gamma": 0.1, "binary_search_steps": 7}
        made = getattr(library.attacks, name)
        if way == "init_attack":
            return made(init_attack=noise, **options).run(fmodel, x, y)
        target = library.TargetedMisclassification(fmodel(x).argmax(1).roll(1, 0))
        raws, clipped, success = made(**options)(
            fmodel, x, target, epsilons=[None, 0.05], starting_points=x.roll(1, 0)
        )
        return torch.cat([*raws, *clipped])

    same(*under_one_seed(attack), atol=1e-5)


def test_l2_perturbations_from_starting_points_are_no_larger_than_the_librarys():
    def attack(library, fmodel, x, y):
        noise = library.attacks.LinearSearchBlendedUniformNoiseAttack(steps=20)
        adv = library.attacks.L2FMNAttack(init_attack=noise).run(fmodel, x, y)
        return library.distances.l2(x, adv)

    theirs, ours = under_one_seed(attack)
    assert (ours <= theirs + 1e-4).all() and ours.sum() < 0.9 * theirs.sum()


@pytest.mark.parametrize("targeted", [False, True])
@pytest.mark.parametrize("name", FMN)
def test_minimum_norms_are_those_of_namid_attacks(name, targeted):
    model, x, y = case_of()
    fmodel = fb.PyTorchModel(model, (0, 1))
    labels = (y + 1) % 5 if targeted else y
    criterion = fb.TargetedMisclassification(labels) if targeted else labels
    attack = getattr(fb.attacks, name)()
    adv = attack.run(fmodel, x, criterion)
    norm = name[:-9].lower()
    found = namid.attacks.fmn(
        model, x, labels, norm=norm, epsilon=1.0 if norm == "linf" else 1e6,
        targeted=targeted, compat="reference",
    )
    if norm == "l0":  # of several as sparse this one keeps the last
        assert torch.equal(attack.distance(x, adv), attack.distance(x, found.adv))
    else:
        torch.testing.assert_close(adv, found.adv, rtol=0, atol=1e-5)
    assert attack.min_stepsize == 0.01


@pytest.mark.parametrize("name", FMN)
def test_minimum_norms_from_afar_end_near_a_linear_boundary(name):
    model = linear_model(classes=2)
    torch.manual_seed(1)
    x = 0.3 + 0.4 * torch.rand(8, 3, 2, 2)
    y = model(x).argmax(1)
    weight = model[1].weight.detach()
    slope, start = weight[1 - y] - weight[y], None
    start = torch.where(slope > 0, 1.0, 0.0).reshape_as(x)
    fooled = model(start).argmax(1) != y
    start[0], fooled[0] = x[0], False  # from there as if none were given
    fmodel = fb.PyTorchModel(model, (0, 1))
    attack = getattr(fb.attacks, name)()
    raw, clipped, success = attack(fmodel, x, y, epsilons=[None, 1.0], starting_points=start)
    assert success[0].all() and fooled.sum() > 5
    plain = attack.run(fmodel, x, y)
    assert torch.equal(raw[0][0], plain[0]) and not torch.equal(raw[0], plain)
    assert (attack.distance(x, clipped[1]) <= 1 + 1e-5).all()
    size, other = attack.distance(x, raw[0]), attack.distance(x, plain)
    assert (size <= other * 1.25 + 1e-6).all() and (size < attack.distance(x, start) / 2)[1:].all()
    init = fb.attacks.LinearSearchBlendedUniformNoiseAttack(steps=10)
    started = getattr(fb.attacks, name)(init_attack=init, min_stepsize=0.1, steps=30)
    assert started(fmodel, x, y, epsilons=None)[2].all() and "min_stepsize=0.1" in repr(started)


def test_minimum_norm_options_are_checked():
    model, x, y = case_of()
    for options, word in (
        ({"steps": 0}, "steps: expected at least 1"),
        (
            {"min_stepsize": 2.0},
            "min_stepsize: expected above 0, at most max_stepsize 1.0, got 2.0",
        ),
        ({"min_stepsize": 0.0}, "min_stepsize"),
    ):
        with pytest.raises(ValueError, match=word):
            fb.attacks.L2FMNAttack(**options)
    with pytest.raises(ValueError, match="starting_points"):
        fb.attacks.L2FMNAttack().run(fb.PyTorchModel(model, (0, 1)), x, y, starting_points=x[:1])
