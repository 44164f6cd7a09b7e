# SPDX-License-Identifier: Apache-2.0
import inspect
import json
import os
import subprocess

import pytest
import torch
from helpers import batch, linear_model

import namid
from namid import adaptive

# Those that climb a loss inside a ball of linf; the others stop at the boundary, smooth gradients or
# take one step.
ELSEWHERE = {"a3", "fab", "fab-t", "cw", "ddn", "fmn", "deepfool", "malt", "ti-fgsm", "ti-dim", "fgsm"}
CLIMBING = [info for info in namid.attacks.table() if info.gradient and info.name not in ELSEWHERE]
GRADIENT = [info.name for info in CLIMBING if "linf" in info.norms]
WASSERSTEIN = [info.name for info in CLIMBING if "wasserstein" in info.norms]


@pytest.mark.parametrize("name", GRADIENT)
def test_gradient_attacks_climb_a_loss_of_ones_own(name):
    """The first class's logit of a linear model: its weight's sign is the best direction."""
    model = linear_model(classes=4)
    x = torch.full((2, 3, 2, 2), 0.5)
    y = torch.zeros(2, dtype=torch.int64)
    found = namid.attacks.run(
        name, model, x, y, epsilon=0.05, steps=30, loss=lambda x, logits, y: -logits[:, 0]
    )
    best = x - 0.05 * model[1].weight[0].detach().reshape(3, 2, 2).sign()
    torch.testing.assert_close(model(found.adv)[:, 0], model(best)[:, 0], atol=2e-3, rtol=0)


@pytest.mark.parametrize("name", WASSERSTEIN)
def test_wasserstein_attacks_climb_a_loss_of_ones_own(name):
    """Mass moves towards the pixels on which the first class counts least, whatever the label is."""
    model = linear_model(classes=4)
    x = torch.full((2, 3, 2, 2), 0.5)
    y = model(x).argmin(1)  # already wrong: only the loss says where to go
    down, up = (
        namid.attacks.run(name, model, x, y, epsilon=0.05, steps=10, loss=lambda x, logits, y: sign * logits[:, 0])
        for sign in (-1, 1)
    )
    assert (model(down.adv)[:, 0] < model(x)[:, 0] - 1e-3).all()
    assert (model(up.adv)[:, 0] > model(x)[:, 0] + 1e-3).all()


def margin(x, logits, y):
    """The largest other logit over that of y."""
    others = logits.scatter(1, y[:, None], float("-inf")).amax(1)
    return others - logits.gather(1, y[:, None])[:, 0]


def cross_entropy(x, logits, y):
    return torch.nn.functional.cross_entropy(logits, y, reduction="none")


def hinge(x, logits, y):
    return margin(x, logits, y).clamp_max(0)


# What each attack climbs by itself, with few steps.
OWN = {
    "pgd": (cross_entropy, {"steps": 5}),
    "apgd-ce": (cross_entropy, {"steps": 10}),
    "fgsm": (cross_entropy, {}),
    "mi-fgsm": (cross_entropy, {"steps": 5}),
    "di-fgsm": (cross_entropy, {"steps": 5}),
    "ti-fgsm": (cross_entropy, {"steps": 5}),
    "ti-dim": (cross_entropy, {"steps": 5}),
    "cw": (hinge, {"steps": 40, "searches": 3, "step_size": 0.05, "epsilon": 10}),
    "ddn": (cross_entropy, {"steps": 40, "epsilon": 10}),
    "fmn": (margin, {"steps": 20}),
    "a3": (margin, {"steps": 5, "start_steps": 0}),
    "frank-wolfe": (cross_entropy, {"steps": 5}),
    "transport-pgd": (cross_entropy, {"steps": 5}),
    "projected-sinkhorn": (cross_entropy, {"steps": 2, "sinkhorn_iterations": 20}),
}
LOGITS = [info.name for info in namid.attacks.table() if not info.own_loss]
SAME_FORM = {"apgd-dlr", "apgd-t"}  # apgd-ce's; a loss of several classes in turn


def curved_case():
    """A network with a hidden layer, images, and what it says of them."""
    torch.manual_seed(0)
    model = torch.nn.Sequential(
        torch.nn.Flatten(), torch.nn.Linear(64, 16), torch.nn.Tanh(), torch.nn.Linear(16, 5)
    )
    x, _ = batch(6, classes=5, shape=(1, 8, 8))
    return model, x, model(x).argmax(1)


