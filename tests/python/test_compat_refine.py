# SPDX-License-Identifier: Apache-2.0
"""foolbox's interface to attacks that refine adversarial images or look among other images: against
the library where it is installed, else against closed forms."""

import numpy as np
import pytest
import torch
from foolbox_cases import Counted, assert_signature_is_the_librarys, case_of, same, under_one_seed
from helpers import linear_model

import namid.compat.foolbox as fb


@pytest.mark.parametrize(
    "name", ["BinarizationRefinementAttack", "DatasetAttack", "PointwiseAttack"]
)
def test_signatures_are_the_librarys(name):
    assert_signature_is_the_librarys(name)


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
