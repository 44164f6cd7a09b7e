# SPDX-License-Identifier: Apache-2.0
"""foolbox's interface to noise, filters and steps that namid's own attacks do not take: against the
library itself where it is installed, else against closed forms and what the attacks promise."""

import inspect
import math

import pytest
import torch
from helpers import linear_model

import namid.compat.foolbox as fb

NOISE = [
    f"{size}{times}Additive{kind}NoiseAttack"
    for size in ("L2", "L2ClippingAware", "Linf")
    for times in ("", "Repeated")
    for kind in (("Gaussian", "Uniform") if size != "Linf" else ("Uniform",))
]
DESCENTS = [
    "L1MomentumIterativeFastGradientMethod",
    *(f"{n}AdamProjectedGradientDescentAttack" for n in ("L1", "L2", "Linf")),
]
ADAM_BIM = [f"{n}AdamBasicIterativeAttack" for n in ("L1", "L2", "Linf")]
OF_ANY_DISTANCE = {
    "InversionAttack": {},
    "BinarySearchContrastReductionAttack": {},
    "LinearSearchContrastReductionAttack": {"steps": 50},
    "LinearSearchBlendedUniformNoiseAttack": {"steps": 50},
    "GaussianBlurAttack": {"steps": 30},
}
ALL = [*NOISE, *DESCENTS, *ADAM_BIM, *OF_ANY_DISTANCE, "L2ContrastReductionAttack",
       "SparseL1DescentAttack", "VirtualAdversarialAttack", "SaltAndPepperNoiseAttack"]  # fmt: skip


def case_of(bounds=(0, 1)):
    torch.manual_seed(3)
    hidden = [torch.nn.Flatten(), torch.nn.Linear(108, 16), torch.nn.Tanh()]
    model = torch.nn.Sequential(*hidden, torch.nn.Linear(16, 5)).eval()
    x = torch.rand(8, 3, 6, 6) * (bounds[1] - bounds[0]) + bounds[0]
    y = model(x).argmax(1)
    y[0] = (y[0] + 1) % 5
    return model, x, y


def both(name, options, epsilons, bounds):
    """(raws, clipped, success) of the library and of namid, under one seed."""
    peer = pytest.importorskip("foolbox", reason="foolbox is not installed")
    model, x, y = case_of(bounds)
    found = []
    for library in (peer, fb):
        kept = dict(options)
        if name in OF_ANY_DISTANCE:
            kept["distance"] = library.distances.l2
        attack = getattr(library.attacks, name)(**kept)
        torch.manual_seed(5)
        found.append(
            attack(library.PyTorchModel(model, bounds=bounds), x, y, epsilons=epsilons)
        )
    return found


@pytest.mark.parametrize("bounds", [(0, 1), (-1, 3)])
@pytest.mark.parametrize(
    "name,options,epsilons",
    [
        *((name, {}, [0.1, 0.7, 2.0]) for name in [*NOISE, *DESCENTS]),
        ("LinfAdamBasicIterativeAttack", {}, [0.1, 0.7]),
        ("L2ContrastReductionAttack", {"target": 0.3}, [0.1, 2.0]),
        ("SaltAndPepperNoiseAttack", {"steps": 200}, [None, 3.0]),
        ("SaltAndPepperNoiseAttack", {"steps": 50, "across_channels": False}, [None]),
        *((name, options, [None, 1.0]) for name, options in OF_ANY_DISTANCE.items()),
    ],
)
def test_results_are_the_librarys_under_the_same_seed(name, options, epsilons, bounds):
    theirs, ours = both(name, options, epsilons, bounds)
    for one, other in zip(theirs[0] + theirs[1], ours[0] + ours[1]):
        torch.testing.assert_close(other, one, rtol=0, atol=2e-6)
    assert torch.equal(theirs[2], ours[2])


def test_the_virtual_adversarial_direction_is_the_librarys():
    theirs, ours = both("VirtualAdversarialAttack", {"steps": 5, "xi": 1e-2}, [0.5], (0, 1))
    torch.testing.assert_close(ours[0][0], theirs[0][0], rtol=0, atol=1e-3)  # steps of 1e-2 round


