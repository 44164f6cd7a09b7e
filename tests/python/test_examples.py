# SPDX-License-Identifier: Apache-2.0
"""The programs of examples/python and the README's lines, run as they are."""

import functools
import os
import pathlib
import re
import subprocess
import sys

import pytest
import torch

ROOT = pathlib.Path(__file__).resolve().parents[2]
EXAMPLES = ROOT / "examples" / "python"
ARGUMENTS = {
    "attack_cifar_resnet": ["--images", "4", "--width", "8"],
    "train_with_namid": ["--epochs", "2", "--images", "128"],
    "mi_of_gaussians": ["--steps", "150"],
}


@functools.cache
def output_of(name, folder):
    done = subprocess.run(
        [sys.executable, str(EXAMPLES / f"{name}.py"), *ARGUMENTS[name]],
        cwd=folder,
        capture_output=True,
        text=True,
        env=os.environ,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("examples")


@pytest.mark.parametrize("name", sorted(ARGUMENTS))
def test_every_example_runs_and_is_short(name, folder):
    assert len((EXAMPLES / f"{name}.py").read_text().splitlines()) < 80
    assert output_of(name, folder)


def test_no_example_is_left_out():
    assert {path.stem for path in EXAMPLES.glob("*.py")} == set(ARGUMENTS)


def test_lower_bounds_of_the_gaussians_come_near_the_truth_from_below(folder):
    line = r"true ([0-9.]+) nats, ([a-z-]+): (-?[0-9.]+) [(](lower bound|score)"
    found = re.findall(line, output_of("mi_of_gaussians", folder))
    assert len(found) == 6
    for truth, _, value, what in found:
        if what == "lower bound":
            assert 0.5 * float(truth) < float(value) < float(truth) + 0.1


def test_robust_accuracy_of_the_attacked_network_is_not_above_its_natural_one(folder):
    shares = [
        float(x)
        for x in re.findall(
            r"accuracy (?:at most )?([0-9.]+)%", output_of("attack_cifar_resnet", folder)
        )
    ]
    assert len(shares) == 3 and max(shares[1:]) <= shares[0]


@pytest.mark.parametrize("page", ["README.md", "docs/python.md"])
def test_the_python_lines_of_the_pages_run(page, tmp_path, monkeypatch):
    """Each page's blocks in order, in one name space that has a model, images and labels."""
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / page).read_text(), flags=re.S)
    assert blocks
    torch.manual_seed(0)
    names = {
        "model": torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(784, 10)),
        "x": torch.randint(0, 256, (8, 1, 28, 28)) / 255,
        "y": torch.randint(10, (8,)),
    }
    for block in blocks:
        exec(compile(block, page, "exec"), names)
