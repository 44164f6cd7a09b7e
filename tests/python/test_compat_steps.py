# SPDX-License-Identifier: Apache-2.0
"""torchattacks' interface to sign steps that namid's own attacks do not take: against the library
itself where it is installed, else against what the attacks promise."""

import inspect

import pytest
import torch
from helpers import linear_model

from namid.compat import torchattacks

CASES = [
    ("RFGSM", {}),
    ("UPGD", {}),
    ("UPGD", {"loss": "dlr", "random_start": True, "eot_iter": 2}),
    ("UPGD", {"loss": "margin", "decay": 0.5}),
    ("Jitter", {}),
    ("Jitter", {"std": 0, "random_start": False}),
    ("PGDRS", {}),
    ("PGDRS", {"noise_type": "uniform", "batch_max": 20}),
    ("PGDRSL2", {}),
    ("SINIFGSM", {}),
    ("VMIFGSM", {}),
    ("VNIFGSM", {"N": 3}),
    ("PIFGSM", {}),
]
LINF = [case for case in CASES if case[0] != "PGDRSL2"]


def case_of(classes=5):
    """A small network, images and labels, the first of them wrong."""
    torch.manual_seed(3)
    hidden = [torch.nn.Flatten(), torch.nn.Linear(108, 16), torch.nn.Tanh()]
    model = torch.nn.Sequential(*hidden, torch.nn.Linear(16, classes)).eval()
    x = torch.rand(8, 3, 6, 6)
    y = model(x).argmax(1)
    y[0] = (y[0] + 1) % classes
    return model, x, y


def after(labels):
    return (labels + 1) % 5


@pytest.mark.parametrize("name,options", CASES)
@pytest.mark.parametrize("targeted", [False, True])
def test_results_are_the_librarys_under_the_same_seed(name, options, targeted):
    peer = pytest.importorskip("torchattacks", reason="torchattacks is not installed")
    if targeted and name == "PIFGSM":
        pytest.skip("PIFGSM is not targeted")
    model, x, y = case_of()
    found = []
    for library in (peer, torchattacks):
        attack = getattr(library, name)(model, **options)
        if targeted:
            attack.set_mode_targeted_by_function(lambda images, labels: after(labels))
        torch.manual_seed(7)
        found.append(attack(x, y))
    torch.testing.assert_close(found[1], found[0], rtol=0, atol=1e-6)
    assert (found[1] - x).abs().max() > 0.01


@pytest.mark.parametrize("name", sorted({name for name, _ in CASES}))
def test_signatures_are_the_librarys(name):
    peer = pytest.importorskip("torchattacks", reason="torchattacks is not installed")
    wanted = inspect.signature(getattr(peer, name))
    assert inspect.signature(getattr(torchattacks, name)) == wanted


@pytest.mark.parametrize("name,options", LINF)
def test_steps_keep_to_the_ball_and_raise_the_loss(name, options):
    model, x, y = case_of()
    attack = getattr(torchattacks, name)(model, **options)
    torch.manual_seed(0)
    adv = attack(x, y)
    torch.manual_seed(0)
    assert torch.equal(attack(x, y), adv), "the seed decides"
    limit = 16 / 255 if name == "PIFGSM" else 8 / 255
    assert (adv - x).abs().max() <= limit + 1e-6 and adv.min() >= 0 and adv.max() <= 1
    loss = torch.nn.functional.cross_entropy
    assert loss(model(adv), y) > loss(model(x), y) + 0.01, name


def test_on_a_linear_model_of_two_classes_all_steps_go_the_same_way():
    model = linear_model(classes=2)
    torch.manual_seed(1)
    x = 0.3 + 0.4 * torch.rand(6, 3, 2, 2)
    y = model(x).argmax(1)
    weight = model[1].weight.detach()
    best = x + 0.05 * (weight[1 - y] - weight[y]).reshape_as(x).sign()
    for name in ("UPGD", "SINIFGSM", "VMIFGSM", "VNIFGSM"):
        adv = getattr(torchattacks, name)(model, eps=0.05, alpha=0.02, steps=5)(x, y)
        torch.testing.assert_close(adv, best, msg=name)
    adv = torchattacks.RFGSM(model, eps=0.05, alpha=0.02, steps=8)(x, y)
    torch.testing.assert_close(adv, best)  # wherever it starts
    adv = torchattacks.PGDRSL2(model, eps=0.1, alpha=0.05, steps=5, noise_sd=0.01)(x, y)
    size = (adv - x).flatten(1).norm(dim=1)
    torch.testing.assert_close(size, torch.full_like(size, 0.1))


def test_targets_are_reached_and_labels_may_be_left_out():
    model, x, y = case_of()
    for name in ("RFGSM", "UPGD", "SINIFGSM", "VMIFGSM", "VNIFGSM"):
        attack = getattr(torchattacks, name)(model, eps=0.6, alpha=0.05, steps=30)
        attack.set_mode_targeted_by_function(lambda images, labels: after(labels), quiet=True)
        assert (model(attack(x, y)).argmax(1) == after(y)).float().mean() > 0.8, name
        attack.set_mode_default()
        assert attack(x).shape == x.shape, name


def test_a_flat_model_moves_nothing_and_gives_no_nan():
    class Flat(torch.nn.Module):
        def forward(self, x):
            return x.flatten(1)[:, :5] * 0

    _, x, y = case_of()
    for name in ("UPGD", "SINIFGSM", "VMIFGSM", "VNIFGSM", "PIFGSM", "PGDRSL2"):
        assert torch.equal(getattr(torchattacks, name)(Flat())(x, y), x), name


def test_models_come_back_as_they_were_and_wrong_input_is_refused():
    model, x, y = case_of()
    model.train()
    torchattacks.VMIFGSM(model, steps=1)(x, y)
    assert model.training and all(p.requires_grad and p.grad is None for p in model.parameters())
    with pytest.raises(ValueError, match="images in .0, 1."):
        torchattacks.RFGSM(model)(x * 2, y)
    with pytest.raises(ValueError, match="divide by 255"):
        torchattacks.UPGD(model)((x * 255).byte(), y)
    with pytest.raises(ValueError, match="huber is not valid"):
        torchattacks.UPGD(model, loss="huber")
    with pytest.raises(ValueError, match="noise_type"):
        torchattacks.PGDRS(model, noise_type="gaussian")
    with pytest.raises(ValueError, match="PIFGSM: expected images"):
        torchattacks.PIFGSM(model)(x.flatten(1), y)
    with pytest.raises(ValueError, match="cannot move towards"):
        torchattacks.PIFGSM(model).set_mode_targeted_by_label()


def test_normalised_inputs_are_attacked_in_the_units_of_images():
    model, x, y = case_of()
    normal = torch.nn.Sequential(Rescale(0.5, 0.25), *model)
    attack = torchattacks.VMIFGSM(normal)
    attack.set_normalization_used(mean=[0.5] * 3, std=[0.25] * 3)
    torch.manual_seed(0)
    through = attack.inverse_normalize(attack(attack.normalize(x), y))
    torch.manual_seed(0)
    plain = torchattacks.VMIFGSM(model)(x, y)
    assert (through - x).abs().max() <= 8 / 255 + 1e-5
    assert ((through - plain).abs() > 1e-4).float().mean() < 0.02  # signs near 0 may turn


class Rescale(torch.nn.Module):
    """Undoes a normalisation."""

    def __init__(self, mean, std):
        super().__init__()
        self.mean, self.std = mean, std

    def forward(self, x):
        return x * self.std + self.mean
