# SPDX-License-Identifier: Apache-2.0
import pytest
import torch
from helpers import batch, linear_model

import namid
from namid import defenses, mi

PLAIN = [info.name for info in defenses.table() if not info.estimators]


@pytest.mark.parametrize("name", PLAIN)
def test_every_defence_without_estimators_gives_a_gradient(name):
    model = linear_model()
    x, y = batch()
    attack = {} if name == "natural" else {"epsilon": 0.1, "steps": 3}
    found = getattr(defenses, name.replace("-", "_"))(**attack)(model, x, y)
    found.loss.backward()
    assert torch.isfinite(found.loss) and found.metrics["loss"] == pytest.approx(found.loss.item())
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in model.parameters())


def test_natural_is_the_cross_entropy():
    model = linear_model()
    x, y = batch()
    expected = torch.nn.functional.cross_entropy(model(x), y)
    torch.testing.assert_close(defenses.natural()(model, x, y).loss, expected)


def test_standard_is_the_cross_entropy_at_the_crafted_point_of_a_linear_model():
    model = linear_model(classes=2)
    x, y = batch(classes=2)
    weight = model[1].weight.detach()
    best = (x + 0.05 * (weight[1 - y] - weight[y]).reshape_as(x).sign()).clamp(0, 1)
    found = defenses.standard(epsilon=0.05, steps=20)(model, x, y)
    torch.testing.assert_close(found.loss, torch.nn.functional.cross_entropy(model(best), y))


def test_trades_with_beta_0_is_natural_training():
    model = linear_model()
    x, y = batch()
    found = defenses.trades(beta=0, epsilon=0.1)(model, x, y)
    torch.testing.assert_close(found.loss, torch.nn.functional.cross_entropy(model(x), y))


class Modal(torch.nn.Module):
    """Notes in which modes its forwards run."""

    def __init__(self):
        super().__init__()
        self.norm = torch.nn.BatchNorm1d(12)
        self.fixed = torch.nn.BatchNorm1d(12)
        self.linear = torch.nn.Linear(12, 3)
        self.seen = []

    def forward(self, x):
        self.seen.append((self.training, self.norm.training, self.fixed.training))
        return self.linear(self.fixed(self.norm(x.flatten(1))))


def test_examples_are_crafted_in_eval_mode_and_the_loss_is_in_the_models_own_modes():
    model = Modal().train()
    model.fixed.eval()
    x, y = batch()
    defenses.standard(epsilon=0.1, steps=3)(model, x, y)
    eval_mode, own = (False, False, False), (True, True, False)
    assert model.seen[:-1] == [eval_mode] * (len(model.seen) - 1) and len(model.seen) == 5
    assert model.seen[-1] == own
    assert (model.training, model.norm.training, model.fixed.training) == own
    assert all(p.requires_grad for p in model.parameters())


def test_modes_and_flags_are_restored_after_an_exception_inside_the_attack():
    model = Modal().train()
    model.fixed.eval()
    model.linear.bias.requires_grad_(False)
    x, y = batch()
    calls = []

    def fail(module, inputs):
        calls.append(1)
        if len(calls) == 3:
            raise KeyError("mine")

    model.register_forward_pre_hook(fail)
    with pytest.raises(KeyError, match="mine"):
        defenses.standard(epsilon=0.1, steps=3)(model, x, y)
    assert (model.training, model.norm.training, model.fixed.training) == (True, True, False)
    assert [p.requires_grad for p in model.linear.parameters()] == [True, False]


def test_mma_keeps_a_margin_per_image_that_goes_through_its_state():
    model = linear_model()
    x, y = batch()
    loss = defenses.mma(epsilon=0.3, steps=5)
    loss(model, x, y, ids=range(8))
    state = loss.state_dict()
    assert state
    other = defenses.mma(epsilon=0.3, steps=5)
    other.load_state_dict(state)
    again, same = (
        loss(model, x, y, ids=range(8), epoch=2),
        other(model, x, y, ids=range(8), epoch=2),
    )
    assert torch.equal(again.loss, same.loss)


