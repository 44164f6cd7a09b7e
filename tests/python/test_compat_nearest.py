# SPDX-License-Identifier: Apache-2.0
"""Other libraries' interfaces to the attacks with momentum and to searches for the nearest
adversarial image, against the closed form of a linear model's nearest boundary."""

import inspect

import pytest
import torch
from helpers import batch, linear_model

import namid
import namid.compat.foolbox as fb
from namid.compat import torchattacks


def linear_case(n=6):
    """A linear model of two classes, images in the middle of the box, labels that it gives them, and
    the L1, L2 and L-inf distances to its boundary."""
    model = linear_model(classes=2)
    x = 0.3 + 0.4 * batch(n)[0]
    logits = model(x).detach()
    weight = model[1].weight.detach()
    steepness = (weight[0] - weight[1]).flatten()
    gap = (logits[:, 0] - logits[:, 1]).abs()
    sizes = {"l1": steepness.abs().max(), "l2": steepness.norm(), "linf": steepness.abs().sum()}
    return model, x, logits.argmax(1), {norm: gap / size for norm, size in sizes.items()}


def sizes_of(delta, norm):
    delta = delta.double().flatten(1)
    return {"l1": delta.abs().sum(1), "l2": delta.norm(dim=1), "linf": delta.abs().amax(1)}[norm]


@pytest.mark.parametrize(
    "name,norm,factor,options",
    [
        ("DDNAttack", "l2", 1.1, {"steps": 100}),
        ("L2CarliniWagnerAttack", "l2", 1.1, {"steps": 100}),
        ("L2DeepFoolAttack", "l2", 1.05, {}),
        ("LinfDeepFoolAttack", "linf", 1.1, {}),
        ("L1FMNAttack", "l1", 1.5, {}),
        ("L2FMNAttack", "l2", 1.1, {}),
        ("LInfFMNAttack", "linf", 1.2, {}),
    ],
)
def test_nearest_images_of_foolbox_lie_just_over_a_linear_boundary(name, norm, factor, options):
    model, x, y, distances = linear_case()
    attack = getattr(fb.attacks, name)(**options)
    raw, clipped, success = attack(fb.PyTorchModel(model, (0, 1)), x, y, epsilons=None)
    assert success.all() and torch.equal(raw, clipped)
    sizes = sizes_of(raw - x, norm) / distances[norm]
    assert (sizes > 1 - 1e-3).all() and (sizes < factor + 0.05).all(), sizes


def test_one_search_of_foolbox_serves_every_epsilon():
    model, x, y, distances = linear_case()
    near, far = float(distances["l2"].min()) / 2, float(distances["l2"].max()) * 2
    fmodel = fb.PyTorchModel(model, (0, 1))
    raws, clipped, success = fb.attacks.L2DeepFoolAttack()(
        fmodel, x, y, epsilons=[near, far, None]
    )
    assert torch.equal(raws[0], raws[2]) and torch.equal(clipped[2], raws[2])
    assert success.tolist() == [[False] * 6, [True] * 6, [True] * 6]
    assert (sizes_of(clipped[0] - x, "l2") <= near * (1 + 1e-5)).all()
    assert torch.equal(fmodel(clipped[1]).argmax(1) != y, success[1])


def test_wide_bounds_of_foolbox_scale_distances_and_steps_alone():
    class Divide(torch.nn.Module):
        def forward(self, x):
            return x / 255

    model, x, y, distances = linear_case()
    wide = fb.PyTorchModel(torch.nn.Sequential(Divide(), model), (0, 255))
    for attack in (
        fb.attacks.DDNAttack(init_epsilon=255.0),
        fb.attacks.L2CarliniWagnerAttack(steps=100, initial_const=0.001 * 255**2),
        fb.attacks.L2FMNAttack(max_stepsize=255.0),
        fb.attacks.L2DeepFoolAttack(),
    ):
        raw, _, success = attack(wide, x * 255, y, epsilons=None)
        sizes = sizes_of(raw - x * 255, "l2") / 255 / distances["l2"]
        assert success.all() and (sizes < 1.15).all() and (sizes > 1 - 1e-3).all(), attack