def test_every_gradient_attack_takes_hooks_or_is_known_not_to():
    gradient = {info.name for info in namid.attacks.table() if info.gradient}
    assert set(LOGITS) == {"fab", "fab-t", "deepfool", "malt"}  # they need a gradient for each class
    assert gradient == {*OWN, *LOGITS, *SAME_FORM}
    for name in LOGITS:
        signature = inspect.signature(getattr(namid.attacks, name.replace("-", "_")))
        assert "gradient" not in signature.parameters and "loss" not in signature.parameters


@pytest.mark.parametrize("name", OWN)
def test_the_attacks_own_loss_given_as_a_callable_changes_nothing(name):
    (model, x, y), (loss, settings) = curved_case(), OWN[name]
    calls = []

    def counted(x_adv, logits, labels):
        calls.append(len(x_adv))
        return loss(x_adv, logits, labels)

    plain = namid.attacks.run(name, model, x, y, **settings)
    given = namid.attacks.run(name, model, x, y, loss=counted, **settings)
    assert calls
    torch.testing.assert_close(given.adv, plain.adv, atol=1e-5, rtol=0)
    assert torch.equal(given.success, plain.success)
    assert not torch.equal(plain.adv, x)


@pytest.mark.parametrize("name", sorted(set(OWN) - {"di-fgsm", "ti-dim"}))  # these differentiate moved images
def test_the_attacks_own_gradient_given_as_a_callable_changes_nothing(name):
    (model, x, y), (loss, settings) = curved_case(), OWN[name]

    def gradient(x_adv, labels):
        point = x_adv.detach().requires_grad_()
        (found,) = torch.autograd.grad(loss(point, model(point), labels).sum(), point)
        return found

    plain = namid.attacks.run(name, model, x, y, **settings)
    blind = namid.attacks.run(
        name, lambda x: model(x.detach()).detach(), x, y, gradient=gradient, loss=loss, **settings
    )
    torch.testing.assert_close(blind.adv, plain.adv, atol=1e-5, rtol=0)
    assert torch.equal(blind.success, plain.success)


def test_a_flow_climbs_a_loss_of_ones_own():
    model, x, y = curved_case()
    settings = {"steps": 10, "smoothness": 0.01}
    plain = namid.attacks.spatial_flow(model, x, y, **settings)
    given = namid.attacks.spatial_flow(model, x, y, loss=hinge, **settings)
    torch.testing.assert_close(given.adv, plain.adv, atol=1e-5, rtol=0)
    none = namid.attacks.spatial_flow(model, x, y, loss=lambda x, z, y: 0 * z.sum(1), **settings)
    assert plain.success.any() and not none.success.any()


def test_a_gradient_of_ones_own_replaces_autograd():
    model = linear_model()
    x, y = batch()
    blind = lambda x: model(x.detach()).detach()  # noqa: E731
    weight = model[1].weight.detach()

    def gradient(x, y):
        p = torch.softmax(model(x), 1).detach()
        p[torch.arange(len(y)), y] -= 1
        return (p @ weight).reshape_as(x)

    expected = namid.attacks.pgd(model, x, y, epsilon=0.1, steps=5).adv
    found = namid.attacks.pgd(blind, x, y, epsilon=0.1, steps=5, gradient=gradient)
    torch.testing.assert_close(found.adv, expected)
    assert found.backwards == 40


@pytest.mark.parametrize("name", LOGITS)
@pytest.mark.parametrize("hook", [{"loss": margin}, {"gradient": lambda x, y: x}])
def test_attacks_that_use_no_loss_refuse_one(name, hook):
    x, y = batch()
    with pytest.raises(ValueError, match=rf"\[{name}\].*loss"):
        namid.attacks.run(name, linear_model(), x, y, epsilon=0.1, **hook)


def test_hooks_of_the_wrong_kind_are_refused():
    model = linear_model()
    x, y = batch()
    with pytest.raises(ValueError, match="one value per sample"):
        namid.attacks.pgd(model, x, y, loss=lambda x, z, y: z.sum())
    with pytest.raises(ValueError, match="loss: expected a tensor"):
        namid.attacks.pgd(model, x, y, loss=lambda x, z, y: 3.0)
    with pytest.raises(ValueError, match="gradient"):
        namid.attacks.pgd(model, x, y, gradient=lambda x, y: x[:1])


