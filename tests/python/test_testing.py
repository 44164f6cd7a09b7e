# SPDX-License-Identifier: Apache-2.0
import pytest
import torch
from helpers import batch, linear_model

import namid
from namid.testing import assert_robust, measure


def easy(n=24):
    model = linear_model()
    x, _ = batch(n)
    return model, x, model(x).argmax(1)


def test_a_model_that_is_robust_enough_passes_and_gives_the_figures():
    model, x, y = easy()
    found = assert_robust(model, x, y, at_least=1.0, epsilon=1e-4)
    assert found.natural == found.robust == 1 and found.survived.all() and found.lower < 1


def test_a_model_that_is_not_fails_and_says_what_broke_it():
    model, x, y = easy()
    with pytest.raises(AssertionError, match="apgd-ce broke"):
        assert_robust(model, x, y, at_least=0.99, epsilon=0.5)


def test_certainty_needs_the_lower_end_of_the_interval():
    model, x, y = easy()
    with pytest.raises(AssertionError, match="certainty"):
        assert_robust(model, x, y, at_least=0.95, certain=True, epsilon=1e-4)
    assert assert_robust(model, x, y, at_least=0.8, certain=True, epsilon=1e-4)


def test_adversarial_images_are_those_that_the_model_gets_wrong():
    model, x, y = easy()
    y[:3] = (y[:3] + 1) % 3
    found = measure(model, x, y, attack="pgd", norm="l2", epsilon=0.5, steps=10)
    assert torch.equal(model(found.adv).argmax(1) == y, found.survived)
    assert torch.equal(found.adv[found.survived], x[found.survived])
    assert found.natural == pytest.approx(21 / 24)


def test_an_attack_that_leaves_the_ball_is_not_believed(monkeypatch):
    model, x, y = easy()
    honest = namid.attacks.run

    def far(*arguments, epsilon, **keywords):
        return honest(*arguments, epsilon=2 * epsilon, **keywords)

    monkeypatch.setattr(namid.attacks, "run", far)
    with pytest.raises(RuntimeError, match="ball"):
        measure(model, x, y, attack="pgd", epsilon=0.2)


def test_plots_say_that_they_need_matplotlib_or_draw(tmp_path):
    plot = namid.plot
    model, x, y = easy()
    try:
        import matplotlib
    except ImportError:
        with pytest.raises(ImportError, match=r"namid\[plot\]"):
            plot.examples(x, x)
        axes = type("Axes", (), {k: lambda *a, **b: None for k in ("plot", "set")})()
        _, shares = plot.robustness_curve(model, x, y, [0, 0.1, 0.5], axes=axes)
    else:
        matplotlib.use("Agg")
        axes, shares = plot.robustness_curve(model, x, y, [0, 0.1, 0.5])
        assert plot.examples(x, x).images
        assert len(axes.lines) == 1
    assert shares[0] == 1 and shares == sorted(shares, reverse=True)
