# SPDX-License-Identifier: Apache-2.0
"""foolbox's interface to genetic search: against the library where it is installed."""

import numpy as np
import pytest
import torch
from foolbox_cases import (
    Counted,
    assert_signature_is_the_librarys,
    case_of,
    peer_or_skip,
    same,
    under_one_seed,
)

import namid.compat.foolbox as fb


def test_the_signature_is_the_librarys():
    assert_signature_is_the_librarys("GenAttack")


class Mended:
    """eagerpy, whose exp of logits holds z_t for exp z_t: what the library takes from its sum."""

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