@pytest.mark.parametrize("candidates", [None, 3])
def test_deepfool_of_foolbox_adds_up_steps_that_know_no_box(candidates):
    torch.manual_seed(2)
    model = torch.nn.Sequential(
        torch.nn.Flatten(), torch.nn.Linear(27, 12), torch.nn.Tanh(), torch.nn.Linear(12, 5)
    )
    model[1].weight.data *= 4  # curved enough for many steps
    x = torch.rand(24, 3, 3, 3).round()  # in corners of the box, which cuts half of each step
    y = model(x).argmax(1)
    fmodel = fb.PyTorchModel(model, (0, 1))
    raw, _, _ = fb.attacks.L2DeepFoolAttack(candidates=candidates)(fmodel, x, y, epsilons=None)
    others = {"epsilon": 1e6, "norm": "l2", "candidates": 4 if candidates is None else 2}
    summed = namid.attacks.deepfool(model, x, y, compat="foolbox", **others)
    clipped = namid.attacks.deepfool(model, x, y, bisections=0, **others)
    torch.testing.assert_close(raw, summed.adv)
    assert not torch.allclose(raw, clipped.adv, atol=1e-3)


def test_foolbox_moves_towards_targets_where_the_attack_can():
    model = linear_model(classes=4)
    x = batch(5)[0]
    y = model(x).argmax(1)
    target = fb.TargetedMisclassification((y + 1) % 4)
    fmodel = fb.PyTorchModel(model, (0, 1))
    for attack in (fb.attacks.DDNAttack(), fb.attacks.L2CarliniWagnerAttack(steps=200)):
        _, adv, success = attack(fmodel, x, target, epsilons=None)
        assert torch.equal(model(adv).argmax(1) == (y + 1) % 4, success) and success.all(), attack
    _, adv, success = fb.attacks.L2FMNAttack()(fmodel, x, target, epsilons=None)
    assert torch.equal(model(adv).argmax(1) == (y + 1) % 4, success) and success.float().mean() > 0.5
    assert torch.equal(adv[~success], x[~success])  # what it does not break is left alone
    with pytest.raises(ValueError, match="L2DeepFoolAttack is not targeted"):
        fb.attacks.L2DeepFoolAttack()(fmodel, x, target, epsilons=None)


def test_momentum_of_foolbox_keeps_to_its_ball_and_moves():
    model, x, y, _ = linear_case()
    fmodel = fb.PyTorchModel(model, (0, 1))
    for attack, norm in (
        (fb.attacks.MIFGSM(), "linf"),
        (fb.attacks.L2MomentumIterativeFastGradientMethod(abs_stepsize=0.05), "l2"),
    ):
        _, adv, success = attack(fmodel, x, y, epsilons=0.2)
        sizes = sizes_of(adv - x, norm)
        assert (sizes <= 0.2 + 1e-6).all() and (sizes > 0.15).all()
        assert torch.equal(model(adv).argmax(1) != y, success)


def test_what_foolbox_takes_and_namid_does_not_is_refused_by_name():
    model, x, y, _ = linear_case()
    for make, word in (
        (lambda: fb.attacks.DDNAttack().repeat(3), "repeat"),
        (lambda: fb.attacks.SpatialAttack(num_rotations=1), "num_rotations"),
    ):
        with pytest.raises(NotImplementedError, match=word):
            make()
    with pytest.raises(ValueError, match="candidates"):
        fb.attacks.L2DeepFoolAttack(candidates=1)
    with pytest.raises(ValueError, match="bounds"):
        fb.attacks.DDNAttack()(fb.PyTorchModel(model, (0, 0.1)), x, y, epsilons=None)


# torchattacks


def test_nearest_images_of_torchattacks_lie_over_the_boundary():
    model, x, y, distances = linear_case()
    adv = torchattacks.DeepFool(model, steps=50, overshoot=0.02)(x, y)
    sizes = sizes_of(adv - x, "l2") / distances["l2"]
    assert (model(adv).argmax(1) != y).all() and (sizes < 1.05).all() and (sizes > 1).all()
    again, classes = torchattacks.DeepFool(model).forward_return_target_labels(x, y)
    assert torch.equal(again, adv) and torch.equal(classes, 1 - y)
    adv = torchattacks.CW(model, c=100, kappa=0, steps=200, lr=0.01)(x, y)
    broken = model(adv).argmax(1) != y
    assert broken.all() and (sizes_of(adv - x, "l2") >= distances["l2"] * (1 - 1e-3)).all()
    weak = torchattacks.CW(model, c=1e-6, steps=5)(x, y)
    assert torch.equal(weak[model(weak).argmax(1) == y], x[model(weak).argmax(1) == y])