@pytest.mark.parametrize("name", ALL)
def test_signatures_are_the_librarys(name):
    peer = pytest.importorskip("foolbox", reason="foolbox is not installed")

    def rows(attack):
        parameters = inspect.signature(attack).parameters.values()
        return [(p.name, p.default, p.kind) for p in parameters]

    assert rows(getattr(fb.attacks, name)) == rows(getattr(peer.attacks, name))


def made(name):
    options = dict(OF_ANY_DISTANCE.get(name, {}))
    if name in OF_ANY_DISTANCE:
        options["distance"] = fb.distances.l2
    if name == "VirtualAdversarialAttack":
        options = {"steps": 5, "xi": 1e-2}
    return getattr(fb.attacks, name)(**options)


@pytest.mark.parametrize("name", ALL)
def test_clipped_images_keep_to_ball_and_bounds_and_success_is_judged_there(name):
    model, x, y = case_of((-1, 3))
    fmodel = fb.PyTorchModel(model, bounds=(-1, 3))
    attack = made(name)
    torch.manual_seed(0)
    raw, clipped, success = attack(fmodel, x, y, epsilons=1.5)
    torch.manual_seed(0)
    assert torch.equal(attack(fmodel, x, y, epsilons=1.5)[0], raw), "the seed decides"
    size = attack.distance(x, clipped)
    assert (size <= 1.5 * (1 + 1e-5)).all() and clipped.min() >= -1 - 1e-6
    assert clipped.max() <= 3 + 1e-6 and torch.equal(model(clipped).argmax(1) != y, success)
    assert name in repr(attack)


def test_noise_has_the_size_asked_for_also_where_the_bounds_cut():
    model, x, y = case_of()
    x = x.round()  # black and white: half of all noise is cut
    fmodel = fb.PyTorchModel(model, bounds=(0, 1))
    for name in NOISE[:8]:
        if "Repeated" in name:
            continue
        raw, *_ = getattr(fb.attacks, name)()(fmodel, x, y, epsilons=2.0)
        size = (raw - x).flatten(1).norm(dim=1)
        if "ClippingAware" in name:
            torch.testing.assert_close(size, torch.full_like(size, 2.0))
        else:
            assert (size < 1.7).all(), name
    raw, *_ = fb.attacks.L2ClippingAwareAdditiveGaussianNoiseAttack()(fmodel, x, y, epsilons=100.0)
    torch.testing.assert_close(raw, raw.round())  # as far as the bounds let it


def test_repeated_noise_finds_what_one_draw_finds_and_more():
    model, x, y = case_of()
    fmodel = fb.PyTorchModel(model, bounds=(0, 1))
    once = fb.attacks.L2AdditiveUniformNoiseAttack()
    torch.manual_seed(0)
    _, _, one = once(fmodel, x, y, epsilons=4.0)
    _, _, many = fb.attacks.L2RepeatedAdditiveUniformNoiseAttack(repeats=200)(
        fmodel, x, y, epsilons=4.0
    )
    assert many.sum() >= one.sum() and many.sum() >= 3
    _, _, often = once.repeat(50)(fmodel, x, y, epsilons=4.0)
    assert often.sum() >= one.sum() and often.sum() >= 3


def test_contrast_is_searched_to_the_nearest_grey_that_fools():
    """On a linear model the share of the way to grey at which the class changes is known."""
    model = linear_model(classes=2)
    torch.manual_seed(1)
    x = torch.rand(12, 3, 2, 2)
    at, grey = model(x).detach(), model(torch.full_like(x, 0.5)).detach()
    y = at.argmax(1)
    gap, end = at[:, 0] - at[:, 1], grey[:, 0] - grey[:, 1]
    turns = gap * end < 0
    share = gap / (gap - end)
    assert turns.any()
    for name, options, slack in (
        ("BinarySearchContrastReductionAttack", {"binary_search_steps": 16}, 2.0**-14),
        ("LinearSearchContrastReductionAttack", {"steps": 1000}, 1.1e-3),
    ):
        attack = getattr(fb.attacks, name)(distance=fb.distances.linf, **options)
        raw, _, success = attack(fb.PyTorchModel(model, (0, 1)), x, y, epsilons=None)
        assert torch.equal(success, turns)
        found = ((raw - x).flatten(1) / (0.5 - x).flatten(1)).median(1).values
        assert ((found - share)[turns] < slack).all() and ((found - share)[turns] > -1e-5).all()


