# SPDX-License-Identifier: Apache-2.0
"""Do the intervals of sampled stages hold the full protocol's figure?

    namid evaluate MODEL --data DATA --suite autoattack --out runs
    PYTHONPATH=build/release/python .venv/bin/python bench/sampled_stages.py runs/evaluate/autoattack-001

The run attacked every image, so that its figure is known. `--sample-stage fab-t=M,square=M` is then simulated with as
many seeds as --subsets says: namid's own draw of the M, what the ledger says of these, namid's own interval."""

import argparse
import json
import pathlib
import sqlite3
import statistics

from namid import _C


def known_run(folder, stages):
    """(n, ids that the attacks before `stages` left, those of them that `stages` broke)."""
    ledger = sqlite3.connect(f"file:{folder / 'ledger.sqlite'}?mode=ro", uri=True)
    attacks = {name for (name,) in ledger.execute("SELECT DISTINCT attack FROM attempts")}
    for stage in stages:
        if stage not in attacks:
            raise SystemExit(f"sampled_stages: {folder} has no attack {stage}; it has {', '.join(sorted(attacks))}")
    (n,) = ledger.execute("SELECT COUNT(*) FROM samples").fetchone()
    left = {sample for (sample,) in ledger.execute("SELECT sample FROM samples WHERE correct = 1")}
    late = set()
    for sample, attack in ledger.execute("SELECT sample, attack FROM attempts WHERE success = 1"):
        if attack in stages:
            late.add(sample)
        else:
            left.discard(sample)
    return n, left, late & left


def simulated(n, left, late, drawn, seed, confidence):
    """(lower, upper) of one subset."""
    ids = _C.drawn_ids([sample % 2**64 for sample in sorted(left)], drawn, seed)
    broken = len({sample % 2**64 for sample in late} & set(ids))
    return _C.sampled_interval(n, len(left), len(ids), broken, confidence)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run", type=pathlib.Path, help="a finished evaluation of all images by all attacks")
    parser.add_argument("--stages", default="fab-t,square", help="the attacks that end the suite and are sampled")
    parser.add_argument("--drawn", default="100,200,300", help="images of a subset, divided by commas")
    parser.add_argument("--subsets", type=int, default=200)
    parser.add_argument("--confidence", type=float, default=0.95)
    options = parser.parse_args()
    if not (options.run / "run.json").exists():
        raise SystemExit(f"sampled_stages: {options.run} is no run folder")
    record = json.loads((options.run / "run.json").read_text())
    if record["status"] != "done" or "sampled" in record["result"]:
        raise SystemExit(f"sampled_stages: {options.run}: expected a finished run whose every stage attacked all")
    n, left, late = known_run(options.run, options.stages.split(","))
    full = (len(left) - len(late)) / n
    print(f"{n} images, {len(left)} left before {options.stages}, which break {len(late)}: {100 * full:.2f} %\n")
    print("| drawn | intervals that hold it | stated rate | width, mean, points |\n|---|---|---|---|")
    for drawn in (int(count) for count in options.drawn.split(",")):
        found = [simulated(n, left, late, drawn, seed, options.confidence) for seed in range(1, options.subsets + 1)]
        held = sum(low <= full <= high for low, high in found)
        width = statistics.fmean(high - low for low, high in found)
        print(f"| {drawn} | {held} of {options.subsets} | {100 * options.confidence:g} % | {100 * width:.2f} |")


if __name__ == "__main__":
    main()
