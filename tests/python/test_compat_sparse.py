# SPDX-License-Identifier: Apache-2.0
"""torchattacks' attacks on few pixels: against the library where it is installed, else against
brute force, closed forms of linear models and what the attacks promise."""

import inspect

import numpy
import pytest
import torch
from helpers import linear_model

from namid.compat import torchattacks
from namid.compat._torchattack_pixels import evolve
from namid.compat._torchattack_sparse import _most_salient, cross_plane

CASES = [
    ("JSMA", {}),
    ("JSMA", {"theta": 0.3, "gamma": 0.15}),
    ("SparseFool", {}),
    ("SparseFool", {"lam": 1, "steps": 3, "overshoot": 0.1}),
    ("OnePixel", {"steps": 4}),
    ("OnePixel", {"pixels": 3, "popsize": 40, "inf_batch": 7}),
    ("Pixle", {"restarts": 4}),
    ("Pixle", {"x_dimensions": (0.1, 0.5), "y_dimensions": 3, "restarts": 2}),
    ("Pixle", {"update_each_iteration": True}),
    *[
        ("Pixle", {"pixel_mapping": mapping, "restarts": 2, "max_iterations": 3, "x_dimensions": 2})
        for mapping in ("similarity", "similarity_random", "distance", "distance_random")
    ],
]
BY_LABEL = [(name, options, False) for name, options in CASES]
BY_TARGET = [(name, options, True) for name, options in CASES if name != "SparseFool"]
NAMES = sorted({name for name, _ in CASES})


def case_of(classes=10, shape=(3, 6, 6)):
    """A small network, images, and labels of which the first is wrong."""
    torch.manual_seed(3)
    size = shape[0] * shape[1] * shape[2]
    hidden = [torch.nn.Flatten(), torch.nn.Linear(size, 16), torch.nn.Tanh()]
    model = torch.nn.Sequential(*hidden, torch.nn.Linear(16, classes)).eval()
    x = torch.rand(6, *shape)
    y = model(x).argmax(1)
    y[0] = (y[0] + 1) % classes
    return model, x, y


def after(images, labels):
    return (labels + 3) % 10


def pixels_changed(adv, x):
    return (adv != x).any(1).flatten(1).sum(1)


@pytest.fixture
def mended(monkeypatch):
    """The library with the places that Pixle chooses as (row, column), as it reads them."""
    peer = pytest.importorskip("torchattacks", reason="torchattacks is not installed")
    mapping = peer.Pixle.get_pixel_mapping

    def pairs(self, *given, **named):
        found = mapping(self, *given, **named)
        return found if self.pixel_mapping == "random" else [pair[::-1] for pair in found]

    monkeypatch.setattr(peer.Pixle, "get_pixel_mapping", pairs)
    return peer


@pytest.mark.parametrize("name,options,targeted", [*BY_LABEL, *BY_TARGET])
def test_results_are_the_librarys_under_the_same_seed(name, options, targeted, mended):
    model, x, y = case_of()
    found = []
    for library in (mended, torchattacks):
        attack = getattr(library, name)(model, **options)
        if targeted:
            attack.set_mode_targeted_by_function(after, quiet=True)
        numpy.random.seed(7)
        rows = [slice(0, len(x))]
        if options.get("update_each_iteration"):  # the library takes one image at a time
            rows = [slice(i, i + 1) for i in range(len(x))]
        found.append((torch.cat([attack(x[row], y[row]) for row in rows]), numpy.random.rand()))
    torch.testing.assert_close(found[1][0], found[0][0], rtol=0, atol=1e-5)
    assert found[1][1] == found[0][1], "as many draws"
    assert pixels_changed(found[1][0], x).max() > 0


@pytest.mark.parametrize("name", NAMES)
def test_signatures_are_the_librarys(name):
    peer = pytest.importorskip("torchattacks", reason="torchattacks is not installed")
    wanted = inspect.signature(getattr(peer, name))
    assert inspect.signature(getattr(torchattacks, name)) == wanted


@pytest.mark.parametrize("name,options", CASES)
def test_images_stay_in_the_box_and_the_seed_decides(name, options):
    model, x, y = case_of()
    attack = getattr(torchattacks, name)(model, **options)
    model.train()
    numpy.random.seed(0)
    adv = attack(x, y)
    numpy.random.seed(0)
    again = attack(x.contiguous(memory_format=torch.channels_last), y)
    assert torch.equal(again, adv) and adv.shape == x.shape
    assert adv.min() >= 0 and adv.max() <= 1 and f"{name}(" in repr(attack)
    assert model.training and all(p.requires_grad and p.grad is None for p in model.parameters())


# JSMA