def test_blur_is_the_gaussian_filter_of_scipy():
    ndimage = pytest.importorskip("scipy.ndimage", reason="scipy is not installed")
    from namid.compat.foolbox.filters import blur_matrix

    image = torch.rand(9, 5, dtype=torch.float64)
    for sigma in (0.3, 1.0, 2.5, 12.0):
        ours = blur_matrix(9, sigma) @ image @ blur_matrix(5, sigma).T
        theirs = ndimage.gaussian_filter(image.numpy(), sigma)
        torch.testing.assert_close(ours, torch.from_numpy(theirs), rtol=1e-10, atol=1e-12)


def test_blur_keeps_the_mean_and_flattens():
    from namid.compat.foolbox.filters import blur_matrix

    for size, sigma in ((7, 0.5), (7, 3.0), (4, 40.0)):
        matrix = blur_matrix(size, sigma)
        torch.testing.assert_close(matrix.sum(1), torch.ones(size, dtype=torch.float64))
        torch.testing.assert_close(matrix.sum(0), torch.ones(size, dtype=torch.float64))
    torch.testing.assert_close(blur_matrix(4, 40.0), torch.full((4, 4), 0.25).double(), atol=1e-3, rtol=0)


def test_sparse_steps_move_the_steepest_entries_alone_and_project_exactly():
    model = linear_model(classes=2)
    torch.manual_seed(1)
    x = 0.4 + 0.2 * torch.rand(6, 3, 2, 2)
    y = model(x).argmax(1)
    weight = model[1].weight.detach()
    slope = weight[1 - y] - weight[y]
    attack = fb.attacks.SparseL1DescentAttack(quantile=1.0, steps=4, rel_stepsize=0.25)
    raw, _, _ = attack(fb.PyTorchModel(model, (0, 1)), x, y, epsilons=0.3)
    best = torch.zeros_like(slope).scatter(
        1, slope.abs().argmax(1, keepdim=True), 0.3
    ) * slope.sign()  # fmt: skip
    torch.testing.assert_close((raw - x).flatten(1), best)
    point = torch.tensor([[[[3.0, -1.0, 0.5, 0.1]]]])
    zero = torch.zeros_like(point)
    wanted = torch.tensor([[[[2.0, 0.0, 0.0, 0.0]]]])
    torch.testing.assert_close(attack.project(point, zero, 2.0), wanted)
    wanted = torch.tensor([[[[2.5, -0.5, 0.0, 0.0]]]])
    torch.testing.assert_close(attack.project(point, zero, 3.0), wanted)
    assert torch.equal(attack.project(point, zero, 5.0), point)


@pytest.mark.parametrize("name", [*DESCENTS, *ADAM_BIM, "SparseL1DescentAttack"])
def test_descents_raise_the_loss_and_reach_targets(name):
    model, x, y = case_of()
    fmodel = fb.PyTorchModel(model, bounds=(0, 1))
    epsilon = {"L1": 12.0, "L2": 1.0, "Li": 0.1, "Sp": 12.0}[name[:2]]
    torch.manual_seed(0)
    raw, _, success = made(name)(fmodel, x, y, epsilons=epsilon)
    loss = torch.nn.functional.cross_entropy
    assert loss(model(raw), y) > loss(model(x), y) + 0.1 and success.sum() > 1
    target = fb.TargetedMisclassification((y + 1) % 5)
    attack = getattr(fb.attacks, name)(steps=60, rel_stepsize=0.03)
    raw, _, success = attack(fmodel, x, target, epsilons=4 * epsilon)
    assert torch.equal(model(raw).argmax(1) == (y + 1) % 5, success) and success.sum() > 4


def test_the_nearest_of_several_searches_is_kept():
    model, x, y = case_of()
    fmodel = fb.PyTorchModel(model, bounds=(0, 1))
    attack = fb.attacks.SaltAndPepperNoiseAttack(steps=30)
    torch.manual_seed(0)
    one, _, found = attack(fmodel, x, y, epsilons=None)
    torch.manual_seed(0)
    best, _, success = attack.repeat(4)(fmodel, x, y, epsilons=None)
    assert (success | ~found).all()
    size, least = (attack.distance(x, adv) for adv in (one, best))
    assert (least[found] <= size[found] + 1e-6).all() and (least[found] < size[found] - 1e-3).any()


