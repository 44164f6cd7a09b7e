# SPDX-License-Identifier: Apache-2.0
"""The usage examples on the other libraries' own pages (README, guide and examples folder) with only
the import changed, small models and built-in images in place of downloads. Those of test_compat.py
are not repeated."""

import numpy as np
import pytest
import torch
from helpers import batch, linear_model

import namid.compat.foolbox as fb
import namid.compat.foolbox.attacks as fa
from namid.compat import torchattacks
from namid.compat.foolbox import PyTorchModel, accuracy, samples
from namid.compat.foolbox.attacks import LinfPGD
from namid.compat.foolbox.criteria import Misclassification, TargetedMisclassification
from namid.compat.foolbox.models import ExpectationOverTransformationWrapper

EPSILONS = [0.0, 0.001, 0.01, 0.03, 0.1, 0.3, 0.5, 1.0]


def fashion_case(count=8):
    """A model, its preprocessing, and images that it gets right but for the first."""
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(784, 10)).eval()
    preprocessing = dict(mean=[0.485], std=[0.229], axis=-3)
    fmodel = PyTorchModel(model, bounds=(0, 1), preprocessing=preprocessing)
    images, _ = samples(fmodel, dataset="fashionMNIST", batchsize=count)
    labels = fmodel(images).argmax(1)
    labels[0] = (labels[0] + 1) % 10
    return model, preprocessing, images, labels


def eagerpy_or_skip():
    return pytest.importorskip("eagerpy", reason="eagerpy is not installed")


# foolbox: guide/getting-started.md


def test_the_guide_of_foolbox():
    model, preprocessing, images, labels = fashion_case()
    bounds = (0, 1)
    fmodel = fb.PyTorchModel(model, bounds=bounds, preprocessing=preprocessing)
    fmodel = fmodel.transform_bounds((0, 1))
    given, _ = fb.utils.samples(fmodel, dataset="fashionMNIST", batchsize=8)
    assert torch.equal(given, images) and fb.utils.accuracy(fmodel, images, labels) == 7 / 8

    attack = fb.attacks.LinfDeepFoolAttack()
    raw, clipped, is_adv = attack(fmodel, images, labels, epsilons=0.03)
    assert raw.shape == images.shape and is_adv.shape == (8,) and is_adv[0]
    assert (clipped - images).abs().max() <= 0.03 + 1e-6
    assert torch.equal(fmodel(clipped).argmax(1) != labels, is_adv)

    epsilons = np.linspace(0.0, 0.005, num=20)
    raw, clipped, is_adv = attack(fmodel, images, labels, epsilons=epsilons)
    assert len(raw) == len(clipped) == 20 and is_adv.shape == (20, 8)
    robust_accuracy = 1 - is_adv.float().mean(dim=-1)
    assert robust_accuracy[0] == 7 / 8 and (robust_accuracy.diff() <= 0).all()
    assert np.asarray(robust_accuracy).shape == epsilons.shape  # as matplotlib takes them


# foolbox: examples/


def test_foolbox_single_attack():
    ep = eagerpy_or_skip()
    model, preprocessing, images, labels = fashion_case()
    fmodel = PyTorchModel(model, bounds=(0, 1), preprocessing=preprocessing)
    images, labels = ep.astensors(images, labels)
    assert accuracy(fmodel, images, labels) == 7 / 8

    attack = LinfPGD()
    advs, _, success = attack(fmodel, images, labels, epsilons=EPSILONS)
    robust_accuracy = 1 - success.float32().mean(axis=-1)
    assert [acc.item() for acc in robust_accuracy][::7] == [7 / 8, 0]
    for eps, acc, advs_ in zip(EPSILONS, robust_accuracy, advs):
        assert accuracy(fmodel, advs_, labels) == pytest.approx(acc.item())
        assert ((advs_ - images).norms.linf(axis=(1, 2, 3)).numpy() <= eps + 1e-6).all()


def several_attacks(fmodel, images, labels):
    """(names, robust accuracy of the best attack on each sample) of the example's attacks."""
    attacks = [
        fa.FGSM(),
        fa.LinfPGD(),
        fa.LinfBasicIterativeAttack(),
        fa.LinfAdditiveUniformNoiseAttack(),
        fa.LinfDeepFoolAttack(),
    ]
    attack_success = np.zeros((len(attacks), len(EPSILONS), len(images)), dtype=bool)
    for i, attack in enumerate(attacks):
        _, _, success = attack(fmodel, images, labels, epsilons=EPSILONS)
        assert success.shape == (len(EPSILONS), len(images))
        success_ = success.numpy()
        assert success_.dtype == bool
        attack_success[i] = success_
    each = 1.0 - attack_success.mean(axis=-1).round(2)
    return each, 1.0 - attack_success.max(axis=0).mean(axis=-1)