def test_the_pair_of_largest_saliency_is_that_of_brute_force():
    torch.manual_seed(0)
    for trial in range(60):
        own, others = torch.randn(2, 25).mul(1 if trial % 2 else 2).round(decimals=trial % 3)
        free, theta = torch.rand(25) < 0.8, 1.0 if trial % 4 < 2 else -1.0
        best, pair = 0.0, None
        for p in range(25):
            for q in range(p + 1, 25):
                gain = (own[p] + own[q]) * (1 if theta > 0 else -1)
                loss = -(others[p] + others[q]) * (1 if theta > 0 else -1)
                if free[p] and free[q] and gain > 0 and loss > 0 and gain * loss > best:
                    best, pair = gain * loss, [p, q]
        found = _most_salient(own, others, free, theta)
        assert (found is None) == (pair is None) and (pair is None or found.tolist() == pair)


def test_jsma_moves_two_entries_a_step_and_leaves_what_is_done():
    model, x, y = case_of()
    attack = torchattacks.JSMA(model, theta=0.2, gamma=0.1)
    attack.set_mode_targeted_by_function(after, quiet=True)
    adv = attack(x, y)
    moved = (adv - x).abs().flatten(1)
    assert ((moved > 0).sum(1) <= 12).all() and (moved <= 0.2 + 1e-6).all()  # 108 entries, 10 %
    attack.set_mode_targeted_by_label(quiet=True)
    assert torch.equal(attack(x, model(x).argmax(1)), x)
    reached = torchattacks.JSMA(model, gamma=1.0)
    assert (model(reached(x, y)).argmax(1) == (y + 1) % 10).float().mean() > 0.5


def test_jsma_with_negative_theta_is_jsma_of_the_negative():
    model, x, y = case_of()
    flipped = torch.nn.Sequential(Negative(), model)
    up = torchattacks.JSMA(flipped, theta=0.3)(1 - x, y)
    down = torchattacks.JSMA(model, theta=-0.3)(x, y)
    torch.testing.assert_close(down, 1 - up, rtol=0, atol=1e-6)
    assert pixels_changed(down, x).max() > 2


class Negative(torch.nn.Module):
    def forward(self, x):
        return 1 - x


def test_jsma_of_any_number_of_classes_and_of_a_flat_model():
    model, x, _ = case_of(classes=4)
    y = torch.full((len(x),), 3)
    adv = torchattacks.JSMA(model, gamma=1.0)(x, y)  # towards class 0, not 4
    assert (model(adv).argmax(1) == 0).any()

    class Flat(torch.nn.Module):
        def forward(self, x):
            return x.flatten(1)[:, :10] * 0

    assert torch.equal(torchattacks.JSMA(Flat())(x, y), x)
    adv = torchattacks.SparseFool(Flat())(x, y * 0)
    assert torch.equal(adv, x)


# SparseFool


def test_the_plane_is_crossed_by_the_steepest_entries():
    """0.5 each, slopes 3, 2, 1: the gap 2 takes the whole room of the first and 0.25 of the
    second."""
    x, normal = torch.full((1, 3), 0.5), torch.tensor([[1.0, -3.0, 2.0]])
    point = x + torch.tensor([[2.0, 0.0, 0.0]])
    adv, possible = cross_plane(x, normal, point)
    torch.testing.assert_close(adv, torch.tensor([[0.5, 0.0, 0.7505]]))
    assert possible.all() and not cross_plane(x, normal, x - point)[1].any()
    adv, _ = cross_plane(x, normal, x + torch.tensor([[9.0, 0.0, 0.0]]))
    assert torch.equal(adv, torch.tensor([[1.0, 0.0, 1.0]]))  # as far as the box lets it


def test_sparsefool_needs_as_few_entries_as_a_linear_model_lets_it():
    model = linear_model(classes=2)
    torch.manual_seed(1)
    x = 0.3 + 0.4 * torch.rand(8, 3, 2, 2)
    at = model(x).detach()
    y, gap = at.argmax(1), (at[:, 0] - at[:, 1]).abs()
    weight = model[1].weight.detach()
    slope = (weight[1 - y] - weight[y]).flatten(1)
    room = torch.where(slope > 0, 1 - x.flatten(1), x.flatten(1))
    order = slope.abs().argsort(dim=1, descending=True)
    gains = (slope.abs() * room).gather(1, order).cumsum(1)
    fewest = (gains < gap[:, None] * 1.02).sum(1) + 1  # DeepFool goes 2 % beyond
    adv = torchattacks.SparseFool(model, lam=1)(x, y)
    assert (model(adv).argmax(1) != y).all()
    assert torch.equal((adv != x).flatten(1).sum(1), fewest)


# OnePixel and Pixle