def test_distances_measure_and_clip():
    x, adv = torch.zeros(2, 1, 2, 2), torch.tensor([[3.0, 4, 0, 0], [0, 0, 0, 1]]).reshape(2, 1, 2, 2)
    for distance, sizes in (("l0", [2, 1]), ("l1", [7, 1]), ("l2", [5, 1]), ("linf", [4, 1])):
        each = getattr(fb.distances, distance)
        assert each(x, adv).tolist() == sizes
    assert fb.distances.l2(x, fb.distances.l2.clip_perturbation(x, adv, 2.5)).tolist() == [2.5, 1]
    assert fb.distances.linf.clip_perturbation(x, adv, 2.0).max() == 2
    assert torch.equal(fb.distances.l0.clip_perturbation(x, adv, 2), adv)
    with pytest.raises(NotImplementedError, match="L0"):
        fb.distances.l0.clip_perturbation(x, adv, 1)
    assert str(fb.distances.linf) == "Linf distance" and fb.distances.l1.p == 1
    assert fb.distances.linf.p == math.inf


def test_l0_searches_change_few_entries():
    """On a linear model: as many entries, steepest first, as close the gap at the end of the box."""
    model = linear_model(classes=2)
    torch.manual_seed(1)
    x = 0.3 + 0.4 * torch.rand(6, 3, 2, 2)
    at = model(x).detach()
    y, gap = at.argmax(1), (at[:, 0] - at[:, 1]).abs()
    weight = model[1].weight.detach()
    slope = (weight[1 - y] - weight[y]).flatten(1)
    room = torch.where(slope > 0, 1 - x.flatten(1), -x.flatten(1))
    fewest = ((slope * room).sort(1, descending=True).values.cumsum(1) <= gap[:, None]).sum(1) + 1
    raws, clipped, success = fb.attacks.L0FMNAttack()(
        fb.PyTorchModel(model, (0, 1)), x, y, epsilons=[None, 1.0]
    )
    changed = fb.distances.l0(x, raws[0])
    assert success[0].all() and (changed >= fewest).all() and (changed <= fewest + 2).all()
    assert (fb.distances.l0(x, clipped[1]) <= 1).all()


def test_wrong_use_is_refused():
    model, x, y = case_of()
    fmodel = fb.PyTorchModel(model, bounds=(0, 1))
    with pytest.raises(ValueError, match="pass `distance`"):
        fb.attacks.InversionAttack()(fmodel, x, y, epsilons=1.0)
    with pytest.raises(NotImplementedError, match="L2AdditiveGaussianNoiseAttack: epsilon None"):
        fb.attacks.L2AdditiveGaussianNoiseAttack()(fmodel, x, y, epsilons=None)
    with pytest.raises(ValueError, match="VirtualAdversarialAttack is not targeted"):
        fb.attacks.VirtualAdversarialAttack(5)(
            fmodel, x, fb.TargetedMisclassification(y), epsilons=1.0
        )
    with pytest.raises(ValueError, match="bounds"):
        fb.attacks.L2ContrastReductionAttack()(fmodel, x + 1, y, epsilons=1.0)
    with pytest.raises(NotImplementedError, match="channel_axis"):
        fb.attacks.SaltAndPepperNoiseAttack(steps=2, channel_axis=3)(fmodel, x, y, epsilons=1.0)
    with pytest.raises(NotImplementedError, match="images"):
        fb.attacks.GaussianBlurAttack(distance=fb.distances.l2)(
            fmodel, x.flatten(1), y, epsilons=1.0
        )
    with pytest.raises(ValueError, match="quantile"):
        fb.attacks.SparseL1DescentAttack(quantile=2)
    with pytest.raises(ValueError, match="directions"):
        fb.attacks.LinearSearchBlendedUniformNoiseAttack(directions=0)
    with pytest.raises(TypeError, match="unexpected"):
        fb.attacks.InversionAttack(distance=fb.distances.l2)(fmodel, x, y, epsilons=1, mode=2)
