# SPDX-License-Identifier: Apache-2.0
"""foolbox's interface to attacks that walk along the decision boundary, with decisions alone and by
trust regions: against the library where it is installed, else against closed forms."""

import pytest
import torch
from foolbox_cases import Counted, assert_signature_is_the_librarys, case_of, same, under_one_seed
from helpers import linear_model

import namid.compat.foolbox as fb

DECISION = ["BoundaryAttack", "HopSkipJumpAttack"]
BRENDEL_BETHGE = [f"{n}BrendelBethgeAttack" for n in ("L0", "L1", "L2", "Linfinity")]
ALL = [*DECISION, *BRENDEL_BETHGE]
FAST = {"steps": 700, "spherical_step": 0.1, "source_step": 0.1, "update_stats_every_k": 2}


def two_classes(bounds=(0.0, 1.0)):
    """A linear model; images in the middle; w with gap(x + d) = gap(x) - w.d, and that gap."""
    model = linear_model(classes=2).double()
    torch.manual_seed(1)
    width = bounds[1] - bounds[0]
    x = bounds[0] + width * (0.4 + 0.2 * torch.rand(6, 3, 2, 2)).double()
    logits = model(x).detach()
    y = logits.argmax(1)
    weight = model[1].weight.detach()
    return model, x, y, weight[1 - y] - weight[y], (logits[:, 0] - logits[:, 1]).abs()


@pytest.mark.parametrize("name", ALL)
def test_signatures_are_the_librarys(name):
    assert_signature_is_the_librarys(name)


def walks(name, options, rows, targeted):
    def attack(library, fmodel, x, y):
        criterion = library.TargetedMisclassification((y[rows] + 1) % 5) if targeted else y[rows]
        return getattr(library.attacks, name)(**options).run(fmodel, x[rows], criterion)

    return attack


@pytest.mark.parametrize(
    "options,bounds,targeted",
    [
        ({"steps": 300}, (0, 1), False),
        ({"steps": 300, "spherical_step": 0.1, "source_step": 0.05}, (-1, 3), False),
        ({"steps": 500, "update_stats_every_k": 1, "step_adaptation": 1.3}, (0, 1), True),
    ],
)
def test_the_boundary_attack_is_the_librarys_under_the_same_seed(options, bounds, targeted):
    attack = walks("BoundaryAttack", options, slice(None), targeted)
    same(*under_one_seed(attack, bounds, torch.float64))


@pytest.mark.parametrize("targeted", [False, True])
@pytest.mark.parametrize("constraint", ["l2", "linf"])
@pytest.mark.parametrize("search,steps", [("geometric_progression", 8), ("grid_search", 2)])
def test_hop_skip_jump_is_the_librarys_for_one_image(search, steps, constraint, targeted):
    options = {"steps": steps, "constraint": constraint, "stepsize_search": search, "gamma": 0.7}
    for row in (1, 4):
        attack = walks("HopSkipJumpAttack", options, slice(row, row + 1), targeted)
        same(*under_one_seed(attack, dtype=torch.float64))


# Without it


@pytest.mark.parametrize("bounds", [(0.0, 1.0), (-2.0, 2.0)])
@pytest.mark.parametrize(
    "name,options,slack",
    [
        ("BoundaryAttack", FAST, 1.02),
        ("HopSkipJumpAttack", {"steps": 10}, 1.05),
        ("HopSkipJumpAttack", {"steps": 10, "stepsize_search": "grid_search"}, 1.05),
    ],
)
def test_decisions_alone_lead_to_the_nearest_point_of_a_plane(name, options, slack, bounds):
    model, x, y, weight, gap = two_classes(bounds)
    torch.manual_seed(0)
    attack = getattr(fb.attacks, name)(**options)
    raw, _, success = attack(fb.PyTorchModel(model, bounds), x, y, epsilons=None)
    least = gap / weight.norm(dim=1)
    size = (raw - x).flatten(1).norm(dim=1)
    assert success.all() and (size >= least * (1 - 1e-9)).all()
    assert (size <= least * slack).all(), size / least