def test_bpda_has_the_functions_values_and_the_substitutes_gradient():
    levels = adaptive.bpda(lambda x: (x * 8).round() / 8)
    x = torch.rand(3, 4, requires_grad=True)
    assert torch.equal(levels(x), (x * 8).round() / 8)
    (gradient,) = torch.autograd.grad((2 * levels(x)).sum(), x)
    assert torch.equal(gradient, torch.full_like(x, 2))
    squared = adaptive.bpda(torch.zeros_like, lambda x: x**2)
    (gradient,) = torch.autograd.grad(squared(x).sum(), x)
    torch.testing.assert_close(gradient, 2 * x.detach())
    with pytest.raises(ValueError, match="bpda"):
        adaptive.bpda(lambda x: x[:, :2])(x)


def test_bpda_breaks_a_model_whose_rounding_stops_the_gradient():
    inner = linear_model(classes=2)
    x, _ = batch(32)
    y = inner(x).argmax(1)
    masked = lambda x: inner((x * 16).round() / 16)  # noqa: E731
    through = adaptive.bpda(lambda x: (x * 16).round() / 16)
    plain = namid.attacks.pgd(masked, x, y, epsilon=0.3, steps=10, start="none")
    known = namid.attacks.pgd(lambda x: inner(through(x)), x, y, epsilon=0.3, steps=10)
    assert known.success.sum() > plain.success.sum() and known.success.any()


def test_eot_is_the_logarithm_of_the_mean_prediction():
    logits = [torch.randn(4, 3), torch.randn(4, 3)]
    turn = iter(logits * 2)
    expected = torch.stack([z.softmax(1) for z in logits]).mean(0).log()
    torch.testing.assert_close(adaptive.eot(lambda x: next(turn), 2)(torch.zeros(4, 1)), expected)
    with pytest.raises(ValueError, match="draws"):
        adaptive.eot(linear_model(), 0)


def test_judge_counts_draws_and_gives_an_interval():
    torch.manual_seed(0)
    answers = torch.tensor([[1.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 0.0]])

    def wavering(x):
        z = answers.clone()
        z[3] = z[3].flip(0) if torch.rand(()) < 0.3 else z[3]
        return z

    found = adaptive.judge(wavering, torch.zeros(4, 1), torch.zeros(4, dtype=torch.int64), draws=50)
    assert found.right[:3].tolist() == [50, 0, 50] and 25 < found.right[3] < 45
    assert found.majority == 0.75 and found.lower < 0.75 < found.upper
    assert found.accuracy == pytest.approx((100 + int(found.right[3])) / 200)
    assert found.always == 0.5 and found.ever == 0.75
    shares = found.right.double() / 50
    assert found.standard_error == pytest.approx(float(shares.std(unbiased=False)) / 2)


@pytest.mark.parametrize("wrong, voted", [(0, True), (2, True), (4, False), (10, False)])
def test_a_vote_abstains_where_two_classes_cannot_be_told_apart(wrong, voted):
    """Of 20 answers: 18 to 2 has p 0.0004, 16 to 4 has p 0.012."""
    turn = iter([1] * wrong + [0] * (20 - wrong))
    model = lambda x: torch.eye(3)[[next(turn)]]  # noqa: E731
    found = adaptive.judge(model, torch.zeros(1, 1), torch.zeros(1, dtype=torch.int64), draws=20)
    assert found.voted == float(voted) and found.right.item() == 20 - wrong


def rounded_model(levels=16):
    inner = linear_model(classes=3)
    through = adaptive.bpda(lambda x: (x * levels).round() / levels)
    return inner, lambda x: inner(through(x))


def test_the_slopes_of_a_linear_margin_agree_with_its_gradient():
    x, y = batch(8)
    inner, through = rounded_model()
    logit = lambda x, z, y: z[:, 0]  # noqa: E731
    exact = adaptive.gradient_agreement(inner, x, y, loss=logit)
    torch.testing.assert_close(exact, torch.ones(8, dtype=torch.float64), atol=1e-4, rtol=0)
    rough = adaptive.gradient_agreement(through, x, y, loss=logit, step=0.1)
    assert (rough > 0.9).all() and (rough < 1 - 1e-6).any()
    backwards = adaptive.bpda(inner, lambda x: -inner(x))
    assert (adaptive.gradient_agreement(backwards, x, y, loss=logit) < -0.999).all()
    flat = adaptive.gradient_agreement(lambda x: inner(x) * 0, x, y)
    assert torch.equal(flat, torch.zeros(8, dtype=torch.float64))
    with pytest.raises(ValueError, match="directions"):
        adaptive.gradient_agreement(inner, x, y, directions=0)


