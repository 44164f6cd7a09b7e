# SPDX-License-Identifier: Apache-2.0
"""AutoAttack's standard suite against the trace of its own code (linf_standard: L-inf 0.3, an
adversarially trained LeNet, the first 100 MNIST test images): autoattack_trace.py [PROGRAM] [RUN]

Needs NAMID_TEST_DATA. RUN is `autoattack` (the reference's draws, in one batch: robust samples after
each stage within 1 of the trace), `none` (namid's own draws: at the end within 2) or `both`. About
five minutes of one core each, most of it Square's 5000 queries on the samples that hold out.
"""

import json
import os
import pathlib
import subprocess
import sys
import tempfile

import numpy

ROOT = pathlib.Path(__file__).resolve().parent.parent
STAGES = {"apgd-ce": "apgd_ce", "apgd-t": "apgd_t", "fab-t": "fab_t", "square": "square"}


def evaluate(program, data, folder, compat):
    command = [
        program, "evaluate", folder / "lenet5_advtrained.safetensors", "--data", data / "mnist",
        "--test-limit", "100", "--suite", "autoattack", "--epsilon", "0.3", "--compat", compat,
        "--batch-size", "100", "--compute-batch", "100", "--seed", "0", "--threads", "1",
        "--out", folder / "runs", "--quiet", "--json"]
    result = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    return json.loads(result.stdout)


def compare(result, trace, compat):
    """Prints each stage; returns what is further off than it may be."""
    wrong = []
    allowed = 1 if compat == "autoattack" else 2
    if result["natural"]["correct"] != trace["robust_clean"].sum():
        wrong.append("natural")
    for attack in result["attacks"]:
        ours = attack["robust"]["correct"]
        theirs = int(trace[f"robust_after_{STAGES[attack['name']]}"].sum())
        seed1 = int(trace[f"seed1_robust_after_{STAGES[attack['name']]}"].sum())
        print(f"{compat:>10} {attack['name']:>8}: robust {ours}, trace {theirs} (seed 1: {seed1}), "
              f"refuted {attack['refuted']}, {attack['seconds']:.0f} s", flush=True)
        last = attack is result["attacks"][-1]
        if (compat == "autoattack" or last) and abs(ours - theirs) > allowed:
            wrong.append(f"{compat} {attack['name']}")
        if attack["refuted"]:
            wrong.append(f"{compat} {attack['name']} refuted")
    return wrong


def main():
    program = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else ROOT / "build/release/namid")
    run = sys.argv[2] if len(sys.argv) > 2 else "both"
    if "NAMID_TEST_DATA" not in os.environ:
        print("autoattack_trace skipped: NAMID_TEST_DATA is not set")
        return 0
    data = pathlib.Path(os.environ["NAMID_TEST_DATA"])
    trace = numpy.load(data / "golden/linf_standard.npz")
    wrong = []
    with tempfile.TemporaryDirectory() as temporary:
        folder = pathlib.Path(temporary)
        subprocess.run([sys.executable, ROOT / "tests/support/convert_known_models.py",
                        data / "models", folder], check=True)
        for compat in ("autoattack", "none") if run == "both" else (run,):
            wrong += compare(evaluate(program.resolve(), data, folder, compat), trace, compat)
    if wrong:
        print("too far from the trace:", ", ".join(wrong))
    return 1 if wrong else 0


sys.exit(main())