def test_hop_skip_jump_in_the_maximum_norm_leads_to_the_nearest_cube():
    model, x, y, weight, gap = two_classes()
    torch.manual_seed(0)
    attack = fb.attacks.HopSkipJumpAttack(steps=15, constraint="linf")
    raw, _, success = attack(fb.PyTorchModel(model, (0, 1)), x, y, epsilons=None)
    least = gap / weight.abs().sum(1)
    size = (raw - x).flatten(1).abs().amax(1)
    assert success.all() and (size >= least * (1 - 1e-9)).all()
    assert (size <= least * 1.15).all(), size / least  # signs of small slopes are seldom right


@pytest.mark.parametrize("name", ALL)
def test_epsilons_starting_points_and_what_needs_no_search(name):
    model, x, y = case_of((-1, 3), torch.float64)
    fmodel, attack = fb.PyTorchModel(model, (-1, 3)), getattr(fb.attacks, name)(steps=4)
    starts = x.roll(1, 0)
    starts[model(starts).argmax(1) == y] = -1.0
    broken = model(starts).argmax(1) != y
    torch.manual_seed(0)
    raws, clipped, success = attack(fmodel, x, y, epsilons=[None, 0.5], starting_points=starts)
    torch.manual_seed(0)
    again = attack.run(fmodel, x, y, starting_points=starts, early_stop=0.1)
    assert torch.equal(again, raws[0]) and raws[0].min() >= -1 and raws[0].max() <= 3
    assert torch.equal(raws[0][0], x[0]), "an image that is wrong as it is stays"
    before, after = (attack.distance(x, each) for each in (starts, raws[0]))
    assert (after[broken] <= before[broken]).all() and (after < before).any()
    assert torch.equal(success[0], broken) and torch.equal(clipped[0], raws[0])
    assert (attack.distance(x, clipped[1]) <= 0.5 + 1e-9).all()
    for row, hit in enumerate(success):
        assert torch.equal(model(clipped[row]).argmax(1) != y, hit)


@pytest.mark.parametrize("name", ALL)
def test_rows_whose_start_fails_hold_up_no_others(name):
    model, x, y = case_of(dtype=torch.float64)
    attack = getattr(fb.attacks, name)(steps=3)
    starts = torch.cat([x[:3], x.roll(1, 0)[3:]])
    raw, _, success = attack(fb.PyTorchModel(model, (0, 1)), x, y, epsilons=None,
                             starting_points=starts)  # fmt: skip
    assert torch.equal(raw[:3], x[:3]) and success.tolist()[:3] == [True, False, False]


@pytest.mark.parametrize("name", ALL)
def test_another_attack_finds_the_start(name):
    model, x, y = case_of(dtype=torch.float64)
    init = fb.attacks.SaltAndPepperNoiseAttack(steps=30)
    attack = getattr(fb.attacks, name)(init_attack=init, steps=2)
    torch.manual_seed(0)
    start = init.run(fb.PyTorchModel(model, (0, 1)), x, y)
    torch.manual_seed(0)
    raw, _, success = attack(fb.PyTorchModel(model, (0, 1)), x, y, epsilons=None)
    found = model(start).argmax(1) != y
    assert found.sum() > 3 and torch.equal(success, found) and name in repr(attack)
    before, after = (attack.distance(x, each) for each in (start, raw))
    assert (after[found] <= before[found]).all()
    if not name.startswith("L0"):  # the noise changes few entries as it is
        assert (after < before).any()