@pytest.mark.parametrize("wrapped", [False, True])
def test_foolbox_multiple_attacks(wrapped):
    model, preprocessing, images, labels = fashion_case()
    fmodel = PyTorchModel(model, bounds=(0, 1), preprocessing=preprocessing)
    if wrapped:
        images, labels = eagerpy_or_skip().astensors(images, labels)
    each, robust_accuracy = several_attacks(fmodel, images, labels)
    assert robust_accuracy[0] == 7 / 8 and robust_accuracy[-1] == 0
    assert (robust_accuracy <= each.min(0) + 0.01).all() and (np.diff(robust_accuracy) <= 0).all()


class Randomized(torch.nn.Module):
    """A model that shifts its images at random."""

    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward(self, x):
        return self.model(x.roll(int(torch.randint(-2, 3, ())), 3))


def test_foolbox_expectation_over_transformation():
    model, preprocessing, images, labels = fashion_case()
    fmodel = PyTorchModel(Randomized(model), bounds=(0, 1), preprocessing=preprocessing)
    eot_model = ExpectationOverTransformationWrapper(fmodel, n_steps=16)
    labels = torch.stack([eot_model(images) for _ in range(8)]).mean(0).argmax(1)

    def robust(attacked, eps):
        torch.manual_seed(1111)
        _, advs, _ = LinfPGD()(attacked, images, labels, epsilons=eps)
        return np.mean([accuracy(fmodel, advs, labels) for _ in range(20)])

    assert eot_model.bounds == fmodel.bounds
    torch.manual_seed(1111)
    assert accuracy(eot_model, images, labels) >= 7 / 8
    assert robust(eot_model, 0.0) > robust(eot_model, 0.02)
    assert robust(eot_model, 0.02) <= robust(fmodel, 0.02) + 0.02
    torch.manual_seed(0)
    mean = torch.stack([fmodel(images) for _ in range(16)]).mean(0)
    torch.manual_seed(0)
    torch.testing.assert_close(eot_model(images), mean)
    with pytest.raises(ValueError, match="n_steps"):
        ExpectationOverTransformationWrapper(fmodel, n_steps=0)


def test_foolbox_spatial_attack():
    model, preprocessing, images, labels = fashion_case(4)
    fmodel = PyTorchModel(model, bounds=(0, 1), preprocessing=preprocessing)
    attack = fa.SpatialAttack(
        max_translation=6,  # 6px so x in [x-6, x+6] and y in [y-6, y+6]
        num_translations=6,  # number of translations in x, y.
        max_rotation=20,  # +- rotation in degrees
        num_rotations=5,  # number of rotations
    )
    xp_, _, success = attack(fmodel, images, labels)
    assert torch.equal(fmodel(xp_).argmax(1) != labels, success) and success.float().mean() > 0.5
    assert torch.equal(attack.run(fmodel, images, labels), xp_)


# foolbox: docs of criteria and of plots


def test_foolbox_criteria():
    model, preprocessing, images, labels = fashion_case()
    fmodel = PyTorchModel(model, bounds=(0, 1), preprocessing=preprocessing)
    criterion = Misclassification(labels)
    _, _, plain = fa.FGSM()(fmodel, images, labels, epsilons=0.01)
    _, _, success = fa.FGSM()(fmodel, images, criterion, epsilons=0.01)
    assert torch.equal(plain, success) and success.sum() > 1
    criterion = TargetedMisclassification((labels + 1) % 10)
    _, advs, success = LinfPGD()(fmodel, images, criterion, epsilons=0.1)
    assert torch.equal(fmodel(advs).argmax(1) == (labels + 1) % 10, success) and success.all()


def test_foolbox_plots_images():
    images = torch.rand(5, 1, 6, 6)
    with pytest.raises(ValueError, match="ambiguous"):
        fb.plot.images(torch.rand(5, 3, 6, 3))
    with pytest.raises(ValueError, match="data_format: expected"):
        fb.plot.images(images, data_format="hwc")
    with pytest.raises(ValueError, match="four dimensions"):
        fb.plot.images(images[0])
    matplotlib = pytest.importorskip("matplotlib", reason="matplotlib is not installed")
    matplotlib.use("Agg")
    from matplotlib import pyplot

    for options, shape in (({}, (1, 5)), ({"n": 4, "nrows": 2}, (2, 2)), ({"ncols": 2}, (3, 2))):
        fb.plot.images(images, bounds=(0, 2), scale=2.0, **options)
        figure = pyplot.gcf()
        assert figure.axes[0].get_gridspec().get_geometry() == shape
        assert figure.get_size_inches().tolist() == [2 * shape[1], 2 * shape[0]]
        drawn = [axes.images[0].get_array() for axes in figure.axes if axes.images]
        assert len(drawn) == options.get("n", 5)
        np.testing.assert_allclose(drawn[3], images[3, 0] / 2)
        pyplot.close(figure)


