# SPDX-License-Identifier: Apache-2.0
"""foolbox's interface to attacks that start at adversarial images, search without gradients or look
among other images: against the library where it is installed, else against closed forms."""

import inspect

import numpy as np
import pytest
import torch
from helpers import linear_model

import namid.compat.foolbox as fb

NAMES = [
    "L2DeepFoolAttack",
    "LinfDeepFoolAttack",
    "BinarizationRefinementAttack",
    "DatasetAttack",
    "PointwiseAttack",
]
MOMENTUM = [f"{n}MomentumIterativeFastGradientMethod" for n in ("L1", "L2", "Linf")]


def peer_or_skip():
    return pytest.importorskip("foolbox", reason="foolbox is not installed")


def case_of(bounds=(0, 1)):
    """A small net that gives random images all its classes, images within the bounds, and labels, the
    first of which it gets wrong."""
    torch.manual_seed(3)
    first, last = torch.nn.Linear(48, 16), torch.nn.Linear(16, 5, bias=False)
    with torch.no_grad():
        first.bias.copy_(-first.weight.sum(1) * sum(bounds) / 2)
        last.weight.mul_(4)
    model = torch.nn.Sequential(torch.nn.Flatten(), first, torch.nn.Tanh(), last).eval()
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


@pytest.mark.parametrize("name", [*MOMENTUM, *NAMES])
def test_signatures_are_the_librarys(name):
    def rows(call):
        return [(p.name, p.default, p.kind) for p in inspect.signature(call).parameters.values()]

    ours, theirs = getattr(fb.attacks, name), getattr(peer_or_skip().attacks, name)
    assert rows(ours) == rows(theirs)
    assert rows(ours.run)[:4] == rows(theirs.run)[:4]  # up to starting_points, a keyword


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


# Binarization refinement


@pytest.mark.parametrize("threshold,included_in", [(None, "upper"), (0.25, "lower")])
@pytest.mark.parametrize("bounds", [(0, 1), (-1, 3)])
def test_refined_images_are_the_librarys(threshold, included_in, bounds):
    at = sum(bounds) / 2 if threshold is None else threshold

    def attack(library, fmodel, x, y):
        seen = library.models.ThresholdingWrapper(fmodel, np.nextafter(np.float32(at), 9)
                                                  if included_in == "lower" else at)  # fmt: skip
        made = library.attacks.BinarizationRefinementAttack(
            distance=library.distances.l2, threshold=threshold, included_in=included_in
        )
        starts = x.flip(0)
        starts[:, 0], x[:, 0] = at, bounds[0]  # on the threshold itself
        starts[:, 1], x[:, 1] = bounds[1], at
        return made(seen, x, y, epsilons=[None, 1.0], starting_points=starts)

    theirs, ours = under_one_seed(attack, bounds)
    for one, other in zip(theirs[0] + theirs[1], ours[0] + ours[1]):
        same(one, other)
    assert torch.equal(theirs[2], ours[2])


def test_refinement_crosses_the_threshold_by_one_value_where_it_must():
    model, x, _ = case_of()
    seen = fb.models.ThresholdingWrapper(fb.PyTorchModel(model, (0, 1)), 0.5)
    x = torch.rand(6, 3, 4, 4)
    y = seen(x).argmax(1)
    rough = fb.attacks.SaltAndPepperNoiseAttack(steps=100).run(seen, x, y)
    assert (seen(rough).argmax(1) != y).all()
    attack = fb.attacks.BinarizationRefinementAttack(distance=fb.distances.linf)
    raw, _, success = attack(seen, x, y, epsilons=None, starting_points=rough)
    assert success.all() and "threshold=None" in repr(attack)
    crossed = (x < 0.5) != (rough < 0.5)
    assert torch.equal(raw[~crossed], x[~crossed]) and crossed.any()
    below = torch.nextafter(torch.tensor(0.5), torch.tensor(0.0))
    assert torch.equal(raw[crossed], torch.where(x < 0.5, 0.5, below)[crossed])


def test_refinement_refuses_what_it_cannot_refine():
    model, x, y = case_of()
    fmodel = fb.PyTorchModel(model, (0, 1))
    attack = fb.attacks.BinarizationRefinementAttack(distance=fb.distances.l2)
    with pytest.raises(ValueError, match="requires starting_points"):
        attack(fmodel, x, y, epsilons=1.0)
    with pytest.raises(ValueError, match="starting_points: expected the inputs' shape"):
        attack(fmodel, x, y, epsilons=1.0, starting_points=x[:2])
    with pytest.raises(ValueError, match="starting_points: expected the inputs' torch.float32"):
        attack(fmodel, x, y, epsilons=1.0, starting_points=x.double())
    with pytest.raises(ValueError, match="bounds"):
        attack(fmodel, x, y, epsilons=1.0, starting_points=x + 1)
    near = fb.attacks.L2DeepFoolAttack().run(fmodel, x, y)  # on the image's own side mostly
    with pytest.raises(ValueError, match="does not binarise"):
        attack(fmodel, x, y, epsilons=1.0, starting_points=near)
    with pytest.raises(ValueError, match="included_in"):
        fb.attacks.BinarizationRefinementAttack(included_in="both")
    with pytest.raises(TypeError, match="unexpected keyword argument 'starting_points'"):
        fb.attacks.InversionAttack().run(fmodel, x, y, starting_points=x)


