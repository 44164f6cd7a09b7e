# SPDX-License-Identifier: Apache-2.0
"""Cheaper protocols beside AutoAttack standard, all namid's: what they cost and what they leave standing.

    PYTHONPATH=build/release/python .venv/bin/python bench/protocols.py --weights MODEL.safetensors --data MNIST --epsilon 0.3

One `namid evaluate` of each suite on the same images with the same seed, one after the other. Goal: a fifth
of AutoAttack's passes (stretch: a tenth) and at most half a point more left. Passes are images that went forward
or backward, as the ledger counts them. Rows are written as they come."""

import argparse
import os
import pathlib
import tempfile
import time

from compare_peers import append, read
from paired import cpu_name

import namid

SUITES = ("autoattack", "apgd-ce+t", "malt", "a3")
SETTINGS = ("weights", "points", "epsilon", "seed")


def measure(options, suite):
    with tempfile.TemporaryDirectory() as folder:
        begin = time.perf_counter()
        run = namid.evaluate(
            options.weights, data=options.data, test_limit=options.points, suite=suite, epsilon=options.epsilon,
            seed=options.seed, threads=options.threads, fast=True, out=folder, progress=False,
        )  # fmt: skip
        seconds = time.perf_counter() - begin
    passes = sum(sum(attack["passes"].values()) for attack in run.attacks)
    return {"seconds": seconds, "passes": passes, "right": run.natural.correct, "left": run.robust.correct}


def table(rows):
    first = rows[0]
    print(f"{cpu_name()}; {first['points']} images, epsilon {first['epsilon']:g}\n")
    print("| network | seed | suite | left % | points above AutoAttack | passes an image | AutoAttack's / its | s | AutoAttack's / its, s | goal |")
    print("|---|---|---|---|---|---|---|---|---|---|")
    for row in rows:
        full = next(r for r in rows if r["suite"] == "autoattack" and all(r[k] == row[k] for k in SETTINGS))
        above = 100 * (row["left"] - full["left"]) / row["points"]
        cheaper = full["passes"] / row["passes"]
        met = "" if row is full else "met" if cheaper >= 5 and above <= 0.5 else "**not met**"
        print(
            f"| {pathlib.Path(row['weights']).stem} | {row['seed']} | {row['suite']} | {100 * row['left'] / row['points']:.1f} | "
            f"{above:+.1f} | {row['passes'] / row['points']:.0f} | **{cheaper:.1f}** | {row['seconds']:.1f} | "
            f"**{full['seconds'] / row['seconds']:.1f}** | {met} |"
        )


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--weights", help="a model file")
    parser.add_argument("--data", help="its data set, as namid evaluate takes it")
    parser.add_argument("--epsilon", type=float, default=8 / 255)
    parser.add_argument("--points", type=int, default=500, help="the first test images")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--out", default="build/protocols.jsonl", type=pathlib.Path)
    parser.add_argument("--table", action="store_true", help="print the rows as Markdown, run nothing")
    options = parser.parse_args()
    if not options.table:
        if not (options.weights and options.data):
            raise SystemExit("protocols: expected --weights FILE and --data DATA")
        about = {key: getattr(options, key) for key in SETTINGS}
        done = [{key: row[key] for key in (*SETTINGS, "suite")} for row in read(options.out)]
        for suite in SUITES:
            if {**about, "suite": suite} not in done:
                append(options.out, {**about, "suite": suite, **measure(options, suite)})
    rows = read(options.out)
    if not rows:
        raise SystemExit(f"protocols: {options.out} holds no rows")
    table(rows)


if __name__ == "__main__":
    main()
