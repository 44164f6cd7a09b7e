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
    ("PIFGSMPP", {}),
    ("SPSA", {"eps": 8 / 255, "nb_iter": 3, "nb_sample": 50, "max_batch_size": 20}),
    ("DIFGSM", {"random_start": True, "decay": 1.0}),
    ("DIFGSM", {"diversity_prob": 1.0, "resize_rate": 0.6}),
    ("TIFGSM", {"random_start": True, "len_kernel": 5, "nsig": 2}),
    ("TIFGSM", {"kernel_name": "linear", "len_kernel": 3}),
    ("TIFGSM", {"kernel_name": "uniform", "diversity_prob": 0.7}),
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
def test_results_are_the_librarys_under_the_same_seed(name, options, targeted, monkeypatch):
    peer = pytest.importorskip("torchattacks", reason="torchattacks is not installed")
    askew = peer.PIFGSMPP.gaussian_kern  # its columns lie where the channels belong
    monkeypatch.setattr(
        peer.PIFGSMPP, "gaussian_kern", lambda *given: askew(*given).transpose(0, 3)
    )
    if targeted and name == "PIFGSM":
        pytest.skip("PIFGSM is not targeted")
    model, x, y = case_of()
    found = []
    for library in (peer, torchattacks):
        attack = getattr(library, name)(model, **options)
        if targeted:
            attack.set_mode_targeted_by_function(lambda images, labels: after(labels))
        aims_at_labels = targeted and library is peer and name in ("PIFGSMPP", "SPSA")
        torch.manual_seed(7)
        found.append(attack(x, after(y) if aims_at_labels else y))
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
    limit = 16 / 255 if name in ("PIFGSM", "PIFGSMPP") else 8 / 255
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
    for name in ("RFGSM", "UPGD", "SINIFGSM", "VMIFGSM", "VNIFGSM", "DIFGSM"):
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
    for name in ("UPGD", "SINIFGSM", "VMIFGSM", "VNIFGSM", "PIFGSM", "PGDRSL2", "DIFGSM", "SPSA"):
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


def test_estimated_gradients_point_to_the_boundary_and_to_targets():
    """SPSA's estimate is unbiased: on a linear model its mean is the gradient of the margin."""
    model = linear_model(classes=2)
    torch.manual_seed(1)
    x = 0.3 + 0.4 * torch.rand(6, 3, 2, 2)
    y = model(x).argmax(1)
    weight = model[1].weight.detach()
    slope = (weight[1 - y] - weight[y]).reshape_as(x)
    adv = torchattacks.SPSA(model, eps=0.05, lr=0.02, nb_iter=4, nb_sample=5000)(x, y)
    steep = slope.abs() > 0.1
    torch.testing.assert_close(adv[steep], (x + 0.05 * slope.sign())[steep])
    model, x, y = case_of()
    attack = torchattacks.SPSA(model, eps=0.6, lr=0.05, nb_iter=20)
    for mode in ("function", "label"):
        if mode == "label":
            attack.set_mode_targeted_by_label(quiet=True)
        else:
            attack.set_mode_targeted_by_function(lambda images, labels: after(labels), quiet=True)
        adv = attack(x, after(y) if mode == "label" else y)
        assert (model(adv).argmax(1) == after(y)).float().mean() > 0.8
    attack = torchattacks.PIFGSMPP(model, max_epsilon=0.4)
    attack.set_mode_targeted_by_function(lambda images, labels: after(labels), quiet=True)
    loss = torch.nn.functional.cross_entropy
    assert loss(model(attack(x, y)), after(y)) < loss(model(x), after(y)) - 0.5


def test_queries_of_an_estimate_are_two_per_sample_and_image():
    model, x, y = case_of()
    seen = []
    model.register_forward_pre_hook(lambda module, given: seen.append(len(given[0])))
    torchattacks.SPSA(model, nb_iter=2, nb_sample=50, max_batch_size=20)(x, y)
    assert seen == [160, 160, 160, 160, 80, 80] * 2  # 8 images


def test_resized_images_have_the_shape_of_the_image_and_padding_around():
    model, *_ = case_of()
    for shape in ((4, 2, 9, 9), (4, 2, 6, 12), (4, 2, 12, 5), (4, 2, 1, 1), (4, 2, 3, 40)):
        attack = torchattacks.DIFGSM(model, resize_rate=0.7, diversity_prob=1.0)
        ones = torch.ones(shape)
        torch.manual_seed(1)
        seen = [attack.resized(ones) for _ in range(20)]
        assert all(each.shape == shape for each in seen)
        shares = torch.tensor([float(each.mean()) for each in seen])
        assert (shares <= 1).all() and (shares >= 0.7**2 - 0.3).all()
        assert shape[-1] == 1 or len(shares.unique()) > 1
    larger = torchattacks.DIFGSM(model, resize_rate=1.5, diversity_prob=1.0)
    assert larger.resized(torch.ones(1, 1, 8, 8)).shape == (1, 1, 12, 12)
    never = torchattacks.DIFGSM(model, resize_rate=1.0)
    assert never.resized(ones) is ones


def test_wrong_options_are_named():
    model, *_ = case_of()
    for make, word in (
        (lambda: torchattacks.SPSA(model, nb_sample=0), "SPSA: nb_sample: expected at least 1"),
        (lambda: torchattacks.SPSA(model, delta=0), "SPSA: delta: expected more than 0"),
        (lambda: torchattacks.DIFGSM(model, steps=-1), "DIFGSM: steps: expected at least 0"),
        (lambda: torchattacks.DIFGSM(model, resize_rate=0), "DIFGSM: resize_rate"),
        (
            lambda: torchattacks.TIFGSM(model, kernel_name="box"),
            "TIFGSM: kernel_name: expected one",
        ),
        (lambda: torchattacks.PIFGSMPP(model, num_iter_set=-1), "PIFGSMPP: num_iter_set"),
    ):
        with pytest.raises(ValueError, match=word):
            make()


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
