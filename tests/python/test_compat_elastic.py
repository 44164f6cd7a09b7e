# SPDX-License-Identifier: Apache-2.0
"""Elastic-net attacks of torchattacks and foolbox, and foolbox's NewtonFool: against the libraries
where they are installed, else against the closed form of a linear model and what they promise."""

import inspect
import types

import pytest
import torch
from helpers import linear_model

import namid.compat.foolbox as fb
from namid.compat import torchattacks

TORCHATTACKS = [
    ("EADL1", {"max_iterations": 20, "binary_search_steps": 4, "initial_const": 0.5}),
    ("EADL1", {"initial_const": 1.0, "max_iterations": 8, "abort_early": False, "beta": 0.02}),
    (
        "EADEN",
        {"max_iterations": 12, "binary_search_steps": 10, "initial_const": 0.1, "kappa": 0.3},
    ),
]
FOOLBOX = [
    {"steps": 20, "binary_search_steps": 4, "initial_const": 1.0},
    {"steps": 12, "binary_search_steps": 10, "initial_const": 0.1, "confidence": 0.3,
     "decision_rule": "L1"},
    {"steps": 8, "initial_const": 1.0, "abort_early": False, "regularization": 0.03},
]  # fmt: skip
ELASTIC = ("EADL1", "EADEN", "EADAttack")


def case_of(bounds=(0, 1), classes=5, lift=0.0):
    """A small network, images within bounds and the classes that it gives them."""
    torch.manual_seed(3)
    hidden = [torch.nn.Flatten(), torch.nn.Linear(108, 16), torch.nn.Tanh()]
    model = torch.nn.Sequential(*hidden, torch.nn.Linear(16, classes)).eval()
    model[3].bias.data += lift
    x = torch.rand(3, 3, 6, 6) * (bounds[1] - bounds[0]) + bounds[0]
    return model, x, model(x).argmax(1)


def linear_case():
    """A linear model of two classes, images in the middle of the box, their classes, and the
    distances to the boundary in L1 and L2."""
    model = linear_model(classes=2)
    torch.manual_seed(1)
    x = 0.4 + 0.2 * torch.rand(6, 3, 2, 2)
    at, weight = model(x).detach(), model[1].weight.detach()
    steepness, gap = (weight[0] - weight[1]).abs(), (at[:, 0] - at[:, 1]).abs()
    return model, x, at.argmax(1), gap / steepness.max(), gap / steepness.norm()


def attacked(name, model, x, y, targets=None, **options):
    """The images that any of the attacks finds."""
    if name not in ("EADL1", "EADEN"):
        criterion = y if targets is None else fb.TargetedMisclassification(targets)
        attack = getattr(fb.attacks, name)(**options)
        return attack(fb.PyTorchModel(model, (0, 1)), x, criterion, epsilons=None)[0]
    attack = getattr(torchattacks, name)(model, **options)
    if targets is not None:
        attack.set_mode_targeted_by_function(lambda images, labels: targets, quiet=True)
    return attack(x, y)


def quick(name):
    if name == "EADAttack":
        return {"steps": 25, "initial_const": 0.2, "binary_search_steps": 5}
    return {"max_iterations": 25, "initial_const": 0.2, "binary_search_steps": 5}


@pytest.mark.parametrize("name,options", TORCHATTACKS)
@pytest.mark.parametrize("targeted", [False, True])
def test_results_are_those_of_torchattacks_image_by_image(name, options, targeted, monkeypatch):
    """Of a model without negative logits, and with the library's reference image kept where it
    is."""
    peer = pytest.importorskip("torchattacks", reason="torchattacks is not installed")
    own = types.SimpleNamespace(**vars(torch.nn))
    own.Parameter = lambda images: torch.nn.Parameter(images.clone())
    monkeypatch.setattr(f"torchattacks.attacks.{name.lower()}.nn", own)
    model, x, y = case_of(lift=20.0)
    targets = (y + 1) % 5 if targeted else None
    attack = getattr(peer, name)(model, **options)
    if targeted:
        attack.set_mode_targeted_by_function(lambda images, labels: (labels + 1) % 5, quiet=True)
    theirs = torch.cat([attack(x[i : i + 1], y[i : i + 1]) for i in range(len(x))])
    ours = attacked(name, model, x, y, targets, **options)
    torch.testing.assert_close(ours, theirs, rtol=0, atol=5e-6)
    assert (ours - x).abs().max() > 0.01