# torchattacks: README


def linear_case(classes=10):
    model = linear_model(classes=classes)
    images, _ = batch(12)
    return model, images, model(images).argmax(1)


def test_torchattacks_targets_by_function_and_label():
    model, images, labels = linear_case()
    atk = torchattacks.PGD(model, eps=1.0, alpha=0.1, steps=40)
    atk.set_mode_targeted_by_function(
        target_map_function=lambda images, labels: (labels + 1) % 10, quiet=True
    )
    torch.manual_seed(0)
    by_function = atk(images, labels)
    atk.set_mode_targeted_by_label(quiet=True)
    # shift all class loops one to the right, 1=>2, 2=>3, .., 9=>0
    target_labels = (labels + 1) % 10
    torch.manual_seed(0)
    adv_images = atk(images, target_labels)
    assert torch.equal(by_function, adv_images)
    entropy = torch.nn.functional.cross_entropy
    before, after = (
        entropy(model(x), target_labels, reduction="none") for x in (images, adv_images)
    )
    assert (after < before).all() and (model(adv_images).argmax(1) == target_labels).sum() > 6
    atk.set_mode_default()
    assert (model(atk(images, labels)).argmax(1) != labels).all()


def test_torchattacks_saves_and_loads(tmp_path, capsys):
    model, images, labels = linear_case()
    data_loader = [(images[:7], labels[:7]), (images[7:], labels[7:])]
    atk = torchattacks.PGD(model, eps=8 / 255, alpha=2 / 255, steps=4)
    atk.save(data_loader, save_path=tmp_path / "data.pt", verbose=True)
    assert "accuracy" in capsys.readouterr().out
    adv_loader = atk.load(load_path=tmp_path / "data.pt")
    adv_images, kept = next(iter(adv_loader))
    assert torch.equal(kept, labels) and (adv_images - images).abs().max() <= 8 / 255 + 1e-6


def test_torchattacks_training_mode_that_is_its_default():
    model, images, labels = linear_case()
    atk = torchattacks.FGSM(model, eps=8 / 255)
    before = atk(images, labels)
    atk.set_model_training_mode(
        model_training=False, batchnorm_training=False, dropout_training=False
    )
    assert torch.equal(atk(images, labels), before)


def test_torchattacks_makes_a_set_of_attacks():
    model, images, labels = linear_case()

    def broken(atk):
        torch.manual_seed(0)
        return (model(atk(images, labels)).argmax(1) != labels).sum()

    # Strong attacks
    atk1 = torchattacks.FGSM(model, eps=8 / 255)
    atk2 = torchattacks.PGD(model, eps=8 / 255, alpha=2 / 255, steps=40, random_start=True)
    atk = torchattacks.MultiAttack([atk1, atk2])
    assert broken(atk) >= max(broken(atk1), broken(atk2)) > 0
    # Binary search for CW
    atk1 = torchattacks.CW(model, c=0.1, steps=100, lr=0.01)
    atk2 = torchattacks.CW(model, c=1, steps=100, lr=0.01)
    atk = torchattacks.MultiAttack([atk1, atk2])
    assert broken(atk) == broken(atk2) > broken(atk1)
    # Random restarts
    atk1 = torchattacks.PGD(model, eps=8 / 255, alpha=2 / 255, steps=40, random_start=True)
    atk2 = torchattacks.PGD(model, eps=8 / 255, alpha=2 / 255, steps=40, random_start=True)
    assert broken(torchattacks.MultiAttack([atk1, atk2])) >= broken(atk1)


def test_torchattacks_beside_foolbox():
    """The README's wrapped attack: starting points from the batch itself, then a nearer image."""
    model, images, labels = linear_case()
    fmodel = fb.PyTorchModel(model, bounds=(0, 1), device=None)
    init_attack = fb.attacks.DatasetAttack()
    batch_size = len(images)
    batches = [
        (images[: batch_size // 2], labels[: batch_size // 2]),
        (images[batch_size // 2 :], labels[batch_size // 2 :]),
    ]
    init_attack.feed(model=fmodel, inputs=batches[0][0])  # feed 1st batch of inputs
    init_attack.feed(model=fmodel, inputs=batches[1][0])  # feed 2nd batch of inputs
    criterion = fb.Misclassification(labels)
    init_advs = init_attack.run(fmodel, images, criterion)
    assert (model(init_advs).argmax(1) != labels).all()
    adversary = fb.attacks.L2FMNAttack(init_attack=init_attack)
    adv_images = adversary.run(fmodel, images, labels, starting_points=init_advs)
    assert (model(adv_images).argmax(1) != labels).all()
    l2 = fb.distances.l2
    assert (l2(images, adv_images) < l2(images, init_advs)).all()
