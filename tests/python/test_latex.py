# SPDX-License-Identifier: Apache-2.0
"""TeX takes the tables of `namid compare --format latex` and `namid transfer`, hostile names included."""

import os
import shutil
import subprocess

import pytest

PROGRAM = os.environ["NAMID_PROGRAM"]
pytestmark = pytest.mark.skipif(not shutil.which("pdflatex"), reason="pdflatex is not installed")
NAMES = ("a_100%_&_#1", "b^2~{x}$y$")


def namid(folder, *words):
    done = subprocess.run(
        [PROGRAM, *words], cwd=folder, check=True, capture_output=True, text=True
    )
    return done.stdout


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("latex")
    for seed, name in enumerate(NAMES):
        training = "--model mlp --epochs 1 --milestones 1 --train-limit 500 --quiet"
        namid(folder, "train", "--defense", "natural", *training.split(), "--seed", str(seed), "--name", name)  # fmt: skip
    return folder


def models(runs):
    return [str(path) for path in sorted((runs / "runs" / "train").iterdir())]


def assert_typesets(folder, table):
    source = "\\documentclass{article}\n\\begin{document}\n" + table + "\n\\end{document}\n"
    (folder / "page.tex").write_text(source)
    done = subprocess.run(
        ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "page.tex"],
        cwd=folder,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0 and "Output written on page.pdf (1 page" in done.stdout, done.stdout


@pytest.mark.parametrize("flags", [[], ["--paired"]], ids=["paper", "paired"])
def test_comparisons(runs, tmp_path, flags):
    for model in models(runs):
        limits = "--epsilon 0.1 --suite pgd(steps=2) --test-limit 40 --quiet --out"
        namid(tmp_path, "evaluate", model, *limits.split(), str(tmp_path / "runs"))
    evaluated = [str(path) for path in (tmp_path / "runs" / "evaluate").iterdir()]
    table = namid(tmp_path, "compare", *evaluated, "--format", "latex", *flags)
    assert table.count("\\begin{tabular}") == 1 + len(flags)
    assert_typesets(tmp_path, table)


def test_transfer_matrices(runs, tmp_path):
    both = ",".join(models(runs))
    limits = "--epsilon 0.1 --suite pgd(steps=2) --test-limit 40 --quiet --name t"
    namid(tmp_path, "transfer", "--surrogates", both, "--targets", both, *limits.split())
    assert_typesets(tmp_path, (tmp_path / "runs" / "transfer" / "t-001" / "table.tex").read_text())
