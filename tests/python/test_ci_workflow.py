# SPDX-License-Identifier: Apache-2.0
"""examples/ci/robustness.yml, its steps run in order as the service documents: each `run` by
`bash -e` with a step summary, a step after a failed one only with `if: always()`. Not run are
`pip install` (the build's own program stands in) and actions, of which upload-artifact's files
must be there."""

import os
import pathlib
import shutil
import subprocess
import xml.etree.ElementTree as ElementTree

import pytest
import yaml

ROOT = pathlib.Path(__file__).resolve().parents[2]
WORKFLOW = ROOT / "examples" / "ci" / "robustness.yml"
PROGRAM = os.environ["NAMID_PROGRAM"]
TRAINING = "--model mlp --epsilon 0.05 --steps 3 --lr 0.05 --batch-size 100 --epochs 4 --milestones 4"


def environment(folder):
    """`namid` on the path, and a file for the step summary."""
    programs = folder / "bin"
    programs.mkdir(exist_ok=True)
    if not (programs / "namid").exists():
        (programs / "namid").symlink_to(pathlib.Path(PROGRAM).resolve())
    return {
        **os.environ,
        "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}",
        "GITHUB_STEP_SUMMARY": str(folder / "summary.md"),
    }


def run_job(folder):
    """(conclusions of the steps by their names, files of the artifacts)."""
    (job,) = yaml.safe_load(WORKFLOW.read_text())["jobs"].values()
    failed, conclusions, artifacts = False, {}, []
    for step in job["steps"]:
        name = step.get("name") or step.get("uses") or step["run"]
        if failed and step.get("if") != "always()":
            conclusions[name] = "skipped"
        elif "uses" in step:
            if step["uses"].startswith("actions/upload-artifact"):
                artifacts += step["with"]["path"].split()
        elif not step["run"].startswith("pip install"):
            done = subprocess.run(
                ["bash", "-e", "-c", step["run"]],
                cwd=folder,
                env=environment(folder),
                capture_output=True,
                text=True,
            )
            failed |= done.returncode != 0
            conclusions[name] = done.returncode
    return conclusions, artifacts


def train(folder, defense, name):
    command = f"namid train --defense {defense} {TRAINING} --name {name} --quiet"
    subprocess.run(
        command.split(), cwd=folder, env=environment(folder), check=True, capture_output=True
    )
    return folder / "runs" / "train" / f"{name}-001" / "model.safetensors"


@pytest.fixture(scope="module")
def release(tmp_path_factory):
    """A folder with a trained model as the release: its evaluation is the baseline."""
    folder = tmp_path_factory.mktemp("release")
    shutil.copy(train(folder, "standard", "release"), folder / "model.safetensors")
    steps = yaml.safe_load(WORKFLOW.read_text())["jobs"]["gate"]["steps"]
    (evaluate,) = [step["run"] for step in steps if step.get("name") == "Evaluate"]
    subprocess.run(
        ["bash", "-e", "-c", evaluate],
        cwd=folder,
        env=environment(folder),
        check=True,
        capture_output=True,
    )
    return folder


def checkout(release, folder, model):
    shutil.copytree(release / "runs" / "evaluate" / "candidate-001", folder / "baseline")
    shutil.copy(model, folder / "model.safetensors")


def test_an_equally_robust_candidate_passes_with_its_evidence(release, tmp_path):
    checkout(release, tmp_path, release / "model.safetensors")
    conclusions, artifacts = run_job(tmp_path)
    assert conclusions == {"Evaluate": 0, "Gate": 0, "Report": 0}
    assert artifacts and all((tmp_path / path).is_file() for path in artifacts)
    assert "### Robustness gate: passed" in (tmp_path / "summary.md").read_text()
    cases = ElementTree.parse(tmp_path / "gate.xml").getroot().iter("testcase")
    assert [len(case.findall("failure")) for case in cases] == [0, 0]


def test_a_candidate_that_lost_its_robustness_fails_and_leaves_its_evidence(release, tmp_path):
    folder = tmp_path / "candidate"
    folder.mkdir()
    checkout(release, folder, train(folder, "natural", "hasty"))
    conclusions, artifacts = run_job(folder)
    assert conclusions == {"Evaluate": 0, "Gate": 6, "Report": 0}
    assert artifacts and all((folder / path).is_file() for path in artifacts)
    assert "### Robustness gate: not passed" in (folder / "summary.md").read_text()
    cases = ElementTree.parse(folder / "gate.xml").getroot().iter("testcase")
    assert sum(len(case.findall("failure")) for case in cases) >= 1