@pytest.mark.parametrize("options", FOOLBOX)
@pytest.mark.parametrize("targeted", [False, True])
@pytest.mark.parametrize("bounds", [(0, 1), (-1, 3)])
def test_results_are_those_of_foolbox_image_by_image(options, targeted, bounds):
    peer = pytest.importorskip("foolbox", reason="foolbox is not installed")
    model, x, y = case_of(bounds)

    def found(library, rows):
        classes = (y[rows] + 1) % 5 if targeted else y[rows]
        kind = library.TargetedMisclassification if targeted else library.Misclassification
        attack = library.attacks.EADAttack(**options)
        fmodel = library.PyTorchModel(model, bounds=bounds)
        return attack(fmodel, x[rows], kind(classes), epsilons=[None, 2.0])

    raws, clipped, success = found(fb, slice(None))
    for i in range(len(x)):
        theirs = found(peer, slice(i, i + 1))
        torch.testing.assert_close(raws[0][i], theirs[0][0][0], rtol=0, atol=5e-6)
        torch.testing.assert_close(clipped[1][i], theirs[1][1][0], rtol=0, atol=5e-6)
        assert torch.equal(success[:, i : i + 1], theirs[2])
    assert success[0].all()


def test_signatures_are_the_librarys():
    peer = pytest.importorskip("torchattacks", reason="torchattacks is not installed")
    for name in ("EADL1", "EADEN"):
        wanted = inspect.signature(getattr(peer, name))
        assert inspect.signature(getattr(torchattacks, name)) == wanted
    peer = pytest.importorskip("foolbox", reason="foolbox is not installed")
    for name in ("EADAttack", "NewtonFoolAttack"):
        ours, wanted = (
            [(p.name, p.default, p.kind) for p in inspect.signature(attack).parameters.values()]
            for attack in (getattr(fb.attacks, name), getattr(peer.attacks, name))
        )
        assert ours == wanted


def test_elastic_net_is_nearest_in_l1_on_a_linear_model():
    """One entry, the steepest, has to move; thresholding leaves few others changed."""
    model, x, y, l1, l2 = linear_case()
    for name, options in (
        ("EADL1", {"max_iterations": 200, "beta": 0.01}),
        ("EADAttack", {"steps": 200, "decision_rule": "L1"}),
    ):
        adv = attacked(name, model, x, y, **options)
        size = (adv - x).flatten(1).abs().sum(1) / l1
        assert (model(adv).argmax(1) != y).all(), name
        assert (size > 1 - 1e-4).all() and (size < 1.25).all(), (name, size)
        assert ((adv - x).flatten(1) == 0).float().mean() > 0.5, name  # exactly as they were
    small = attacked("EADEN", model, x, y, beta=1e-5, max_iterations=200)
    size = (small - x).flatten(1).norm(dim=1) / l2
    assert (size > 1 - 1e-4).all() and (size < 1.1).all(), size  # without its L1 term it is L2's


@pytest.mark.parametrize("name", ELASTIC)
def test_a_confident_image_has_the_margin_asked_for(name):
    model, x, y, *_ = linear_case()
    key = "confidence" if name == "EADAttack" else "kappa"
    adv = attacked(name, model, x, y, **{**quick(name), key: 0.2})
    logits = model(adv).detach()
    rows = torch.arange(len(x))
    assert (logits[rows, 1 - y] - logits[rows, y] >= 0.2 - 1e-5).all()


@pytest.mark.parametrize("name", ELASTIC)
@pytest.mark.parametrize("targeted", [False, True])
def test_images_are_searched_each_on_its_own(name, targeted):
    model, x, y = case_of()
    targets = (y + 1) % 5 if targeted else None
    options = {**quick(name), "kappa" if name != "EADAttack" else "confidence": 0.1}
    together = attacked(name, model, x, y, targets, **options)
    for i in range(len(x)):
        row = slice(i, i + 1)
        alone = attacked(name, model, x[row], y[row], targets[row] if targeted else None, **options)
        torch.testing.assert_close(together[row], alone, rtol=0, atol=2e-6)
    assert together.min() >= 0 and together.max() <= 1
    predicted = model(together).argmax(1)
    assert torch.equal(predicted, targets) if targeted else (predicted != y).all()


@pytest.mark.parametrize("name", ELASTIC)
def test_logits_count_by_their_differences_alone(name):
    model, x, y = case_of()
    lifted, *_ = case_of(lift=-8.0)
    ours, other = (attacked(name, each, x, y, **quick(name)) for each in (model, lifted))
    torch.testing.assert_close(ours, other, rtol=0, atol=1e-4)


@pytest.mark.parametrize("name", [*ELASTIC, "NewtonFoolAttack"])
def test_what_cannot_be_broken_comes_back_as_it_was(name):
    class Flat(torch.nn.Module):
        def forward(self, x):
            return x.flatten(1)[:, :5] * 0 + torch.arange(5.0)

    _, x, _ = case_of()
    y = torch.full((len(x),), 4)
    options = {} if name == "NewtonFoolAttack" else quick(name)
    assert torch.equal(attacked(name, Flat(), x, y, **options), x)
    steps = "max_iterations" if name in ("EADL1", "EADEN") else "steps"
    model, x, y = case_of()
    assert torch.equal(attacked(name, model, x, y, **{steps: 0}), x)
    if name != "NewtonFoolAttack":
        assert torch.equal(attacked(name, model, x, (y + 1) % 5, **options), x)  # wrong already


