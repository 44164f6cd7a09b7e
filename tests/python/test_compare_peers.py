# SPDX-License-Identifier: Apache-2.0
"""The judge, the table and the file of rows of the comparison with other libraries."""

import dataclasses
import math
import pathlib
import sys

import pytest
import torch
from helpers import batch, linear_model

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "bench"))
import compare_peers
import peer_attacks
import peer_judge
import peer_models
import peer_progress

import namid


class Sign(torch.nn.Module):
    """Class 1 where the first pixel exceeds one half."""

    def forward(self, x):
        score = x.flatten(1)[:, 0] - 0.5
        return torch.stack([-score, score], 1)


def judged(adv, norm="linf", epsilon=0.2):
    """Of four images of value 0.4 and class 0 and one of 0.6, which is wrong at once."""
    x = torch.full((5, 1, 2, 2), 0.4)
    x[4] = 0.6
    images = x.clone()
    images[:4, 0, 0, 0] = torch.tensor(adv)
    return peer_judge.judge(Sign(), x, torch.zeros(5, dtype=torch.int64), images, norm, epsilon)


def test_the_judge_predicts_again_and_measures():
    verdict = judged([0.55, 0.6, 0.4, 0.45])
    assert verdict["clean"] == pytest.approx(0.8)
    assert verdict["robust"] == pytest.approx(0.4)
    assert verdict["fooled"] == pytest.approx(0.5)
    assert verdict["median"] == pytest.approx(0.175)
    assert verdict["median_all"] == math.inf
    assert verdict["invalid"] == 0


def test_images_outside_ball_or_box_count_as_not_attacked():
    verdict = judged([0.601, 1.5, float("nan"), 0.55])
    assert verdict["invalid"] == 3
    assert verdict["robust"] == pytest.approx(0.6)
    unbounded = judged([0.601, 1.5, float("nan"), 0.55], epsilon=None)
    assert unbounded["invalid"] == 2
    assert unbounded["robust"] == pytest.approx(0.4)
    assert unbounded["norms"] == pytest.approx([0.201, -1, -1, 0.15])


def test_a_blank_image_counts_as_not_attacked():
    x = torch.tensor([0.4, 0.3]).repeat(3, 1).view(3, 1, 1, 2)
    x[2] = 0.4
    images = x.clone()
    images[0] = 1  # another class, but of one value alone
    images[1, 0, 0, 0] = 1
    verdict = peer_judge.judge(Sign(), x, torch.zeros(3, dtype=torch.int64), images, "l2")
    assert verdict["invalid"] == 1  # x itself may be of one value
    assert verdict["robust"] == pytest.approx(2 / 3)


def test_images_of_another_shape_are_an_error():
    x, y = torch.zeros(2, 1, 2, 2), torch.zeros(2, dtype=torch.int64)
    with pytest.raises(ValueError, match="returned"):
        peer_judge.judge(Sign(), x, y, torch.zeros(1, 1, 2, 2), "linf")


def row(side, robust, median, **more):
    return {
        **{"model": "m", "attack": "a", "norm": "l2", "images": 100, "side": side, "seed": 0},
        **{"clean": 0.99, "robust": robust, "median": median, "median_all": median, "invalid": 0},
        **{"seconds": 1.0, "epsilon": None, "norms": [], **more},
    }


def test_weaker_is_beyond_the_larger_spread_of_both_sides():
    ours = [row("namid", 0.50, 1.0), row("namid", 0.52, 1.0)]
    steady = [row("other", 0.49, 1.0)]
    assert peer_judge.weaker(ours, steady, bounded=True) == ""
    assert "3.00 points" in peer_judge.weaker(ours, [row("other", 0.48, 1.0)], bounded=True)
    wide = [row("other", 0.45, 1.0), row("other", 0.51, 1.0)]
    assert peer_judge.weaker(ours, wide, bounded=True) == ""


def test_one_image_and_half_a_percent_of_the_median_are_no_loss():
    theirs = [row("other", 0.50, 1.0)]
    assert peer_judge.weaker([row("namid", 0.51, 1.004)], theirs, bounded=False) == ""
    assert "1.10 points" in peer_judge.weaker([row("namid", 0.511, 1.0)], theirs, bounded=False)
    assert "median 0.60 %" in peer_judge.weaker([row("namid", 0.5, 1.006)], theirs, bounded=False)


def test_a_search_that_fails_more_often_is_weaker_whatever_its_median():
    ours, theirs = [row("namid", 0.2, 1.0)], [row("other", 0.1, 1.5)]
    assert "10.00 points" in peer_judge.weaker(ours, theirs, bounded=False)
    larger = peer_judge.weaker([row("namid", 0, 1.1)], [row("other", 0, 1.0)], bounded=False)
    assert "median 10.00 % larger" in larger
    never = [row("namid", 0.9, math.inf)]
    assert peer_judge.weaker(never, [row("other", 0.9, math.inf)], bounded=False) == ""


def test_norms_are_compared_image_by_image():
    ours = [row("namid", 0, 1.0, norms=[1.0, 2.0, -1, 3.0, -1])]
    theirs = [row("other", 0, 1.0, norms=[1.005, 3.0, 2.0, 2.0, -1])]
    assert peer_judge.by_image(ours, theirs) == "1 / 2"


def test_the_table_has_every_side_and_lists_the_losing_cells():
    rows = [row("other", 0.1, 1.0), row("namid", 0.2, 1.0), row("third", 0.3, 1.0)]
    text = peer_judge.table(rows)
    lines = [line for line in text.splitlines() if line.startswith("| a ")]
    assert [line.split("|")[4].strip() for line in lines] == ["namid", "other", "third"]
    assert "**no**: 10.00 points more robust" in lines[1]
    assert lines[2].endswith("| yes |")
    assert "- a, l2, 100 images, against other: 10.00 points more robust" in text
    assert "weaker nowhere" in peer_judge.table(rows[1:])
    assert "| a " not in peer_judge.table(rows[:1])


