# SPDX-License-Identifier: Apache-2.0
"""The simulation of sampled stages is what `--sample-stage` does."""

import pathlib
import sys

import pytest
from helpers import images, linear_model

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "bench"))
import sampled_stages

import namid

SUITE = {"suite": "noise, fgsm", "combine": "worst_case", "epsilon": 0.01}


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_a_simulated_subset_is_that_of_a_sampled_run(tmp_path, seed):
    x, _ = images(n=300, shape=(1, 6, 6), classes=5)
    model = linear_model(classes=5, size=36)
    y = model(x / 255.0).argmax(1)
    settings = {**SUITE, "seed": seed, "out": tmp_path, "progress": False}
    full = namid.evaluate(model, x, y, **settings)
    n, left, late = sampled_stages.known_run(full.folder, ["fgsm"])
    broken = {attack["name"]: attack["broken"] for attack in full.attacks}
    assert n == 300 and len(left) == full.natural.correct - broken["noise"]
    assert len(late) == broken["fgsm"] > 0
    sampled = namid.evaluate(model, x, y, sample_stage="fgsm=40", **settings).result["sampled"]
    low, high = sampled_stages.simulated(n, left, late, 40, seed, 0.95)
    assert low < high and sampled["survivors"] == len(left)
    assert (low, high) == pytest.approx((sampled["lower"], sampled["upper"]))
    with pytest.raises(SystemExit, match="no attack fab"):
        sampled_stages.known_run(full.folder, ["fab"])
