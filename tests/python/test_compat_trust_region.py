# SPDX-License-Identifier: Apache-2.0
"""The steps of the Brendel & Bethge attacks: against closed forms, grids, all subsets and scipy."""

import dataclasses
import itertools

import pytest
import torch
from foolbox_cases import case_of

import namid.compat.foolbox as fb
from namid.compat.foolbox import trust_region

NEAREST = ["l0", "l1", "l2", "linf"]
CONVEX = {"l1": 1, "l2": 2, "linf": torch.inf}


def problem_of(rows, entries, longer=1.0, seed=0):
    """Random problems solved by steps up to `longer` more than the shortest; c of either sign."""
    torch.manual_seed(seed)
    options = {"dtype": torch.float64}
    x0, x = torch.rand(rows, entries, **options), torch.rand(rows, entries, **options)
    x[torch.rand(rows, entries) < 0.2] = 1.0
    b = torch.randn(rows, entries, **options) * 10 ** torch.randn(rows, 1, **options)
    sign = torch.where(torch.rand(rows, 1) < 0.5, 1.0, -1.0)
    most = (b * torch.where(sign * b > 0, 1 - x, -x)).sum(1, keepdim=True)
    c = most * torch.rand(rows, 1, **options) * 0.8
    problem = trust_region.Problem(x0 - x, b, c, torch.full_like(c, 1e9), -x, 1 - x)
    least = trust_region.towards(problem)[0].norm(dim=1, keepdim=True)
    return dataclasses.replace(problem, r=least + longer * torch.rand(rows, 1, **options) ** 2)


def step_of(name, problem):
    return trust_region.solve(problem, getattr(trust_region, name))


def assert_feasible(p, d):
    reach = p.b.norm(dim=1, keepdim=True) * p.r + p.c.abs()
    assert ((trust_region.dot(p.b, d) - p.c).abs() <= 1e-8 * reach).all()
    assert (d.norm(dim=1, keepdim=True) <= p.r * (1 + 2e-6)).all()
    assert (d >= p.lower).all() and (d <= p.upper).all()


@pytest.mark.parametrize("rows,entries,longer", [(40, 12, 1.0), (6, 300, 3.0), (20, 5, 1e-4)])
@pytest.mark.parametrize("name", NEAREST)
def test_steps_meet_the_boundary_in_ball_and_bounds(name, rows, entries, longer):
    problem = problem_of(rows, entries, longer)
    assert_feasible(problem, step_of(name, problem))


@pytest.mark.parametrize("name", CONVEX)
def test_no_point_of_a_grid_is_nearer(name):
    """Three entries: two from a grid over the bounds, the third from b.d = c."""
    side, found = 301, 0
    p = problem_of(12, 3, 0.5)
    d = step_of(name, p)
    size = (d - p.v).norm(CONVEX[name], dim=1)
    for row in range(12):
        low, high, b = p.lower[row], p.upper[row], p.b[row]
        last = int(b.abs().argmax())
        one, two = (torch.linspace(float(low[i]), float(high[i]), side, dtype=torch.float64)
                    for i in range(3) if i != last)  # fmt: skip
        pairs = torch.cartesian_prod(one, two)
        rest = (p.c[row] - pairs @ b[[i for i in range(3) if i != last]]) / b[last]
        points = torch.cat([pairs[:, :last], rest[:, None], pairs[:, last:]], 1)
        fits = (rest >= low[last]) & (rest <= high[last]) & (points.norm(dim=1) <= p.r[row])
        if not bool(fits.any()):
            continue
        found += 1
        best = (points[fits] - p.v[row]).norm(CONVEX[name], dim=1).min()
        assert size[row] <= best + 1e-6 and best <= size[row] + 0.1
    assert found > 6


@pytest.mark.parametrize("name", CONVEX)
def test_steps_are_scipys(name):
    optimize = pytest.importorskip("scipy.optimize", reason="scipy is not installed")
    import numpy as np

    p = problem_of(15, 6)
    d, order, met = step_of(name, p), CONVEX[name], 0
    start, _, _ = trust_region.towards(p)
    for row in range(15):
        v, b, low, high = (getattr(p, key)[row].numpy() for key in ("v", "b", "lower", "upper"))
        c, r, unit = p.c[row].item(), p.r[row].item(), np.linalg.norm(b)
        first = np.append(start[row].numpy(), np.abs(start[row].numpy() - v))  # d and |d - v|
        rules = [
            {"type": "eq", "fun": lambda z: (b @ z[:6] - c) / unit},  # noqa: B023
            {"type": "ineq", "fun": lambda z: r * r - z[:6] @ z[:6]},  # noqa: B023
            {"type": "ineq", "fun": lambda z: z[6:] - z[:6] + v},  # noqa: B023
            {"type": "ineq", "fun": lambda z: z[6:] + z[:6] - v},  # noqa: B023
        ]
        bounds = [*zip(low, high), *[(0, None)] * 6]
        if order == torch.inf:
            first[6:] = first[6:].max()
            rules.append({"type": "eq", "fun": lambda z: z[7:] - z[6]})
            aim = lambda z: z[6]  # noqa: E731
        else:
            aim = (lambda z: z[6:].sum()) if order == 1 else (lambda z: z[6:] @ z[6:])
        result = optimize.minimize(aim, first, bounds=bounds, constraints=rules, method="SLSQP",
                                   options={"maxiter": 300, "ftol": 1e-12})  # fmt: skip
        if result.success:
            theirs = np.linalg.norm(result.x[:6] - v, float(order))
            assert abs(float((d[row] - p.v[row]).norm(order)) - theirs) < 1e-4
            met += 1
    assert met > 7