def test_draws_belong_to_ids_and_epoch():
    model = linear_model()
    x, y = batch()
    loss = defenses.standard(epsilon=0.1, steps=1)
    one, two = (loss(model, x, y, epoch=e, ids=range(8)).loss for e in (1, 2))
    assert torch.equal(loss(model, x, y, epoch=1, ids=range(8)).loss, one) and not torch.equal(
        one, two
    )


def estimator_pair(objective="selected"):
    return mi.make_estimators(3, (3, 16, 16), units=8, objective=objective)


@pytest.mark.parametrize("name", [info.name for info in defenses.table() if info.estimators])
def test_defences_with_estimators_add_a_term_after_their_warm_up(name):
    model = namid.models.create("small_cnn", 3, input_shape=(3, 16, 16), width=4)
    x, y = batch(12, shape=(3, 16, 16))
    make = getattr(defenses, name.replace("-", "_"))
    pair = estimator_pair("standard" if name == "at-mim" else "selected")
    loss = make(estimators=pair, epsilon=0.2, steps=2)
    early, late = loss(model, x, y, epoch=1), loss(model, x, y, epoch=3)
    assert early.metrics["mi_skipped"] == 1 and late.metrics["mi_skipped"] == 0
    late.loss.backward()
    assert all(p.grad is not None for p in model.parameters())


def test_namid_works_on_a_module_of_ones_own():
    model = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(3 * 16 * 16, 3))
    x, y = batch(12, shape=(3, 16, 16))
    found = defenses.namid(estimators=estimator_pair(), mi_warmup=0, epsilon=0.2, steps=2)(
        model, x, y
    )
    found.loss.backward()
    assert found.metrics["mi_skipped"] == 0 and model[1].weight.grad.abs().sum() > 0


def test_namid_loss_is_the_base_loss_and_alpha_times_l_mi():
    model = namid.models.create("small_cnn", 3, input_shape=(3, 16, 16), width=4).eval()
    x, _ = batch(12, shape=(3, 16, 16))
    y = model(x).argmax(1)
    x_adv = namid.attacks.pgd(model, x, y, epsilon=0.3, steps=10).adv
    pair = estimator_pair().freeze()
    found = defenses.namid_loss(model, x, y, x_adv, estimators=pair, alpha=3, lambda_=0)
    base = torch.nn.functional.cross_entropy(model(x_adv), y)
    torch.testing.assert_close(found.loss, base + 3 * found.metrics["mi_loss"])
    selected = mi.select(model(x), model(x_adv), y)
    assert selected.sum() > 1 and found.metrics["selected"] == selected.sum()
    terms = []
    for nets, local in ((pair.natural, x), (pair.adversarial, x_adv - x)):
        features = nets.local_features(local)
        on_x, on_adv = (nets.loss(features, model(each)) for each in (x, x_adv))
        terms.append(mi.cosine_loss(on_adv, on_x, selected))
    torch.testing.assert_close(sum(terms).item(), found.metrics["mi_loss"], rtol=1e-4, atol=1e-6)
    with pytest.raises(ValueError, match="freeze"):
        defenses.namid_loss(model, x, y, x_adv, estimators=estimator_pair().train())


def test_every_row_of_the_registries_is_a_function():
    for module in (defenses, namid.attacks, mi):
        for info in module.table():
            assert callable(getattr(module, info.name.replace("-", "_")))


def test_what_does_not_fit_is_refused_with_what_to_do():
    x, y = batch()
    with pytest.raises(ValueError, match="namid estimate"):
        defenses.namid()
    with pytest.raises(ValueError, match="objective"):
        defenses.namid(estimators=estimator_pair("standard"))
    with pytest.raises(ValueError, match="did you mean 'beta'"):
        defenses.trades(bata=3)
    with pytest.raises(ValueError, match="epsilon"):
        defenses.trades(epsilon=8)(linear_model(), x, y)
    with pytest.raises(ValueError, match="x.float"):
        defenses.natural()(linear_model(), x.double(), y)
    reference = defenses.standard(bn_updates="reference", epsilon=0.1, steps=1)
    with pytest.raises(ValueError):
        reference(Modal().train(), x, y)
