# SPDX-License-Identifier: Apache-2.0
"""Other libraries' interfaces: their usage examples with only the import changed, their names, and
that what is returned keeps their promises."""

import inspect

import pytest
import torch
from helpers import batch, linear_model

import namid.compat.foolbox as fb
from namid.compat import torchattacks
from namid.compat.autoattack import AutoAttack
from namid.compat.foolbox import PyTorchModel, accuracy, samples
from namid.compat.foolbox.attacks import LinfPGD

TORCHATTACKS = """VANILA GN FGSM BIM RFGSM PGD EOTPGD FFGSM TPGD MIFGSM UPGD APGD APGDT DIFGSM
TIFGSM Jitter NIFGSM PGDRS SINIFGSM VMIFGSM VNIFGSM SPSA JSMA EADL1 EADEN PIFGSM PIFGSMPP CW PGDL2 PGDRSL2
DeepFool SparseFool OnePixel Pixle FAB AutoAttack Square MultiAttack LGV""".split()
LIMITS = {"AutoAttack": 0.2, "FAB": 0.2, "SPSA": 0.3, "PIFGSM": 16 / 255, "PIFGSMPP": 16 / 255}
OF_ANY_SIZE = "GN CW DeepFool EADL1 EADEN JSMA SparseFool OnePixel Pixle".split()
LIMITS.update(dict.fromkeys(OF_ANY_SIZE, 1))  # the box alone
FOOLBOX_PRESENT = [
    norm + kind
    for norm in ("L1", "L2", "Linf")
    for kind in ("ProjectedGradientDescentAttack", "BasicIterativeAttack", "FastGradientAttack")
]


def right(n=12, classes=4):
    """A model and images that it gets right."""
    model = linear_model(classes=classes)
    x, _ = batch(n)
    return model, x, model(x).argmax(1)


# torchattacks


def test_the_readme_example_of_torchattacks():
    model, images, labels = right()
    atk = torchattacks.PGD(model, eps=8 / 255, alpha=2 / 255, steps=4)
    adv_images = atk(images, labels)
    assert (adv_images - images).abs().max() <= 8 / 255 + 1e-6
    # Assuming that inputs are normalized
    mean, std = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]
    atk.set_normalization_used(mean=mean, std=std)
    normalized = atk.normalize(images)
    moved = atk.inverse_normalize(atk(normalized, labels)) - images
    assert (moved.abs().max() <= 8 / 255 + 1e-5) and moved.abs().max() > 1e-3
    # Targeted modes
    atk = torchattacks.PGD(model, eps=0.5, alpha=0.1, steps=20)
    atk.set_mode_targeted_by_function(target_map_function=lambda images, labels: (labels + 1) % 4)
    assert (model(atk(images, labels)).argmax(1) == (labels + 1) % 4).all()
    # Strong attacks
    pgd = torchattacks.PGD(model, eps=8 / 255, alpha=2 / 255, steps=4)
    atk = torchattacks.MultiAttack([pgd, torchattacks.BIM(model)])
    assert atk(images, labels).shape == images.shape


@pytest.mark.parametrize("name", TORCHATTACKS)
def test_every_class_of_torchattacks_exists_and_attacks_within_its_ball(name):
    attack = getattr(torchattacks, name)
    model, x, y = right(4)
    if name == "MultiAttack":
        atk = attack([torchattacks.FGSM(model), torchattacks.BIM(model)])
    elif name in ("AutoAttack", "FAB"):
        atk = attack(model, eps=0.2, n_classes=4)
    elif name == "LGV":
        atk = attack(model, [(x, y)], epochs=1, eps=8 / 255, verbose=False)
    else:
        atk = attack(model)
    adv = atk(x, y)
    l2 = (adv - x).flatten(1).norm(dim=1).max()
    size = l2 * 8 / 255 if name in ("PGDL2", "PGDRSL2") else (adv - x).abs().max()
    assert size <= LIMITS.get(name, 8 / 255) + 1e-6
    assert adv.min() >= 0 and adv.max() <= 1 and name in repr(atk)


