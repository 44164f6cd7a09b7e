# SPDX-License-Identifier: Apache-2.0
import inspect

import pytest
import torch

import namid


def linear_model(seed=0, classes=3, size=12):
    torch.manual_seed(seed)
    return torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(size, classes))


def batch(n=8):
    torch.manual_seed(1)
    return torch.rand(n, 3, 2, 2), torch.randint(0, 3, (n,))


@pytest.mark.parametrize("norm,epsilon", [("linf", 0.1), ("l2", 0.5)])
def test_pgd_stays_inside_ball_and_box(norm, epsilon):
    model = linear_model()
    x, y = batch()
    result = namid.attacks.pgd(model, x, y, norm=norm, epsilon=epsilon, steps=20)
    delta = (result.adv - x).double().flatten(1)
    measured = delta.abs().amax(1) if norm == "linf" else delta.norm(dim=1)
    assert (measured <= epsilon * (1 + 1e-5) + 1e-6 * (norm == "linf")).all()
    torch.testing.assert_close(result.norms[norm].double(), measured, rtol=1e-6, atol=1e-9)
    assert result.adv.min() >= 0 and result.adv.max() <= 1
    assert torch.equal(result.success, model(result.adv).argmax(1) != y)


def test_pgd_reaches_the_optimum_of_a_two_class_linear_model():
    model = linear_model(classes=2)
    x = torch.full((1, 3, 2, 2), 0.5)
    weight = model[1].weight.detach()
    y = model(x).argmax(1)
    direction = (weight[1 - y] - weight[y]).reshape_as(x)
    best = (x + 0.05 * direction.sign()).clamp(0, 1)
    result = namid.attacks.pgd(model, x, y, norm="linf", epsilon=0.05, steps=20)
    torch.testing.assert_close(result.adv, best)


def test_same_seed_same_result_whatever_the_neighbours():
    model = linear_model()
    x, y = batch()
    whole = namid.attacks.pgd(model, x, y, epsilon=0.1, seed=3)
    alone = namid.attacks.pgd(model, x[2:3], y[2:3], epsilon=0.1, seed=3)
    torch.testing.assert_close(whole.adv[2:3], alone.adv)
    other = namid.attacks.pgd(model, x, y, epsilon=0.1, seed=4, judge="last", steps=1)
    again = namid.attacks.pgd(model, x, y, epsilon=0.1, seed=3, judge="last", steps=1)
    assert not torch.equal(other.adv, again.adv)


def test_fmn_counts_entries_in_l0():
    model = linear_model()
    x, y = batch()
    found = namid.attacks.fmn(model, x, y, norm="l0", epsilon=12, steps=100)
    entries = (found.adv != x).flatten(1).sum(1).double()
    assert torch.equal(found.norms["l0"], entries)
    assert found.success.all() and entries[model(x).argmax(1) == y].min() >= 1
    assert "l0" in {row.name: row.norms for row in namid.attacks.table()}["fmn"]
    with pytest.raises(ValueError, match="number of entries from 1 for l0, got 0.5"):
        namid.attacks.fmn(model, x, y, norm="l0")
    with pytest.raises(ValueError, match=r"\[pgd\] norm: expected linf or l2 or l1, got l0"):
        namid.attacks.pgd(model, x, y, norm="l0", epsilon=3)