@pytest.mark.parametrize("pixels", [1, 3])
def test_one_pixel_changes_so_many_and_breaks_what_one_pixel_decides(pixels):
    class Corner(torch.nn.Module):
        """Class 1 where any pixel's red is above 0.9, else class 0."""

        def forward(self, x):
            return torch.stack([torch.full((len(x),), 0.9), x[:, 0].flatten(1).amax(1)], 1)

    x = torch.rand(4, 3, 5, 8) * 0.5
    y = torch.zeros(4, dtype=torch.long)
    adv = torchattacks.OnePixel(Corner(), pixels=pixels, steps=30)(x, y)
    assert (Corner()(adv).argmax(1) == 1).all() and (pixels_changed(adv, x) <= pixels).all()
    attack = torchattacks.OnePixel(Corner(), pixels=pixels, steps=30)
    attack.set_mode_targeted_by_label(quiet=True)
    assert (Corner()(attack(x, y + 1)).argmax(1) == 1).all()


def test_evolution_finds_a_minimum_with_so_many_queries():
    seen = []

    def verdict(population):
        seen.append(len(population))
        return ((population - 0.3) ** 2).sum(1), numpy.zeros(len(population), bool)

    numpy.random.seed(0)
    best = evolve(verdict, members=20, size=3, generations=60)
    assert numpy.abs(best - 0.3).max() < 0.01 and seen == [20] * 61
    first = evolve(lambda p: (p.sum(1), p.sum(1) < 99), members=5, size=2, generations=9)
    assert first.shape == (2,)


def test_queries_of_one_pixel_are_a_generation_each():
    model, x, y = case_of()
    seen = []
    model.register_forward_pre_hook(lambda module, given: seen.append(len(given[0])))
    attack = torchattacks.OnePixel(model, steps=3, popsize=10, inf_batch=4)
    attack.set_mode_targeted_by_label(quiet=True)
    attack(x[:1], (y[:1] + 5) % 10)
    assert seen == [4, 4, 2] * (len(seen) // 3) and len(seen) <= 12


@pytest.mark.parametrize("mapping", ["random", "similarity", "distance_random"])
def test_pixle_moves_pixels_of_the_image_itself(mapping):
    """Also where the image is not square, and in batches where each patch is kept."""
    for shape, each in (((3, 4, 9), False), ((3, 9, 4), True)):
        model, x, y = case_of(shape=shape)
        attack = torchattacks.Pixle(
            model, x_dimensions=2, y_dimensions=(1, 2), pixel_mapping=mapping, restarts=2,
            max_iterations=4, update_each_iteration=each,
        )  # fmt: skip
        numpy.random.seed(0)
        adv = attack(x, y)
        colours, known = (t.flatten(2).transpose(1, 2) for t in (adv, x))
        same = (colours[:, :, None] == known[:, None]).all(3).any(2)
        assert same.all() and pixels_changed(adv, x).max() > 1
        assert (pixels_changed(adv, x) <= 16).all()


def test_pixle_lowers_the_probability_and_stops_where_it_succeeds():
    model, x, y = case_of()
    attack = torchattacks.Pixle(model)
    before = model(x).softmax(1)[range(6), y]
    numpy.random.seed(0)
    adv = attack(x, y)
    broken = model(adv).argmax(1) != y
    assert (broken | (model(adv).softmax(1)[range(6), y] < before)).all() and broken.sum() > 2
    one = attack(x[1], y[1:2])  # a single image without its batch
    assert one.shape == (1, 3, 6, 6)
    assert torch.equal(torchattacks.Pixle(model, restarts=0)(x, y), x)


def test_wrong_options_are_named():
    model, x, y = case_of()
    for make, word in (
        (lambda: torchattacks.JSMA(model, theta=0), "JSMA: theta"),
        (lambda: torchattacks.JSMA(model, gamma=2), "JSMA: gamma: expected a share"),
        (
            lambda: torchattacks.SparseFool(model, steps=-1),
            "SparseFool: steps: expected at least 0",
        ),
        (
            lambda: torchattacks.SparseFool(model).set_mode_targeted_by_label(),
            "cannot move towards",
        ),
        (lambda: torchattacks.OnePixel(model, pixels=0), "OnePixel: pixels: expected at least 1"),
        (lambda: torchattacks.OnePixel(model)(x.flatten(1), y), "OnePixel: expected images"),
        (lambda: torchattacks.Pixle(model, restarts=-1), "Pixle: restarts"),
        (lambda: torchattacks.Pixle(model, pixel_mapping="near"), "Pixle: pixel_mapping"),
        (lambda: torchattacks.Pixle(model, x_dimensions=(0, 3)), "Pixle: x_dimensions"),
        (lambda: torchattacks.Pixle(model, y_dimensions=(5, 3))(x, y), "expected .least, most."),
        (lambda: torchattacks.JSMA(model)(x * 2, y), "images in .0, 1."),
    ):
        with pytest.raises(ValueError, match=word):
            make()