@pytest.mark.parametrize(
    "name,expected",
    [
        ("PGD", "model, eps=8/255, alpha=2/255, steps=10, random_start=True"),
        ("FGSM", "model, eps=8/255"),
        ("PGDL2", "model, eps=1.0, alpha=0.2, steps=10, random_start=True, eps_for_division=1e-10"),
        ("APGD", "model, norm='Linf', eps=8/255, steps=10, n_restarts=1, seed=0, loss='ce', "
                 "eot_iter=1, rho=0.75, verbose=False"),
        ("Square", "model, norm='Linf', eps=8/255, n_queries=5000, n_restarts=1, p_init=0.8, "
                   "loss='margin', resc_schedule=True, seed=0, verbose=False"),
        ("AutoAttack", "model, norm='Linf', eps=8/255, version='standard', n_classes=10, seed=None, "
                       "verbose=False"),
    ],
)  # fmt: skip
def test_signatures_of_torchattacks(name, expected):
    wanted = inspect.signature(eval(f"lambda {expected}: None"))
    assert inspect.signature(getattr(torchattacks, name)) == wanted


def test_fgsm_is_one_step_of_the_sign_and_ffgsm_starts_elsewhere():
    model, x, y = right(6, classes=2)
    weight = model[1].weight.detach()
    best = (x + 0.05 * (weight[1 - y] - weight[y]).reshape_as(x).sign()).clamp(0, 1)
    torch.testing.assert_close(torchattacks.FGSM(model, eps=0.05)(x, y), best)
    assert not torch.equal(torchattacks.FFGSM(model, eps=0.05, alpha=0.01)(x, y), best)


def test_torch_manual_seed_decides_random_starts():
    model, x, y = right()
    atk = torchattacks.PGD(model, steps=1)
    torch.manual_seed(5)
    one, two = atk(x, y), atk(x, y)
    torch.manual_seed(5)
    assert torch.equal(atk(x, y), one) and not torch.equal(one, two)


def test_targets_by_rank_by_chance_and_by_label():
    model, x, y = right()
    atk = torchattacks.PGD(model, eps=0.9, alpha=0.1, steps=30)
    atk.set_mode_targeted_least_likely(1, quiet=True)
    assert (model(atk(x, y)).argmax(1) == model(x).argmin(1)).all()
    atk.set_mode_targeted_random(quiet=True)
    assert (model(atk(x, y)).argmax(1) != y).all()
    atk.set_mode_targeted_by_label(quiet=True)
    assert (model(atk(x, (y + 2) % 4)).argmax(1) == (y + 2) % 4).all()
    atk.set_mode_default()
    assert atk.get_mode() == "default"
    with pytest.raises(ValueError, match="APGD"):
        torchattacks.APGD(model).set_mode_targeted_by_label()


def test_save_and_load_give_the_adversarial_images_back(tmp_path):
    model, x, y = right()
    loader = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(x, y), batch_size=5)
    atk = torchattacks.FGSM(model, eps=0.5)
    accuracy_, l2, _ = atk.save(loader, tmp_path / "adv.pt", verbose=False, return_verbose=True)
    (adv, labels), *_ = atk.load(tmp_path / "adv.pt", batch_size=12)
    assert torch.equal(labels, y) and torch.equal(adv, atk(x, y))
    assert accuracy_ == pytest.approx(100 * (model(adv).argmax(1) == y).float().mean().item())


# AutoAttack


def test_the_readme_example_of_autoattack(capsys):
    forward_pass, images, labels = right(10)
    adversary = AutoAttack(forward_pass, norm="Linf", eps=0.3, version="standard")
    x_adv = adversary.run_standard_evaluation(images, labels, bs=4)
    assert (x_adv - images).abs().max() <= 0.3 + 1e-6 and "apgd-ce" in capsys.readouterr().out
    assert adversary.clean_accuracy(x_adv, labels) < 1
    adversary = AutoAttack(forward_pass, norm="L2", eps=0.5, version="custom",
                           attacks_to_run=["apgd-ce", "fab"], verbose=False)  # fmt: skip
    adversary.apgd.n_restarts = 2
    dict_adv = adversary.run_standard_evaluation_individual(images, labels, bs=10)
    assert list(dict_adv) == ["apgd-ce", "fab"] == adversary.attacks_to_run


def test_autoattack_returns_images_and_labels_that_belong_together():
    model, x, y = right(10)
    x_adv, y_adv = AutoAttack(model, eps=0.2, seed=0, verbose=False).run_standard_evaluation(
        x, y, return_labels=True
    )
    assert torch.equal(model(x_adv).argmax(1), y_adv)
    assert torch.equal(x_adv[y_adv == y], x[y_adv == y]) and (y_adv != y).any()