def test_targets_say_where_an_attack_moves():
    model = linear_model()
    x, y = batch()
    z = model(x).detach()
    keywords = {"norm": "l2", "epsilon": 3, "steps": 20}
    least = namid.attacks.pgd(model, x, y, targets="least-likely", **keywords)
    assert torch.equal(least.target, z.scatter(1, y[:, None], torch.inf).argmin(1))
    assert torch.equal(least.success, model(least.adv).argmax(1) == least.target)
    every = namid.attacks.pgd(model, x, y, targets="all", **keywords)
    ones = [namid.attacks.pgd(model, x, (y + n) % 3, targets="given", **keywords) for n in (1, 2)]
    assert torch.equal(every.success, ones[0].success | ones[1].success)
    assert every.backwards == ones[0].backwards + ones[1].backwards
    targeted = namid.attacks.pgd(model, x, (y + 1) % 3, targeted=True, **keywords)
    assert torch.equal(targeted.adv, ones[0].adv) and targeted.target is None
    assert (namid.attacks.square(model, x, y, queries=2, targets="random").target != y).all()
    with pytest.raises(ValueError, match=r"\[fab\] targets: .* these can: pgd"):
        namid.attacks.run("fab", model, x, y, targets="all")
    with pytest.raises(ValueError, match="least-likely"):
        namid.attacks.pgd(model, x, y, targets="nearest")
    with pytest.raises(ValueError, match="targets"):
        namid.attacks.fab(model, x, y, targets="all")
    assert "targets" in inspect.signature(namid.attacks.pgd).parameters


def test_a_flow_moves_pixels():
    torch.manual_seed(0)
    axis = torch.linspace(-2.5, 2.5, 9)
    spot = torch.exp(-(axis[:, None] ** 2) - axis**2).expand(2, 1, 9, 9).clone()
    slope = torch.linspace(-1, 1, 9).expand(9, 9).reshape(-1)

    def model(x):
        side = (x.flatten(1) * slope).sum(1)
        return torch.stack([torch.zeros_like(side), side - torch.tensor([1, 1e3])[: len(x)]], 1)

    y = torch.zeros(2, dtype=torch.int64)
    found = namid.attacks.spatial_flow(model, spot, y, steps=30, smoothness=0.1)
    assert found.success.tolist() == [True, False]
    assert torch.equal(found.adv[1], spot[1]) and not found.flow[1].any()
    assert found.flow.shape == (2, 9, 9, 2) and found.displacement[0] > 0 and found.roughness[0] > 0
    assert found.forwards == found.backwards + 2
    with pytest.raises(ValueError, match="step"):
        namid.attacks.spatial_flow(model, spot, y, stepz=3)


def test_a_name_with_a_dash_is_a_function_with_an_underscore():
    x, y = batch(2)
    result = namid.attacks.fab_t(linear_model(), x, y, epsilon=1, steps=5)
    assert result.success.all() and "fab_t" in namid.attacks.__all__


def test_counts_passes_in_samples():
    x, y = batch(8)
    result = namid.attacks.pgd(linear_model(), x, y, steps=7)
    assert (result.forwards, result.backwards) == (8 * 8, 7 * 8)


def test_model_is_restored_exactly_also_after_an_exception():
    model = torch.nn.Sequential(
        torch.nn.Flatten(), torch.nn.BatchNorm1d(12), torch.nn.Linear(12, 3)
    )
    model.train()
    model[1].eval()
    model[2].weight.requires_grad_(False)
    x, y = batch()
    namid.attacks.pgd(model, x, y, steps=1)
    with pytest.raises(ValueError):
        namid.attacks.pgd(model, x, y, steps=0)
    assert model.training and not model[1].training and model[2].training
    assert [p.requires_grad for p in model.parameters()] == [True, True, False, True]
    assert all(p.grad is None for p in model.parameters())


@pytest.mark.parametrize(
    "keywords,message",
    [
        ({"steps": 0}, "steps: expected"),
        ({"stepz": 3}, "did you mean 'steps'"),
        ({"norm": "l7"}, "expected one of linf"),
        ({"epsilon": 8}, "epsilon"),
        ({"epsilon": -0.1}, "epsilon"),
        ({"start": "unifrom"}, "did you mean 'uniform'"),
    ],
)
def test_wrong_options_are_value_errors(keywords, message):
    x, y = batch()
    with pytest.raises(ValueError, match=message):
        namid.attacks.pgd(linear_model(), x, y, **keywords)


def test_wrong_tensors_are_value_errors():
    x, y = batch()
    model = linear_model()
    with pytest.raises(ValueError, match="255"):
        namid.attacks.pgd(model, x * 255, y)
    with pytest.raises(ValueError):
        namid.attacks.pgd(model, (x * 255).to(torch.uint8), y)
    with pytest.raises(ValueError, match="label"):
        namid.attacks.pgd(model, x, y + 5)
    with pytest.raises(ValueError):
        namid.attacks.pgd(model, x, y[:3])