# Other images


@pytest.mark.parametrize("targeted", [False, True])
def test_images_of_the_batch_itself_are_chosen_as_the_library_chooses(targeted):
    def attack(library, fmodel, x, y):
        made = library.attacks.DatasetAttack(distance=library.distances.l2)
        made.feed(fmodel, x[:2])
        made.feed(fmodel, x[2:])
        criterion = library.TargetedMisclassification(y.flip(0)) if targeted else y
        raws, clipped, success = made(fmodel, x, criterion, epsilons=[None, 2.0])
        again = made.run(fmodel, x, criterion)  # what was fed stays
        return torch.stack([*raws, *clipped, again]), success

    (theirs, their_success), (ours, our_success) = under_one_seed(attack)
    same(theirs, ours)
    assert torch.equal(our_success, their_success)


def test_every_image_fed_is_tried_and_only_those_that_fool_are_taken():
    model, x, y = case_of()
    fmodel = fb.PyTorchModel(model, (0, 1))
    others = torch.rand(400, 3, 4, 4)
    taken_for = model(others).argmax(1)
    attack = fb.attacks.DatasetAttack(distance=fb.distances.l2)
    with pytest.raises(ValueError, match="feed"):
        attack(fmodel, x, y, epsilons=None)
    rare = int(taken_for.bincount(minlength=5).argmin())
    assert 0 < (taken_for == rare).sum() < 100
    for part in others.split(150):
        attack.feed(fmodel, part)
    assert repr(attack) == "DatasetAttack(distance=L2 distance, images=400)"
    np.random.seed(0)
    target = fb.TargetedMisclassification(torch.full_like(y, rare))
    raw, _, success = attack(fmodel, x, target, epsilons=None)
    assert success.all() and (model(raw).argmax(1) == rare).all()
    chosen = [(others == image).flatten(1).all(1).any() for image in raw]
    assert all(hit or torch.equal(a, b) for hit, a, b in zip(chosen, raw, x)) and sum(chosen) > 3
    np.random.seed(0)
    assert torch.equal(attack.run(fmodel, x, target), raw), "the seed decides"
    assert not torch.equal(attack.run(fmodel, x, target), raw)
    one = fb.attacks.DatasetAttack()
    one.feed(fmodel, others[:1])  # fewer than the batch
    found = one.run(fmodel, x, y)
    fooled = (taken_for[0] != y) & (model(x).argmax(1) == y)
    assert torch.equal(found[fooled], others[:1].expand_as(x)[fooled])
    assert torch.equal(found[~fooled], x[~fooled])
    with pytest.raises(ValueError, match="of the shape fed"):
        one.run(fb.PyTorchModel(model, (0, 1)), x.flatten(1), y)
    with pytest.raises(ValueError, match="bounds"):
        one.feed(fmodel, x + 1)


# Pointwise


class Counted(torch.nn.Module):
    def __init__(self, model):
        super().__init__()
        self.model, self.images = model, 0

    def forward(self, x):
        self.images += len(x)
        return self.model(x)


@pytest.mark.parametrize("halving", [True, False])
@pytest.mark.parametrize("way", ["salt", "blend", "points", "targeted"])
def test_images_brought_back_pointwise_are_the_librarys(way, halving):
    def attack(library, fmodel, x, y):
        init, points, criterion = None, {}, y
        if way == "blend":
            init = library.attacks.LinearSearchBlendedUniformNoiseAttack(steps=20)
        if way in ("points", "targeted"):  # the image of the row before
            points["starting_points"] = x.roll(1, 0)
            criterion = library.TargetedMisclassification(fmodel(x).argmax(1).roll(1, 0))
        made = library.attacks.PointwiseAttack(init_attack=init, l2_binary_search=halving)
        return made.run(fmodel, x, criterion, **points)

    same(*under_one_seed(attack))