def test_autoattack_refuses_what_it_does_not_know():
    model, x, y = right(2)
    wanted = ("model", "norm", "eps", "seed", "verbose", "attacks_to_run", "version", "is_tf_model",
              "device", "log_path")  # fmt: skip
    assert tuple(inspect.signature(AutoAttack).parameters) == wanted
    with pytest.raises(ValueError, match="custom"):
        AutoAttack(model, attacks_to_run=["apgd-ce"])
    custom = AutoAttack(model, version="custom", attacks_to_run=["apdg-ce"], verbose=False)
    with pytest.raises(ValueError, match="apdg-ce"):
        custom.run_standard_evaluation(x, y)


# foolbox


def test_the_examples_of_foolbox():
    model = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(784, 10)).eval()
    fmodel = PyTorchModel(
        model, bounds=(0, 1), preprocessing={"mean": [0.5], "std": [0.5], "axis": -3}
    )
    images, labels = samples(fmodel, dataset="fashionMNIST", batchsize=8)
    assert 0 <= accuracy(fmodel, images, labels) <= 1
    labels = fmodel(images).argmax(1)
    epsilons = [0.0, 0.001, 0.01, 0.1, 0.5, 1.0]
    raw_advs, clipped_advs, success = LinfPGD()(fmodel, images, labels, epsilons=epsilons)
    robust_accuracy = 1 - success.float().mean(-1)
    assert success.shape == (6, 8) and robust_accuracy[0] == 1 and robust_accuracy[-1] == 0
    for epsilon, advs in zip(epsilons, clipped_advs):
        assert ((advs - images).abs() <= epsilon + 1e-6).all()
        assert torch.equal(fmodel(advs).argmax(1) != labels, success[epsilons.index(epsilon)])
    _, adv, found = fb.attacks.FGSM()(fmodel, images, fb.Misclassification(labels), epsilons=0.1)
    assert adv.shape == images.shape and found.shape == (8,)


def test_bounds_are_the_models_own_and_epsilons_are_in_them():
    model, x, y = right()
    wide = fb.PyTorchModel(torch.nn.Sequential(Scale(1 / 255), model), bounds=(0, 255))
    _, adv, success = fb.attacks.L2PGD(steps=5)(wide, x * 255, y, epsilons=60.0)
    size = (adv - x * 255).flatten(1).norm(dim=1)
    assert (size <= 60 * (1 + 1e-5)).all() and size.max() > 50 and adv.max() <= 255
    with pytest.raises(ValueError, match="bounds"):
        fb.attacks.L2PGD()(fb.PyTorchModel(model, bounds=(0, 0.5)), x, y, epsilons=0.1)
    same = wide.transform_bounds((0, 1))
    torch.testing.assert_close(same(x), wide(x * 255))


class Scale(torch.nn.Module):
    def __init__(self, factor):
        super().__init__()
        self.factor = factor

    def forward(self, x):
        return x * self.factor


def test_targeted_criteria_and_repetitions():
    model, x, y = right()
    fmodel = fb.PyTorchModel(model, bounds=(0, 1))
    target = (y + 1) % 4
    attack = fb.attacks.LinfBasicIterativeAttack(steps=30)
    _, adv, success = attack(fmodel, x, fb.TargetedMisclassification(target), epsilons=0.9)
    assert torch.equal(model(adv).argmax(1) == target, success) and success.all()
    _, _, once = fb.attacks.PGD(steps=1)(fmodel, x, y, epsilons=0.05)
    _, _, often = fb.attacks.PGD(steps=1).repeat(5)(fmodel, x, y, epsilons=0.05)
    assert often.sum() >= once.sum()


@pytest.mark.parametrize("name", FOOLBOX_PRESENT)
def test_attacks_of_foolbox_that_namid_has_keep_to_their_ball(name):
    model, x, y = right(4)
    _, adv, success = getattr(fb.attacks, name)()(
        fb.PyTorchModel(model, (0, 1)), x, y, epsilons=0.3
    )
    delta = (adv - x).double().flatten(1)
    size = {"L1": delta.abs().sum(1), "L2": delta.norm(dim=1), "Li": delta.abs().amax(1)}[name[:2]]
    assert (size <= 0.3 + 1e-5).all() and size.max() > 0.2  # the box may cut a step short


def test_no_attack_of_foolbox_is_absent():
    absent = [name for name, each in vars(fb.attacks).items() if getattr(each, "absent", False)]
    assert not absent
    for name in ("L1PGD", "L2PGD", "LinfPGD", "PGD", "FGM", "FGSM", "MIFGSM", "AdamPGD"):
        assert hasattr(fb.attacks, name)
    with pytest.raises(NotImplementedError, match="imagenet"):
        fb.samples(None)