def test_a_row_asks_as_often_as_alone():
    """Decisions asked for: per step one, and one of the random step every k-th; none once done."""
    model, x, y = case_of(dtype=torch.float64)
    counted = Counted(model)
    fmodel = fb.PyTorchModel(counted, (0, 1))
    starts = torch.where((model(1 - x).argmax(1) != y)[:, None, None, None], 1 - x, x.roll(1, 0))
    assert (model(starts).argmax(1) != y)[1:].all()

    def asked(attack, rows):
        counted.images = 0
        torch.manual_seed(0)
        attack(fmodel, x[rows], y[rows], epsilons=None, starting_points=starts[rows])
        return counted.images - 3 * len(x[rows])  # image, start and result

    walk = fb.attacks.BoundaryAttack(steps=200, update_stats_every_k=10)
    assert asked(walk, slice(0, 6)) == 5 * 220 and asked(walk, slice(2, 3)) == 220
    still = fb.attacks.BoundaryAttack(steps=200, source_step_convergance=1.0)
    assert asked(still, slice(0, 6)) == 0
    hop = fb.attacks.HopSkipJumpAttack(steps=1, initial_gradient_eval_steps=50)
    alone = [asked(hop, slice(row, row + 1)) for row in range(6)]
    assert alone[0] == 0 and all(50 < count < 90 for count in alone[1:])
    together = asked(hop, slice(0, 6))  # other directions, other halvings
    assert abs(together - sum(alone)) < 100


def test_wrong_use_of_decision_attacks_is_refused():
    model, x, y = case_of(dtype=torch.float64)
    fmodel = fb.PyTorchModel(model, bounds=(0, 1))
    for name in DECISION:
        attack = getattr(fb.attacks, name)
        with pytest.raises(ValueError, match="steps: expected at least 0, got -1"):
            attack(steps=-1)
        with pytest.raises(NotImplementedError, match=f"{name}: tensorboard=logs"):
            attack(tensorboard="logs")
        with pytest.raises(NotImplementedError, match="smallest perturbation, got LinfProj"):
            attack(init_attack=fb.attacks.LinfPGD())
        with pytest.raises(ValueError, match="starting_points: expected the inputs' shape"):
            attack()(fmodel, x, y, epsilons=None, starting_points=x[:2])
        with pytest.raises(ValueError, match="bounds"):
            attack()(fmodel, x, y, epsilons=None, starting_points=x + 1)
        with pytest.raises(TypeError, match="unexpected"):
            attack()(fmodel, x, y, epsilons=None, mode=2)
    for option in ({"spherical_step": 0}, {"source_step": -1.0}, {"step_adaptation": 0.9},
                   {"update_stats_every_k": 0}):  # fmt: skip
        with pytest.raises(ValueError, match=next(iter(option))):
            fb.attacks.BoundaryAttack(**option)
    for option in ({"constraint": "l1"}, {"stepsize_search": "line"}, {"gamma": 0.0},
                   {"initial_gradient_eval_steps": 0}, {"max_gradient_eval_steps": 0}):  # fmt: skip
        with pytest.raises(ValueError, match=next(iter(option))):
            fb.attacks.HopSkipJumpAttack(**option)


# Along the boundary, by trust regions (tests/python/test_compat_trust_region.py has the steps)

WIDE = {"steps": 60, "lr": 0.05, "lr_num_decay": 6}


def least_on_a_plane(name, x, weight, gap):
    """The distance of a linear model's boundary, within the bounds [0, 1]."""
    room = torch.where(weight > 0, 1 - x.flatten(1), x.flatten(1))
    if name.startswith("L2"):
        return gap / weight.norm(dim=1)
    if name.startswith("Linf"):
        return gap / weight.abs().sum(1)
    key = weight.abs() if name.startswith("L1") else weight.abs() * room
    order = key.argsort(dim=1, descending=True)
    steep, room = weight.abs().gather(1, order), room.gather(1, order)
    before = (steep * room).cumsum(1) - steep * room
    left = (gap[:, None] - before).clamp(min=0)
    if name.startswith("L0"):
        return (left > 0).sum(1).double()
    return torch.minimum(left / steep, room).sum(1)