def test_a_torn_line_is_passed_over_and_the_next_row_stands_alone(tmp_path):
    path = tmp_path / "rows.jsonl"
    compare_peers.append(path, {"a": 1})
    with path.open("a") as file:
        file.write('{"a": 2, "b"')
    compare_peers.append(path, {"a": 3})
    assert compare_peers.read(path) == [{"a": 1}, {"a": 3}]


def rows_of(monkeypatch, out, model, x, y, attacks):
    """The rows by attack that the program writes for these attacks, namid's side alone."""
    monkeypatch.setattr(peer_models, "load_model", lambda name: model)
    monkeypatch.setattr(peer_models, "load_images", lambda name, data, count: (x, y))
    monkeypatch.setattr(peer_attacks, "ATTACKS", attacks)
    monkeypatch.setattr(
        *(sys, "argv"),
        ["", "--model", "m", "--sides", "namid", "--seeds", "1", "--out", str(out)],
    )
    threads = torch.get_num_threads()
    try:
        compare_peers.main()
    finally:
        torch.set_num_threads(threads)
    return {row["attack"]: row for row in compare_peers.read(out)}


def test_a_killed_row_goes_on_at_the_batch_where_it_was(tmp_path, monkeypatch):
    x, y = batch(7, classes=5, shape=(1, 6, 6))
    model = linear_model(classes=5, size=36)
    attacked = []

    def noise(model, x, y, norm, epsilon, seed, stop=None):
        if len(attacked) == stop:
            raise KeyboardInterrupt
        attacked.append(len(x))
        return (x + epsilon * (2 * torch.rand_like(x) - 1)).clamp(0, 1)

    def attack(**settings):
        return peer_attacks.Attack("noise", "l2", settings, {"namid": noise}, batch=2)

    monkeypatch.setattr(peer_progress, "EVERY", 0)
    monkeypatch.setitem(peer_models.RADII, "m", {"l2": 0.3})
    whole = rows_of(monkeypatch, tmp_path / "whole", model, x, y, [attack()])["noise"]
    assert attacked == [2, 2, 2, 1]
    with pytest.raises(KeyboardInterrupt):
        rows_of(monkeypatch, tmp_path / "rows", model, x, y, [attack(stop=6)])
    assert attacked[4:] == [2, 2]
    assert compare_peers.read(tmp_path / "rows") == []
    resumed = rows_of(monkeypatch, tmp_path / "rows", model, x, y, [attack()])["noise"]
    assert attacked[6:] == [2, 1]
    assert {**resumed, "seconds": 0} == {**whole, "seconds": 0}
    assert {path.name for path in tmp_path.iterdir()} == {"rows", "whole"}


def test_what_another_version_has_left_of_a_row_is_passed_over(tmp_path):
    kept = peer_progress.Progress(tmp_path / "part", {"version": 1}, every=0)
    kept.add(torch.zeros(2, 1), 1.5)
    same = peer_progress.Progress(tmp_path / "part", {"version": 1})
    assert same.go_on() == 1 and same.seconds == 1.5
    assert peer_progress.Progress(tmp_path / "part", {"version": 2}).go_on() == 0


def test_an_attack_gets_no_more_images_than_its_most(tmp_path, monkeypatch):
    x, y = batch(4, classes=5, shape=(1, 6, 6))
    model = linear_model(classes=5, size=36)
    few, all_of_them = (
        dataclasses.replace(peer_attacks.ATTACKS[0], name=name, most=most)
        for name, most in (("few", 3), ("all", None))
    )
    rows = rows_of(monkeypatch, tmp_path / "rows", model, x, y, [few, all_of_them])
    assert rows["few"]["images"] == 3 and rows["all"]["images"] == 4
    robust = (model(x).argmax(1) == y)[:3].float().mean().item()
    assert rows["few"]["clean"] == pytest.approx(robust)


def test_all_sides_can_attack_the_compiled_network():
    itself = torch.nn.Sequential(
        *(torch.nn.Conv2d(1, 16, 3, padding=1), torch.nn.ReLU()),
        *(torch.nn.Flatten(), torch.nn.Linear(16 * 36, 5)),
    )
    itself.eval().requires_grad_(False)
    compiled = peer_models.NativeModel(namid.compile(itself, (1, 6, 6)))
    x, y = batch(4, classes=5, shape=(1, 6, 6))
    fgsm = peer_attacks.ATTACKS[0]
    row, plain = (
        compare_peers.measure(fgsm, "namid", model, itself, x, y, 0.1, 0, peer_progress.Progress())
        for model in (compiled, itself)
    )
    assert row["predicted_otherwise"] == 0 and "predicted_otherwise" not in plain
    assert row["robust"] == plain["robust"] and row["median"] == pytest.approx(plain["median"])


@pytest.mark.parametrize("attack", peer_attacks.ATTACKS, ids=lambda a: f"{a.name}-{a.norm}")
def test_namid_takes_the_shared_budget(attack):
    x, y = batch(4, classes=5, shape=(1, 6, 6))
    model = linear_model(classes=5, size=36)
    short = {key: min(value, 3) for key, value in attack.settings.items()}
    attack = dataclasses.replace(attack, settings=short)
    adv = attack.run("namid", model, x, y, 0.3, seed=1)
    verdict = peer_judge.judge(model, x, y, adv, attack.norm, 0.3 if attack.bounded else None)
    assert verdict["invalid"] == 0
    assert next(iter(attack.sides)) == "namid"
