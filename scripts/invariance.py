# SPDX-License-Identifier: Apache-2.0
"""Compares the ledgers of one evaluation, computed in different batches, orders, shards and threads.

    scripts/invariance [--images 48] [--build build/release]

Models: a LeNet (the adversarially trained one on MNIST where NAMID_TEST_DATA names the folder of test
data, else a small_cnn trained in seconds) and a ResNet-18 of width 4 with BatchNorm, trained for one
short epoch. Suite: the four attacks of AutoAttack, shortened, worst_case, compute batch 16. For every
--batch-size in 1, 7, 64, 256, both --order, and 1 or 2 shards (joined by `namid ledger merge`) the
ledger must equal that of batch size 64 in file order, byte for byte. Of 2 threads against 1, and of
--fast (batch sizes 7 and 64) against padded batches, only rounding may differ: rows that do and verdicts
that do are counted, and the latter listed. Exit code 1 if a ledger that must be equal is not.
"""

import argparse
import itertools
import json
import os
import pathlib
import subprocess
import sys
import time

from evaluation_runs import SMALL_CNN, Namid, same_bytes, working_folder

BATCH_SIZES, ORDERS, SHARDS = (1, 7, 64, 256), ("file", "random"), (1, 2)
SUITE = ("apgd-ce(steps=8), apgd-t(steps=5,targets=3), fab-t(steps=3,targets=2), "
         "square(queries=20)")  # fmt: skip


class Model:
    def __init__(self, namid, name, path, epsilon, images, data=()):
        self.namid, self.name, self.runs = namid, name, 0
        self.evaluation = ["evaluate", path, *data, "--epsilon", epsilon, "--test-limit", images,
                           "--suite", SUITE, "--combine", "worst_case", "--compute-batch", 16]  # fmt: skip

    def evaluate(self, *options, threads=1):
        """The run folder of an evaluation."""
        self.runs += 1
        name = f"{self.name}-{self.runs:03}"
        self.namid.run(*self.evaluation, *options, "--threads", threads, "--quiet",
                       "--out", self.namid.out, "--name", name)  # fmt: skip
        return self.namid.out / "evaluate" / f"{name}-001"

    def variant(self, batch_size, order, shards):
        options = ["--batch-size", batch_size, "--order", order]
        if shards == 1:
            return self.evaluate(*options)
        parts = [self.evaluate(*options, "--shard", f"{i + 1}/{shards}") for i in range(shards)]
        name = f"{self.name}-merged-{self.runs:03}"
        self.namid.run("ledger", "merge", *parts, "--out", self.namid.out, "--name", name)
        return self.namid.out / "evaluate" / f"{name}-001"


def lenet(namid, images):
    if folder := os.environ.get("NAMID_TEST_DATA"):
        convert = pathlib.Path(__file__).parent.parent / "tests/support/convert_known_models.py"
        known = namid.out / "known"
        subprocess.run([sys.executable, convert, f"{folder}/models", known], check=True)
        path = known / "lenet5_advtrained.safetensors"
        return Model(namid, "lenet", path, 0.3, images, ["--data", f"{folder}/mnist"])
    path = namid.train("small", *SMALL_CNN)
    return Model(namid, "small_cnn", path, 0.03, images)


def resnet(namid, images):
    path = namid.train("resnet", *"--model resnet18 --width 4 --train-limit 3000 --lr 0.1".split())
    return Model(namid, "resnet18", path, 0.02, images)


def print_fates(run):
    result = json.loads((run / "run.json").read_text())["result"]
    fates = ", ".join(f"{row['broken']} broken by {row['name']}" for row in result["attacks"])
    print(f"  {result['n']} images, {result['natural']['correct']} classified correctly, {fates}; "
          f"self-test {'passed' if result['self_test']['passed'] else 'FAILED'}")  # fmt: skip


def check_equal(model, base):
    """Ledgers that differ from the base, of how many."""
    differing = count = 0
    for batch_size, order, shards in itertools.product(BATCH_SIZES, ORDERS, SHARDS):
        run = model.variant(batch_size, order, shards)
        equal = same_bytes(base / "ledger.sqlite", run / "ledger.sqlite")
        print(f"  batch size {batch_size:3}, order {order:6}, {shards} shard(s): "
              f"{'equal' if equal else 'DIFFERENT'}", flush=True)  # fmt: skip
        if not equal:
            print(model.namid.run("ledger", "diff", base, run, ok=(0, 6)).stdout)
        differing, count = differing + (not equal), count + 1
    return differing, count


def count_discordant(model, base, what, run):
    diff = json.loads(model.namid.run("ledger", "diff", "--json", base, run, ok=(0, 6)).stdout)
    rows = diff["attempts"]
    print(f"  {what}: {rows['differ']} rows differ in {rows['columns']}, "
          f"{rows['only_a'] + rows['only_b']} are in one alone; "
          f"discordant verdicts: {len(diff['discordant'])}", flush=True)  # fmt: skip
    for sample in diff["discordant"]:
        print(f"    sample {sample['sample']}: {sample['a']} against {sample['b']}")
    return len(diff["discordant"])


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--images", type=int, default=48)
    parser.add_argument("--build", default="build/release")
    arguments = parser.parse_args()
    table, failed = [], False
    with working_folder() as out:
        namid = Namid(arguments.build, out)
        for make in (lenet, resnet):
            started = time.monotonic()
            model = make(namid, arguments.images)
            print(model.name)
            base = model.evaluate("--batch-size", 64, "--order", "file")
            print_fates(base)
            differing, count = check_equal(model, base)
            threads = count_discordant(model, base, "threads 1 against 2", model.evaluate(threads=2))
            fast = [count_discordant(model, base, f"padded against --fast, batch size {size}",
                                     model.evaluate("--fast", "--batch-size", size))
                    for size in (7, 64)]  # fmt: skip
            table.append([model.name, arguments.images, f"{count - differing} of {count}", threads,
                          sum(fast), f"{time.monotonic() - started:.0f} s"])  # fmt: skip
            failed |= differing > 0
        header = ["model", "images", "ledgers equal", "discordant: threads", "fast", "time"]
        for row in [header, ["---"] * len(header), *table]:
            print("| " + " | ".join(map(str, row)) + " |")
        if failed:
            raise SystemExit(1)


if __name__ == "__main__":
    main()