@pytest.mark.parametrize("name", BRENDEL_BETHGE)
def test_the_boundary_is_followed_to_the_nearest_point_of_a_plane(name):
    model, x, y, weight, gap = two_classes()
    torch.manual_seed(0)
    attack = getattr(fb.attacks, name)(**WIDE)
    raw, _, success = attack(fb.PyTorchModel(model, (0, 1)), x, y, epsilons=None)
    least, size = least_on_a_plane(name, x, weight, gap), attack.distance(x, raw)
    assert success.all() and (size >= least * (1 - 1e-9)).all(), size / least
    assert (size <= least * (1 + 1e-6)).all(), size / least
    assert raw.min() >= 0 and raw.max() <= 1


@pytest.mark.parametrize("name", BRENDEL_BETHGE)
def test_the_boundary_leads_to_targets_and_images_do_not_change_each_other(name):
    model, x, y = case_of((-1, 3), torch.float64)
    fmodel, target = fb.PyTorchModel(model, (-1, 3)), (y + 1) % 5
    many = torch.rand(4000, 3, 4, 4, dtype=torch.float64) * 4 - 1
    labels = model(many).argmax(1)
    starts = torch.stack([many[(labels == each).nonzero()[0, 0]] for each in target])
    attack = getattr(fb.attacks, name)(**WIDE)
    aim = fb.TargetedMisclassification(target)
    raw, _, success = attack(fmodel, x, aim, epsilons=None, starting_points=starts)
    assert success.all() and torch.equal(model(raw).argmax(1), target)
    assert (attack.distance(x, raw) <= attack.distance(x, starts)).all()
    aim = fb.TargetedMisclassification(target[3:4])
    alone = attack.run(fmodel, x[3:4], aim, starting_points=starts[3:4])
    torch.testing.assert_close(alone, raw[3:4], rtol=0, atol=1e-6)


def test_a_step_along_the_boundary_asks_once():
    model, x, y = case_of(dtype=torch.float64)
    counted, starts = Counted(model), x.roll(1, 0)
    moving = int(((model(starts).argmax(1) != y) & (model(x).argmax(1) == y)).sum())
    attack = fb.attacks.L2BrendelBethgeAttack(steps=7, binary_search_steps=4)
    attack(fb.PyTorchModel(counted, (0, 1)), x, y, epsilons=None, starting_points=starts)
    assert moving > 2 and counted.images == 3 * len(x) + (4 + 7) * moving


@pytest.mark.parametrize("name", BRENDEL_BETHGE)
def test_the_boundary_is_followed_as_far_as_by_the_library(name):
    """One image at a time, since there the radius grows with the batch."""
    pytest.importorskip("numba", reason="numba, which foolbox needs for these, is not installed")

    def attack(library, fmodel, x, y):
        starts, made = x.roll(1, 0), getattr(library.attacks, name)(steps=300, lr=5e-3)
        rows = (fmodel(starts).argmax(1) != y) & (fmodel(x).argmax(1) == y)
        rows = rows.nonzero()[:, 0].tolist()
        found = [made.run(fmodel, x[i : i + 1], y[i : i + 1], starting_points=starts[i : i + 1])
                 for i in rows]  # fmt: skip
        return fb.distances.__dict__[name[: 4 if "Linf" in name else 2].lower()](
            x[rows], torch.cat(found)
        )

    theirs, ours = under_one_seed(attack)
    spread = (theirs.quantile(0.75) - theirs.quantile(0.25)).item()
    assert ours.median() <= theirs.median() + 0.1 * spread, (ours, theirs)


def test_wrong_use_of_brendel_bethge_is_refused():
    for name in BRENDEL_BETHGE:
        attack = getattr(fb.attacks, name)
        for option in ({"steps": -1}, {"binary_search_steps": -1}, {"lr": 0}, {"lr_decay": 0.0},
                       {"lr_num_decay": 0}, {"momentum": 1.0}, {"overshoot": 0.5}):  # fmt: skip
            with pytest.raises(ValueError, match=next(iter(option))):
                attack(**option)
        with pytest.raises(NotImplementedError, match="smallest perturbation"):
            attack(init_attack=fb.attacks.LinfPGD())