def test_no_entry_of_a_pointwise_image_can_go_farther_back():
    """On a linear model: each changed entry is needed, and 1/1000 of its way is too much."""
    model = linear_model(classes=2)
    torch.manual_seed(1)
    x = torch.rand(8, 3, 2, 2)
    y = model(x).argmax(1)
    weight = model[1].weight.detach()
    slope = (weight[1 - y] - weight[y]).flatten(1)  # towards the other class
    start = torch.where(slope > 0, 1.0, 0.0).reshape_as(x)
    fmodel = fb.PyTorchModel(model, (0, 1))
    fooled = model(start).argmax(1) != y
    assert fooled.sum() > 5
    for halving, share in ((False, 1.0), (True, 1e-3)):
        attack = fb.attacks.PointwiseAttack(l2_binary_search=halving)
        raw, clipped, success = attack(fmodel, x, y, epsilons=[None, 0.1], starting_points=start)
        assert torch.equal(success[0], fooled) and torch.equal(raw[0][~fooled], start[~fooled])
        assert (attack.distance(x, clipped[1]) <= 0.1 + 1e-6).all()
        delta = (raw[0] - x).flatten(1)[fooled]
        logits = model(raw[0]).detach()[fooled]
        gap = (logits[:, 0] - logits[:, 1]).abs()[:, None]
        gives = (slope[fooled] * delta * share).where(delta != 0, torch.inf)
        assert (gives > gap * (1 - 1e-4)).all()
        assert (delta == 0).any() and (
            attack.distance(x, raw[0]) <= attack.distance(x, start)
        ).all()


def test_pointwise_asks_only_about_rows_that_still_move():
    class AtLeastThree(torch.nn.Module):
        def forward(self, x):
            return torch.stack([torch.full((len(x),), 2.5), x.flatten(1).sum(1)], 1)

    counted = Counted(AtLeastThree())
    x, y = torch.zeros(2, 6), torch.zeros(2, dtype=torch.long)
    start = torch.tensor([[1.0, 1, 1, 0, 0, 0], [1, 1, 1, 1, 1, 0]])
    np.random.seed(0)
    found = fb.attacks.PointwiseAttack(l2_binary_search=False).run(
        fb.PyTorchModel(counted, (0, 1)), x, y, starting_points=start
    )
    assert torch.equal(found[0], start[0]) and found[1].sum() == 3
    assert counted.images == 2 + 3 + 5 + 3  # the starts; all of each row; what row 1 has left


def test_pointwise_starts_where_it_is_told_and_repeats_under_a_seed():
    model, x, y = case_of()
    fmodel = fb.PyTorchModel(model, (0, 1))
    noise = fb.attacks.LinearSearchBlendedUniformNoiseAttack(steps=20)
    attack = fb.attacks.PointwiseAttack(init_attack=noise)
    assert "l2_binary_search=True" in repr(attack)
    runs = []
    for _ in range(2):
        torch.manual_seed(0)
        np.random.seed(0)
        runs.append(attack(fmodel, x, y, epsilons=None)[0])
    assert torch.equal(*runs) and (model(runs[0]).argmax(1) != y).all()
    torch.manual_seed(0)
    start = noise.run(fmodel, x, y)
    l2 = fb.distances.l2
    assert (l2(x, runs[0]) <= l2(x, start)).all() and (l2(x, runs[0]) < l2(x, start) / 2).any()
    with pytest.raises(ValueError, match="expected the inputs' shape"):
        attack(fmodel, x, y, epsilons=None, starting_points=x[:1])
    assert attack.repeat(2)(fmodel, x, y, epsilons=None, starting_points=start)[2].all()


# Genetic search


class Mended:
    """eagerpy, whose exp of logits holds z_t in place of exp z_t: what the library takes from its sum."""

    def __init__(self, eagerpy, classes):
        self._eagerpy, self._classes = eagerpy, classes

    def __getattr__(self, name):
        return getattr(self._eagerpy, name)

    def exp(self, values):
        if values.ndim != 2:
            return self._eagerpy.exp(values)
        rows = range(len(self._classes))
        terms = values.raw.exp()
        terms[rows, self._classes] = values.raw[rows, self._classes]
        return self._eagerpy.astensor(terms)


@pytest.mark.parametrize(
    "options",
    [
        {"steps": 25},
        {"steps": 230, "population": 3, "mutation_range": 0.3, "sampling_temperature": 1.0},
        {"steps": 20, "reduced_dims": (2, 3), "channel_axis": 1, "mutation_probability": 0.6},
    ],
)
def test_genetic_search_is_the_librarys_with_its_fitness_mended(options, monkeypatch):
    peer_or_skip()
    from foolbox.attacks import gen_attack

    def attack(library, fmodel, x, y):
        target = (y + 1) % 5
        if library is not fb:
            monkeypatch.setattr(gen_attack, "ep", Mended(gen_attack.ep, target))
        made = library.attacks.GenAttack(**options)
        criterion = library.TargetedMisclassification(target)
        return made(fmodel, x, criterion, epsilons=[0.12])

    theirs, ours = under_one_seed(attack)
    alike = theirs[2][0] == ours[2][0]
    for one, other in zip(theirs[:2], ours[:2]):
        same(one[0][alike], other[0][alike])
    assert ours[2][0][~alike].all()  # reached, then lost by the library to fitter images
    assert alike.sum() >= 5 and not ours[2].all()


