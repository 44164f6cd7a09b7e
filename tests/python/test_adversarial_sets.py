# SPDX-License-Identifier: Apache-2.0
"""Adversarial sets that namid writes, read by numpy, and sets that numpy writes, verified by namid."""

import gzip
import json
import os
import pathlib
import subprocess

import numpy
import pytest

PROGRAM = os.environ["NAMID_PROGRAM"]
IMAGES = pathlib.Path(__file__).parents[2] / "data/fashion-mnist-mini/t10k-images-idx3-ubyte.gz"
ATTACK = "--epsilon 0.1 --steps 3 --test-limit 40 --threads 1 --quiet --json"


def run(arguments, expect=0):
    done = subprocess.run([PROGRAM, *arguments.split()], capture_output=True, text=True)
    assert done.returncode == expect, done.stdout + done.stderr
    return done


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    out = tmp_path_factory.mktemp("runs")
    run(f"train --defense natural --model small_cnn --width 4 --train-limit 256 --batch-size 32 --lr 0.05 "
        f"--epochs 2 --threads 1 --quiet --name m --out {out}")
    return out / "train" / "m-001"


@pytest.fixture(scope="module")
def attacked(model):
    out = model.parent.parent
    result = json.loads(run(f"attack {model} --attack pgd {ATTACK} --out {out}").stdout)
    return result, out / "attack" / "pgd-001" / "adversarial.npz"


def test_numpy_reads_every_array_of_a_set(attacked):
    result, path = attacked
    with numpy.load(path, allow_pickle=False) as arrays:
        assert arrays["x_adv"].dtype == numpy.float32 and arrays["x_adv"].shape == (40, 1, 28, 28)
        assert arrays["y"].dtype == numpy.int64 and arrays["index"].tolist() == list(range(40))
        assert arrays["success"].dtype == bool and arrays["success"].sum() == result["fooled"]
        assert str(arrays["norm"]) == "linf" and float(arrays["epsilon"]) == 0.1
        assert str(arrays["attack"]) == "pgd" and "steps=3" in str(arrays["options"])
        assert len(str(arrays["model_sha256"])) == len(str(arrays["data_sha256"])) == 64


@pytest.mark.parametrize("save", [numpy.savez, numpy.savez_compressed])
def test_a_set_that_numpy_wrote_is_verified(model, attacked, tmp_path, save):
    result, path = attacked
    ours = numpy.load(path)
    theirs = tmp_path / "theirs.npz"
    save(theirs, x_adv=ours["x_adv"], y=ours["y"].astype(numpy.uint8), index=ours["index"][::1],
         success=ours["success"], norm="Linf", epsilon=numpy.float64(0.1))
    document = json.loads(run(f"verify {theirs} {model} --json --quiet --threads 1").stdout)
    assert document["confirmed"] == result["fooled"] and document["failed"] == 0
    assert document["model"] == document["data"] == "not said"


def test_what_numpy_makes_of_python_numbers_is_refused_as_a_claim(model, attacked, tmp_path):
    ours = numpy.load(attacked[1])
    broken = numpy.flatnonzero(ours["success"])
    theirs = tmp_path / "theirs.npz"
    flags = f"{model} --norm linf --epsilon 0.1 --json --quiet --threads 1"
    rows = {"y": ours["y"][broken], "index": broken}
    numpy.savez(theirs, x_adv=ours["x_adv"][broken].astype(float), **rows)
    document = json.loads(run(f"verify {theirs} {flags}", expect=6).stdout)
    assert document["failed"] == len(broken) and "float64" in document["failures"][0]["problem"]
    assert json.loads(run(f"verify {theirs} {flags} --cast").stdout)["confirmed"] == len(broken)
    pixels = numpy.round(ours["x_adv"][broken] * 255).astype(numpy.uint8)
    numpy.savez(theirs, x_adv=pixels, **rows)
    document = json.loads(run(f"verify {theirs} {flags}", expect=6).stdout)
    assert "astype('float32') / 255" in document["failures"][0]["problem"]
    numpy.savez(theirs, x_adv=ours["x_adv"][broken].transpose(0, 2, 3, 1), **rows)
    document = json.loads(run(f"verify {theirs} {flags}", expect=6).stdout)
    assert "shape (28, 28, 1)" in document["failures"][0]["problem"]
    numpy.savez(theirs, x_adv=numpy.array([{}], dtype=object), **rows)
    assert "object" in run(f"verify {theirs} {flags}", expect=3).stderr


def test_norms_are_those_that_numpy_finds(model, attacked, tmp_path):
    ours = numpy.load(attacked[1])
    with gzip.open(IMAGES) as file:
        pixels = numpy.frombuffer(file.read(16 + 40 * 784)[16:], numpy.uint8).reshape(40, 784)
    natural = (pixels.astype(numpy.float32) / numpy.float32(255)).astype(float)
    delta = ours["x_adv"].reshape(40, 784).astype(float) - natural
    theirs = tmp_path / "theirs.npz"
    numpy.savez(theirs, x_adv=ours["x_adv"], y=ours["y"], norm="l2", epsilon=0.0)
    document = json.loads(run(f"verify {theirs} {model} --json --quiet --threads 1", expect=6).stdout)
    moved = [row for row in document["failures"] if row["l2"] > 0]
    assert moved
    for row in moved:
        assert row["linf"] == numpy.abs(delta[row["row"]]).max()
        numpy.testing.assert_allclose(row["l2"], numpy.linalg.norm(delta[row["row"]]), rtol=1e-12)
        numpy.testing.assert_allclose(row["l1"], numpy.abs(delta[row["row"]]).sum(), rtol=1e-12)


def test_a_wasserstein_set_holds_by_its_plans_alone(model, tmp_path):
    flags = "--norm wasserstein --epsilon 1 --steps 3 --test-limit 8 --threads 1 --quiet --json"
    result = json.loads(run(f"attack {model} --attack frank-wolfe {flags} --out {tmp_path}").stdout)
    path = tmp_path / "attack" / "frank-wolfe-001" / "adversarial.npz"
    verify = f"{model} --json --quiet --threads 1"
    document = json.loads(run(f"verify {path} {verify}").stdout)
    assert document["norm"] == "wasserstein" and document["confirmed"] == result["fooled"] > 0
    ours = dict(numpy.load(path))
    with gzip.open(IMAGES) as file:
        pixels = numpy.frombuffer(file.read(16 + 8 * 784)[16:], numpy.uint8).reshape(8, 1, 28, 28)
    numpy.testing.assert_allclose(ours["plan"].sum(-1), pixels / 255, atol=1e-5)
    assert ours["x_adv"].max() <= 1
    theirs = tmp_path / "theirs.npz"
    plan = ours.pop("plan")
    numpy.savez(theirs, **ours)
    assert "expected the array 'plan'" in run(f"verify {theirs} {verify}", expect=3).stderr
    numpy.savez(theirs, **ours, plan=2 * plan)
    document = json.loads(run(f"verify {theirs} {verify}", expect=6).stdout)
    assert "row sums miss x" in document["failures"][0]["problem"]