def test_few_entries_change_seldom_more_than_the_fewest_of_all_subsets():
    p = problem_of(60, 8)
    p.v[:, ::2] *= 0.05  # entries that may well stay
    changed = (step_of("l0", p) != p.v).sum(1)
    fewest = torch.full_like(changed, 99)
    for subset in itertools.product([False, True], repeat=8):
        fits = trust_region._but_for(p, torch.tensor(subset).expand(60, -1))[2][:, 0]
        fewest = torch.where(fits, fewest.clamp(max=sum(subset)), fewest)
    excess = changed - fewest
    assert (excess >= 0).all() and (excess <= 2).all()
    assert (excess == 0).double().mean() > 0.7


@pytest.mark.parametrize("name", CONVEX)
def test_the_slow_search_finds_what_the_quick_one_finds(name, monkeypatch):
    problem = problem_of(30, 20)
    quick = step_of(name, problem)
    assert (quick.norm(dim=1, keepdim=True) > problem.r * (1 - 1e-5)).double().mean() > 0.2
    monkeypatch.setattr(trust_region, "_TRIES", 0)
    slow = step_of(name, problem)
    assert_feasible(problem, slow)
    one, other = ((d - problem.v).norm(CONVEX[name], dim=1) for d in (quick, slow))
    torch.testing.assert_close(one, other, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("name", NEAREST)
def test_out_of_reach_steps_go_as_far_as_ball_and_bounds_allow(name):
    p = problem_of(10, 6)
    way = p.b / p.b.norm(dim=1, keepdim=True)
    near = dataclasses.replace(p, r=torch.full_like(p.r, 1e-3), c=p.c.sign() * 1e6,
                               lower=p.lower - 1, upper=p.upper + 1)  # fmt: skip
    torch.testing.assert_close(step_of(name, near), 1e-3 * p.c.sign() * way)
    far = dataclasses.replace(near, r=torch.full_like(p.r, 1e3))
    corner = torch.where(p.c.sign() * p.b > 0, far.upper, far.lower)
    torch.testing.assert_close(step_of(name, far), corner)


@pytest.mark.parametrize("name", NEAREST)
def test_rows_alone_and_without_a_gradient(name):
    p = problem_of(8, 10)
    p.b[3], p.b[4, 2:] = 0, 0
    together = step_of(name, p)
    assert together.isfinite().all() and (together[3] == 0).all()
    for row in (0, 4, 7):
        alone = step_of(name, p.rows(slice(row, row + 1)))
        torch.testing.assert_close(alone[0], together[row], rtol=1e-6, atol=1e-9)


def test_filling():
    rate = torch.tensor([[1.0, 2.0, 0.0], [1.0, 1.0, 1.0]], dtype=torch.float64)
    limit = torch.tensor([[5.0, 2.0, 0.0], [1.0, 2.0, 3.0]], dtype=torch.float64)
    for target, wanted in (
        ([3.0, 3.0], [1.0, 1.0]),
        ([4.0, 5.0], [2.0, 2.0]),
        ([9.0, 7.0], [torch.inf, torch.inf]),
    ):
        t = trust_region.fill(rate, limit, torch.tensor(target, dtype=torch.float64)[:, None])
        assert t[:, 0].tolist() == wanted


def test_entries_that_l0_does_not_need_go_back():
    model, x, y = case_of(dtype=torch.float64)
    attack = fb.attacks.L0BrendelBethgeAttack
    steps_alone = type("StepsAlone", (attack,), {"walk": attack.__mro__[1].walk})
    before, after = (
        made(steps=40).run(fb.PyTorchModel(model, (0, 1)), x, y, starting_points=x.roll(1, 0))
        for made in (steps_alone, attack)
    )
    assert torch.equal(model(before).argmax(1) != y, model(after).argmax(1) != y)
    fewer, more = (attack.distance(x, each) for each in (after, before))
    assert (fewer <= more).all() and (fewer < more).any()