def test_draws_are_doubled_until_gradients_agree():
    torch.manual_seed(0)
    x, y = batch(64)
    model = linear_model()
    assert adaptive.enough_draws(model, x, y) == adaptive.EnoughDraws(20, pytest.approx(1), True)
    noisy = lambda x: model(x) + 6 * (x.flatten(1) @ torch.randn(12, 3))  # noqa: E731
    found = adaptive.enough_draws(noisy, x, y, draws=1, wanted=0.6)
    assert found.enough and found.draws > 1 and found.cosine >= 0.6
    never = adaptive.enough_draws(lambda x: x.flatten(1) @ torch.randn(12, 3), x, y, draws=2, most=5)
    assert never.draws == 4 and not never.enough
    with pytest.raises(ValueError, match="draws"):
        adaptive.enough_draws(model, x, y, draws=0)


def test_self_checks_pass_a_sound_substitute_and_name_what_a_bad_one_fails():
    x, _ = batch(32)
    inner, through = rounded_model()
    y = through(x).argmax(1)
    sound = adaptive.self_checks(through, inner, x, y, epsilon=0.1, steps=20, queries=200)
    assert sound.passed and sound.agreement > 0.5 and sound.natural == 1
    assert sound.robust <= sound.square and list(sound.sweep.values())[-1] == 0
    wrong_way = adaptive.bpda(lambda x: (x * 16).round() / 16, lambda x: -x)
    bad = adaptive.self_checks(
        lambda x: inner(wrong_way(x)), inner, x, y, epsilon=0.1, steps=20, start="none", queries=200
    )
    assert set(bad.failed) == {"agreement", "bare", "sweep", "square"}
    for radius in (0, 2):
        with pytest.raises(ValueError, match="self_checks: epsilon"):
            adaptive.self_checks(through, inner, x, y, epsilon=radius)


class Noisy(torch.nn.Module):
    def __init__(self, size, classes):
        super().__init__()
        self.linear = linear_model(size=size, classes=classes)

    def forward(self, x):
        return self.linear(x + 0.3 * torch.rand_like(x))


def test_evaluate_lets_draws_vote_on_a_model_that_draws(tmp_path):
    torch.manual_seed(0)
    model = Noisy(64, 3)
    pixels = torch.randint(0, 256, (24, 1, 8, 8), dtype=torch.uint8)
    y = model.linear(pixels / 255).argmax(1)
    suite = "apgd-ce(steps=3, eot=4)"
    keywords = {"suite": suite, "epsilon": 0.02, "out": tmp_path, "progress": False}
    with pytest.raises(ValueError, match="verdict.draws"):
        namid.evaluate(model, pixels, y, **keywords)
    found = namid.evaluate(model, pixels, y, verdict_draws=5, **keywords)
    assert found.robust.lower <= found.robust.accuracy <= found.robust.upper
    assert found.drawn["draws"] == 5
    for part in (found.drawn["natural"], found.drawn["robust"]):
        assert part["always"] <= part["expected"] <= part["ever"]
    judged = adaptive.judge(model, pixels / 255, y, draws=200)
    error = found.drawn["natural"]["standard_error"] + judged.standard_error
    assert abs(found.drawn["natural"]["expected"] - judged.accuracy) < 5 * error
    assert namid.evaluate(model.linear, pixels, y, **keywords).drawn is None


def test_the_program_says_what_further_draws_found(tmp_path):
    torch.jit.script(Noisy(784, 10).eval()).save(str(tmp_path / "noisy.pt"))
    words = ["evaluate", tmp_path / "noisy.pt", "--trust", "--test-limit=32", "--attack-steps=2"]
    words += ["--attack-epsilon=0.1", "--verdict-draws=6", f"--out={tmp_path}", "--quiet"]
    program = [os.environ["NAMID_PROGRAM"], *words]
    done = subprocess.run(program, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "judged by 6 further draws of the model:\n  initial accuracy: " in done.stdout
    record = json.loads(next(tmp_path.glob("evaluate/*/run.json")).read_text())
    shown = f"robust accuracy: {100 * record['result']['drawn']['robust']['expected']:.2f} %"
    assert f"  {shown} of single draws right" in done.stdout