def test_an_exception_of_the_model_comes_through():
    def model(x):
        if len(x) > 1:
            raise KeyError("mine")
        return torch.zeros(len(x), 3)

    x, y = batch()
    with pytest.raises(KeyError, match="mine"):
        namid.attacks.pgd(model, x, y)


def test_signature_and_docstring_come_from_the_option_table():
    signature = inspect.signature(namid.attacks.pgd)
    assert signature.parameters["steps"].default == 10
    assert signature.parameters["epsilon"].default == 8 / 255
    assert "gradient steps" in namid.attacks.pgd.__doc__


def test_version():
    assert namid.__version__.count(".") == 2


@pytest.mark.parametrize("name", ["frank_wolfe", "transport_pgd", "projected_sinkhorn"])
def test_wasserstein_attacks_come_with_the_plan_that_makes_their_images(name):
    model = linear_model()
    x, y = batch()
    result = getattr(namid.attacks, name)(model, x, y, epsilon=0.1, steps=5)
    kernel = round(result.plan.shape[-1] ** 0.5)
    assert result.plan.shape == (*x.shape, kernel * kernel)
    made, cost = torch.zeros_like(x), torch.zeros(len(x))
    for k in range(kernel * kernel):
        down, right = k // kernel - kernel // 2, k % kernel - kernel // 2
        mass = result.plan[..., k]
        made += mass.roll((down, right), (2, 3))
        cost += mass.flatten(1).sum(1) * (down**2 + right**2) ** 0.5
    torch.testing.assert_close(made, result.adv, rtol=0, atol=1e-5)
    torch.testing.assert_close(result.plan.sum(-1), x, rtol=0, atol=1e-5)
    assert (cost <= 0.1 * x.flatten(1).sum(1) * (1 + 1e-4)).all() and cost.min() > 0
    assert result.adv.min() >= 0 and result.adv.max() <= 1
    with pytest.raises(ValueError, match="norm: expected wasserstein, got l2"):
        getattr(namid.attacks, name)(model, x, y, norm="l2")


def test_attacks_of_a_norm_have_no_plan_and_refuse_wasserstein():
    model = linear_model()
    x, y = batch()
    assert namid.attacks.pgd(model, x, y).plan is None
    with pytest.raises(ValueError, match="expected linf or l2 or l1, got wasserstein"):
        namid.attacks.pgd(model, x, y, norm="wasserstein", epsilon=0.1)


def test_a_surrogate_is_attacked_while_the_model_judges():
    model, other = linear_model(0), linear_model(5)
    x, _ = batch()
    y = model(x).argmax(1)
    seen = namid.attacks.pgd(other, x, y, epsilon=0.2, steps=5)
    found = namid.attacks.pgd(model, x, y, epsilon=0.2, steps=5, surrogate=other)
    assert torch.equal(found.adv, seen.adv) and found.forwards == seen.forwards
    assert torch.equal(found.success, model(found.adv).argmax(1) != y) and len(found.success) == 8
    itself = namid.attacks.pgd(model, x, y, epsilon=0.2, steps=5, surrogate=model)
    assert torch.equal(itself.adv, namid.attacks.pgd(model, x, y, epsilon=0.2, steps=5).adv)
    aimed = namid.attacks.pgd(model, x, y, epsilon=0.5, steps=5, surrogate=other, targets="random")
    assert torch.equal(aimed.success, model(aimed.adv).argmax(1) == aimed.target)
    for each in (model, other):
        assert each.training and all(p.requires_grad for p in each.parameters())


def test_a_surrogate_of_other_classes_is_refused():
    x, y = batch()
    with pytest.raises(ValueError, match="surrogate: expected 3 classes as the model has, got 4"):
        namid.attacks.pgd(linear_model(), x, y, surrogate=linear_model(classes=4))