def test_a_ball_of_epsilon_is_judged_where_the_image_is_clipped_to():
    model, x, y, l1, _ = linear_case()
    near, far = float(l1.min()) / 2, float(l1.max()) * 2
    raws, clipped, success = fb.attacks.EADAttack(steps=100)(
        fb.PyTorchModel(model, (0, 1)), x, y, epsilons=[near, far, None]
    )
    assert success.tolist() == [[False] * 6, [True] * 6, [True] * 6]
    size = (clipped[0] - x).flatten(1).abs().sum(1)
    assert (size <= near * (1 + 1e-5)).all() and torch.equal(clipped[2], raws[2])
    assert "decision_rule=EN" in repr(fb.attacks.EADAttack())


def test_newtonfool_takes_the_steps_of_the_paper():
    """ART's is the paper's too, without a stop; there nothing is clipped."""
    reason = "adversarial-robustness-toolbox is not installed"
    evasion = pytest.importorskip("art.attacks.evasion", reason=reason)
    from art.estimators.classification import PyTorchClassifier

    model, x, _ = case_of()
    x = 0.3 + 0.4 * x
    y = model(x).argmax(1)
    shares = torch.nn.Sequential(model, torch.nn.Softmax(1))
    classifier = PyTorchClassifier(shares, torch.nn.CrossEntropyLoss(), (3, 6, 6), 5)
    for steps in (1, 4):
        theirs = evasion.NewtonFool(classifier, max_iter=steps, eta=0.01, verbose=False)
        ours = attacked("NewtonFoolAttack", model, x, y, steps=steps)
        wanted = torch.from_numpy(theirs.generate(x.numpy()))
        torch.testing.assert_close(ours, wanted, rtol=0, atol=1e-6)
        assert (ours - x).abs().max() > 1e-3


def test_newtonfool_goes_straight_to_a_linear_boundary_and_stops():
    """It aims at p = 1/K, which is beyond the boundary where a third class has no share."""
    two, x, y, _, l2 = linear_case()
    model = linear_model(classes=3)
    model[1].weight.data[:], model[1].bias.data[:] = 0, -9
    model[1].weight.data[:2], model[1].bias.data[:2] = two[1].weight, two[1].bias
    fmodel = fb.PyTorchModel(model, (0, 1))
    attack = fb.attacks.NewtonFoolAttack(stepsize=0.002, steps=400)
    raw, _, success = attack(fmodel, x, y, epsilons=None)
    size, step = (raw - x).flatten(1).norm(dim=1), 0.002 * x.flatten(1).norm(dim=1)
    assert success.all() and (size > l2 * (1 - 1e-4)).all() and (size < l2 + step + 1e-5).all()
    model, x, y = case_of((-1, 3))
    fmodel = fb.PyTorchModel(model, (-1, 3))
    raw, _, success = fb.attacks.NewtonFoolAttack()(fmodel, x, y, epsilons=None)
    assert success.float().mean() > 0.5 and raw.min() >= -1 and raw.max() <= 3
    with pytest.raises(ValueError, match="NewtonFoolAttack is not targeted"):
        attack(fmodel, x, fb.TargetedMisclassification(y), epsilons=None)


def test_models_come_back_as_they_were_and_wrong_options_are_refused():
    model, x, y = case_of()
    model.train()
    for name in (*ELASTIC, "NewtonFoolAttack"):
        attacked(name, model, x, y, **({} if name == "NewtonFoolAttack" else quick(name)))
        assert model.training and all(
            p.requires_grad and p.grad is None for p in model.parameters()
        )
    for make, word in (
        (
            lambda: torchattacks.EADL1(model, max_iterations=-1),
            "EADL1: max_iterations: expected at",
        ),
        (lambda: torchattacks.EADEN(model, kappa=-0.1), "EADEN: kappa: expected at least 0"),
        (lambda: fb.attacks.EADAttack(regularization=-1), "EADAttack: regularization"),
        (lambda: fb.attacks.EADAttack(decision_rule="L2"), "decision rule: expected EN or L1"),
        (lambda: fb.attacks.NewtonFoolAttack(steps=-1), "NewtonFoolAttack: steps"),
        (lambda: torchattacks.EADL1(model)(x * 2, y), "images in .0, 1."),
    ):
        with pytest.raises(ValueError, match=word):
            make()


def test_the_example_of_torchattacks():
    model, images, labels = case_of()
    attack = torchattacks.EADL1(model, kappa=0, lr=0.01, max_iterations=100)
    adv_images = attack(images, labels)
    assert (model(adv_images).argmax(1) != labels).all() and "max_iterations=100" in repr(attack)
