# SPDX-License-Identifier: Apache-2.0
"""Runs `namid masking` on models that hide their gradients and on models that do not.

    scripts/masking-controls [--build build/release] [--images 200] [--markdown]

Masked (masking_models.py): logits times 1000, quantised input, random resize, train-mode BatchNorm,
zero-gradient activation, softmax output. Honest: small_cnn trained naturally and adversarially, an MLP, and
lenet5_advtrained on MNIST where NAMID_TEST_DATA names the folder of test data, else small_cnn by TRADES. The
surrogate of the transfer check is the natural small_cnn (for itself and lenet5: none). For a masked model
every command that a failed check names is run, and the accuracy under PGD is shown beside that under the
attack. Exit code 1 unless 6 of 6 are flagged (exit code 6) and 0 of 4, and every command runs.
"""

import argparse
import json
import os
import pathlib
import subprocess
import sys

from evaluation_runs import Namid, working_folder
import masking_models

EPSILON = 0.1
EXPECTED = {
    "logits x 1000": "other_loss_beats_white_box",
    "quantised input": "zero_gradient",
    "random resize": "stochastic_forward",
    "train-mode BatchNorm": "batch_dependent_output",
    "zero-gradient activation": "zero_gradient",
    "softmax output": "outputs_are_probabilities",
}


def train(namid, name, *options):
    """The folder of a model trained on the embedded data set."""
    namid.run("train", "--quiet", "--batch-size", 50, "--threads", 1, "--out", namid.out,
              "--name", name, *options)  # fmt: skip
    return namid.out / "train" / f"{name}-001"


def check(namid, path, *options):
    """Exit code and result of `namid masking`."""
    done = namid.run("masking", path, "--trust", "--quiet", "--json", "--threads", 1,
                     "--out", namid.out, *options, ok=(0, 6))  # fmt: skip
    return done.returncode, json.loads(done.stdout)["masking"]


def evaluate(namid, command):
    """(attack, accuracy under it) of the strongest attack of a `namid evaluate` line."""
    line = f"{command} --quiet --json --threads 1 --gallery 0 --out '{namid.out}'"
    line = f"'{namid.program}'" + line.removeprefix("namid")
    done = subprocess.run(line, shell=True, capture_output=True, text=True)
    if done.returncode != 0:
        return f"exit {done.returncode}: {done.stderr.strip().splitlines()[-1]}", None
    attacks = json.loads(done.stdout)["attacks"]
    best = min(attacks, key=lambda row: row["robust"]["accuracy"])
    return best["name"], best["robust"]["accuracy"]


def say(*words):
    print(*words, file=sys.stderr, flush=True)


def percent(value):
    return "-" if value is None else f"{100 * value:.1f} %"


def flagged(result, status="fail"):
    return [row["name"] for row in result["checks"] if row["status"] == status]


def masked_row(namid, name, code, result):
    """Cells, and whether the model was flagged for what it is by commands that run."""
    commands = {row["run_next"]: None for row in result["checks"] if row["status"] == "fail"}
    outcomes = [evaluate(namid, command) for command in commands]
    failed = [attack for attack, accuracy in outcomes if accuracy is None]
    for error in failed:
        print(f"{name}: {error}", file=sys.stderr)
    attack, after = min((row for row in outcomes if row[1] is not None), default=("none", None),
                        key=lambda row: row[1])  # fmt: skip
    before = result["white_box"]["robust"]["accuracy"]
    good = code == 6 and EXPECTED[name] in flagged(result) and not failed
    return good, [name, percent(result["natural"]["accuracy"]), ", ".join(flagged(result)),
                  attack, f"{percent(before)} -> {percent(after)}", "flagged"]  # fmt: skip


def honest_row(name, code, result):
    warned = ", ".join(f"({check})" for check in flagged(result, "warn"))
    before = percent(result["white_box"]["robust"]["accuracy"])
    return code == 0, [name, percent(result["natural"]["accuracy"]),
                       ", ".join(flagged(result)) or warned or "none", "-", before, "not flagged"]  # fmt: skip


def lenet(namid):
    """(path, options) of the adversarially trained LeNet, if it is there."""
    folder = os.environ.get("NAMID_TEST_DATA")
    if not folder:
        return None
    convert = pathlib.Path(__file__).parent.parent / "tests/support/convert_known_models.py"
    known = namid.out / "known"
    subprocess.run([sys.executable, convert, f"{folder}/models", known], check=True, stdout=subprocess.DEVNULL)
    return known / "lenet5_advtrained.safetensors", ("--data", f"{folder}/mnist", "--epsilon", 0.3)


def honest_models(namid):
    """Name -> (path, options)."""
    small = "--model small_cnn --width 8 --lr 0.05 --epochs 2 --train-limit 3000".split()
    attack = ["--epsilon", EPSILON, "--attack-steps", 5]
    natural = train(namid, "natural", "--defense", "natural", *small)
    adversarial = train(namid, "adversarial", "--defense", "standard", *attack, *small)
    surrogate = ("--surrogate", natural, "--epsilon", EPSILON)
    models = {
        "small_cnn": (natural, ("--epsilon", EPSILON)),
        "small_cnn, adversarially trained": (adversarial, surrogate),
        "mlp": (train(namid, "mlp", *"--defense natural --model mlp --lr 0.05 --epochs 2".split()), surrogate),
    }
    if known := lenet(namid):
        models["lenet5_advtrained"] = known
    else:
        models["small_cnn, TRADES"] = (train(namid, "trades", "--defense", "trades", *attack, *small), surrogate)
    return models, surrogate


def print_table(rows, markdown):
    header = ["model", "natural", "failed checks (warnings)", "attack", "PGD-40 -> attack", "expected"]
    if markdown:
        for row in [header, ["---"] * len(header), *rows]:
            print("| " + " | ".join(row) + " |")
        return
    widths = [max(len(row[i]) for row in [header, *rows]) for i in range(len(header))]
    for row in [header, *rows]:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip())


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--build", default="build/release")
    parser.add_argument("--images", type=int, default=200)
    parser.add_argument("--markdown", action="store_true", help="print the table as in docs/masking.md")
    options = parser.parse_args()
    with working_folder() as folder:
        namid = Namid(options.build, folder)
        images = ("--masking-images", options.images)
        honest, surrogate = honest_models(namid)
        say("trained the honest models")
        files = masking_models.write(folder)
        say("trained the masked models")
        masked, innocent = [], []
        for name, path in files.items():
            masked.append(masked_row(namid, name, *check(namid, path, *images, *surrogate)))
            say(masked[-1])
        for name, (path, more) in honest.items():
            innocent.append(honest_row(name, *check(namid, path, *images, *more)))
            say(innocent[-1])
        print_table([row for _, row in masked + innocent], options.markdown)
        found = sum(good for good, _ in masked)
        accused = sum(not good for good, _ in innocent)
        print(f"\n{found} of {len(masked)} masked models flagged, {accused} of {len(innocent)} honest ones")
        if found < len(masked) or accused > 0:
            sys.exit("masking-controls: expected 6 of 6 and 0 of 4")


if __name__ == "__main__":
    main()