@pytest.mark.parametrize("bounds", [(0, 1), (-1, 3)])
def test_genetic_search_reaches_targets_within_ball_and_bounds(bounds):
    model, x, y = case_of(bounds)
    fmodel = fb.PyTorchModel(model, bounds)
    attack = fb.attacks.GenAttack(steps=200)
    width = bounds[1] - bounds[0]
    target = fb.TargetedMisclassification((y + 1) % 5)
    found = []
    for _ in range(2):
        torch.manual_seed(0)
        np.random.seed(0)
        found.append(attack(fmodel, x, target, epsilons=0.3 * width))
    (raw, clipped, success), (again, _, _) = found
    assert torch.equal(raw, again), "the seeds decide"
    assert success.sum() >= 4 and torch.equal(model(raw).argmax(1) == (y + 1) % 5, success)
    assert attack.distance(x, raw).max() <= 0.3 * width + 1e-6
    torch.testing.assert_close(raw, clipped)
    assert raw.min() >= bounds[0] and raw.max() <= bounds[1] and raw.max() > 0.9 * bounds[1]


def test_genetic_search_asks_for_its_population_until_all_targets_are_reached():
    model, x, y = case_of()
    counted = Counted(model)
    fmodel = fb.PyTorchModel(counted, (0, 1))
    far, near = (fb.TargetedMisclassification(t) for t in ((y + 1) % 5, model(x).argmax(1)))
    attack = fb.attacks.GenAttack(steps=7, population=60)
    for criterion, steps in ((far, 7), (near, 1)):
        counted.images = 0
        attack.run(fmodel, x, criterion, epsilon=1e-3)
        assert counted.images == steps * 60 * 6


def test_genetic_search_damps_mutations_after_a_hundred_generations_at_rest(monkeypatch):
    from namid.compat.foolbox import genetic

    reaches, breed = [], genetic._next

    def spied(members, elite, chances, probability, reach, epsilon):
        reaches.append((float(probability[0]), float(reach[0])))
        return breed(members, elite, chances, probability, reach, epsilon)

    monkeypatch.setattr(genetic, "_next", spied)
    flat = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(2, 3))
    torch.nn.init.zeros_(flat[1].weight)
    torch.nn.init.zeros_(flat[1].bias)  # no child is fitter than its elite, and class 0 wins
    target = fb.TargetedMisclassification(torch.tensor([1]))
    attack = fb.attacks.GenAttack(steps=250, population=2, mutation_range=0.38)
    attack.run(fb.PyTorchModel(flat, (0, 1)), torch.full((1, 2), 0.5), target, epsilon=0.1)
    expected = [(0.1, 0.38)] + [(0.5, 0.4)] * 99 + [(0.45, 0.38)] * 100 + [(0.405, 0.38)] * 50
    assert reaches == [pytest.approx(pair) for pair in expected]


def test_genetic_fitness_is_of_any_logits_and_its_options_are_checked():
    from namid.compat.foolbox.genetic import _fitness

    logits = torch.tensor([[[1.0, 2, 3], [900, -900, 0]]], dtype=torch.float64)
    others = [torch.tensor(v).exp().sum().log() for v in ([1.0, 3.0], [900.0 - 900, -900])]
    expected = torch.tensor([[2 - others[0], -900 - (others[1] + 900)]])
    torch.testing.assert_close(_fitness(logits, torch.tensor([1])).float(), expected)
    model, x, y = case_of()
    fmodel = fb.PyTorchModel(model, (0, 1))
    with pytest.raises(ValueError, match="unsupported criterion"):
        fb.attacks.GenAttack()(fmodel, x, y, epsilons=0.1)
    for options, word in (
        ({"steps": 0}, "steps: expected at least 1, got 0"),
        ({"population": 0}, "population"),
        ({"sampling_temperature": 0.0}, "sampling_temperature: expected > 0"),
    ):
        with pytest.raises(ValueError, match=word):
            fb.attacks.GenAttack(**options)
    target = fb.TargetedMisclassification(y)
    with pytest.raises(NotImplementedError, match="reduced_dims: expected images"):
        fb.attacks.GenAttack(reduced_dims=(2, 2)).run(fmodel, x.flatten(1), target, epsilon=0.1)
    with pytest.raises(NotImplementedError, match="channel_axis=3"):
        made = fb.attacks.GenAttack(reduced_dims=(2, 2), channel_axis=3)
        made.run(fmodel, x, target, epsilon=0.1)
    assert "min_mutation_range=0.15" in repr(fb.attacks.GenAttack())