def test_momentum_of_torchattacks_adds_the_gradients_of_before():
    model, x, y, _ = linear_case()
    # On a linear model every gradient is the same: momentum changes nothing, and ten steps of
    # eps / 10 end in the corner that one step of FGSM reaches.
    expected = torchattacks.FGSM(model, eps=0.1)(x, y)
    for attack in (torchattacks.MIFGSM, torchattacks.NIFGSM):
        adv = attack(model, eps=0.1, alpha=0.011, steps=10, decay=1.0)(x, y)
        torch.testing.assert_close(adv, expected)


def test_attacks_for_transfer_of_torchattacks_take_its_arguments():
    model, x, y, _ = linear_case()
    same = torchattacks.DIFGSM(model, eps=0.1, alpha=0.011, diversity_prob=0.0)(x, y)
    torch.testing.assert_close(same, torchattacks.FGSM(model, eps=0.1)(x, y))
    one = torchattacks.TIFGSM(model, eps=0.1, alpha=0.011, len_kernel=1, diversity_prob=0.0)(x, y)
    torch.testing.assert_close(one, same)
    wide = torchattacks.TIFGSM(model, eps=0.1, kernel_name="linear", resize_rate=0.8)(x, y)
    assert not torch.equal(wide, same) and ((wide - x).abs() <= 0.1 + 1e-6).all()


@pytest.mark.parametrize(
    "name,expected",
    [
        ("MIFGSM", "model, eps=8/255, alpha=2/255, steps=10, decay=1.0"),
        ("NIFGSM", "model, eps=8/255, alpha=2/255, steps=10, decay=1.0"),
        ("DIFGSM", "model, eps=8/255, alpha=2/255, steps=10, decay=0.0, resize_rate=0.9, "
                   "diversity_prob=0.5, random_start=False"),
        ("TIFGSM", "model, eps=8/255, alpha=2/255, steps=10, decay=0.0, kernel_name='gaussian', "
                   "len_kernel=15, nsig=3, resize_rate=0.9, diversity_prob=0.5, random_start=False"),
        ("CW", "model, c=1, kappa=0, steps=50, lr=0.01"),
        ("DeepFool", "model, steps=50, overshoot=0.02"),
    ],
)  # fmt: skip
def test_signatures_of_torchattacks(name, expected):
    wanted = inspect.signature(eval(f"lambda {expected}: None"))
    assert inspect.signature(getattr(torchattacks, name)) == wanted


def test_rotations_and_shifts_of_foolbox():
    torch.manual_seed(3)
    model = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(64, 4)).eval()
    x = torch.rand(12, 1, 8, 8)
    y = model(x).argmax(1)
    y[0] = (y[0] + 1) % 4  # wrong as it is
    fmodel = fb.PyTorchModel(model, (0, 1))
    adv, same, success = fb.attacks.SpatialAttack()(fmodel, x, y)
    assert torch.equal(adv, same) and torch.equal(model(adv).argmax(1) != y, success)
    assert success.sum() > 1 and torch.equal(adv[0], x[0])
    assert torch.equal(adv[~success], x[~success])
    found = namid.attacks.spatial_grid(model, x, y, unit="foolbox")
    assert torch.equal(found.success, success) and torch.equal(found.adv, adv)
    assert found.cell[0] == -1 and found.failing[0] > 0
    assert found.cells == 125 and found.forwards == 126 * 12 and (found.failing <= 125).all()
    with pytest.raises(ValueError, match="not targeted"):
        fb.attacks.SpatialAttack()(fmodel, x, fb.TargetedMisclassification(y))
    with pytest.raises(ValueError, match="repeat"):
        fb.attacks.SpatialAttack().repeat(2)
    assert fb.attacks.SpatialAttack(grid_search=False, random_steps=5).repeat(2).random_steps == 10
    with pytest.raises(ValueError, match="max_rotations.*max_rotation"):
        namid.attacks.spatial_grid(model, x, y, max_rotations=3)
