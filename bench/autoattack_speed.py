# SPDX-License-Identifier: Apache-2.0
"""AutoAttack standard by namid and by torchattacks on the same network and images, by turns.

    scripts/peers
    build/peers/bin/python -W ignore bench/autoattack_speed.py --weights RUN/model.safetensors --width 16 \
        --data cifar-10-batches-bin --out autoattack.jsonl
    build/peers/bin/python bench/autoattack_speed.py --table --out autoattack.jsonl

The network is namid's, of that width, for torchattacks as an nn.Module with frozen parameters; L-inf
8/255. Both run APGD-CE, APGD-T on nine targets, FAB-T on nine targets (100 steps each) and Square with 5,000
queries, each on the images that are left: torchattacks' own AutoAttack takes ten steps, so its four attacks are
put together by its MultiAttack. namid is the whole of `namid evaluate --fast`: data and ledger included, batches
not padded to equal sizes, as on the other side. A round has a seed of its own, the same on both sides, which draw
different numbers. Rows are written as they come."""

import argparse
import os
import pathlib
import sqlite3
import statistics
import tempfile
import time

import eager
import peer_judge
import peer_sides
import torch
import torchattacks
from compare_peers import append, read
from paired import cpu_name
from safetensors.torch import load_file

import namid

EPSILON, STEPS, QUERIES = 8 / 255, 100, 5000


def suite_of(options):
    if (options.steps, options.queries) == (STEPS, QUERIES):
        return "autoattack"
    gradient = ", ".join(f"{name}(steps={options.steps})" for name in ("apgd-ce", "apgd-t", "fab-t"))
    return f"{gradient}, square(queries={options.queries})"


def of_namid(options, seed):
    """(seconds, images right at first, images left)."""
    with tempfile.TemporaryDirectory() as folder:
        begin = time.perf_counter()
        run = namid.evaluate(
            options.weights, data=options.data, test_limit=options.points, suite=suite_of(options), epsilon=EPSILON,
            seed=seed, threads=options.threads, fast=True, out=folder, progress=False,
        )  # fmt: skip
        seconds = time.perf_counter() - begin
        ledger = sqlite3.connect(run.folder / "ledger.sqlite")
        right = {row[0] for row in ledger.execute("SELECT sample FROM samples WHERE correct")}
        broken = {row[0] for row in ledger.execute("SELECT sample FROM attempts WHERE success")}
        ledger.close()
    return seconds, sorted(right), sorted(right - broken)


def of_torchattacks(options, model, x, y, seed):
    common = {"eps": EPSILON, "seed": seed, "n_restarts": 1}
    attack = torchattacks.MultiAttack(
        [
            torchattacks.APGD(model, steps=options.steps, loss="ce", **common),
            torchattacks.APGDT(model, steps=options.steps, n_classes=10, **common),
            torchattacks.FAB(model, steps=options.steps, multi_targeted=True, n_classes=10, **common),
            torchattacks.Square(model, n_queries=options.queries, **common),
        ]
    )
    peer_sides.seed_all(seed)
    begin = time.perf_counter()
    right = peer_judge.predict(model, x) == y
    adv = x.clone()
    adv[right] = attack(x[right], y[right])
    left = right & (peer_judge.predict(model, adv) == y)
    seconds = time.perf_counter() - begin
    ball = bool(((adv - x).abs() <= EPSILON + 1e-6).all())
    if not ball or adv.min() < 0 or adv.max() > 1:
        raise SystemExit("autoattack_speed: torchattacks left the ball or the box")
    return seconds, right.nonzero()[:, 0].tolist(), left.nonzero()[:, 0].tolist()


def measure(options):
    torch.set_num_threads(options.threads)
    model = eager.ResNet18(width=options.width, network=options.network)
    model.load_state_dict(load_file(options.weights))
    model.eval().requires_grad_(False)
    batch = namid.data.load(options.data, part="test", test_limit=options.points).batch()
    for seed in range(len(read(options.out)), options.seeds):
        sides = {
            "namid": lambda seed=seed: of_namid(options, seed),
            "torchattacks": lambda seed=seed: of_torchattacks(options, model, batch.x, batch.y, seed),
        }
        row = {"seed": seed, "points": options.points, "network": options.network, "width": options.width, "threads": options.threads}
        for side in sorted(sides, reverse=seed % 2 == 1):
            seconds, right, left = sides[side]()
            row[side] = {"seconds": seconds, "right": right, "left": left}
        append(options.out, row)
        print(f"seed {seed}: {row['torchattacks']['seconds'] / row['namid']['seconds']:.2f}")


def table(rows):
    sides = ("namid", "torchattacks")
    print(f"{cpu_name()}, torch {torch.__version__}, torchattacks {peer_sides.version('torchattacks')}; ", end="")
    print(f"{rows[0]['points']} images, width {rows[0]['width']}, {rows[0]['threads']} threads\n")
    print("| seed | namid, s | torchattacks, s | torchattacks / namid | right | left by namid, by torchattacks | "
          "left by one alone |\n|---|---|---|---|---|---|---|")  # fmt: skip
    ratios = []
    for row in rows:
        ours, theirs = (row[side] for side in sides)
        ratios.append(theirs["seconds"] / ours["seconds"])
        alone = sorted(set(ours["left"]) ^ set(theirs["left"]))
        print(f"| {row['seed']} | {ours['seconds']:.1f} | {theirs['seconds']:.1f} | {ratios[-1]:.2f} | "
              f"{len(ours['right'])} | {len(ours['left'])}, {len(theirs['left'])} | {alone or 'none'} |")  # fmt: skip
    print(f"\nMedian ratio: **{statistics.median(ratios):.2f}**.")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--weights", help="a namid model file of that network on CIFAR-10")
    parser.add_argument("--network", choices=tuple(eager.PADDING), default="resnet18")
    parser.add_argument("--width", type=int, default=64)
    parser.add_argument("--data", help="CIFAR-10's folder, binary version")
    parser.add_argument("--points", type=int, default=64, help="the first test images")
    parser.add_argument("--steps", type=int, default=STEPS, help="of APGD and FAB")
    parser.add_argument("--queries", type=int, default=QUERIES, help="of Square")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--out", default="build/autoattack-speed.jsonl", type=pathlib.Path)
    parser.add_argument("--table", action="store_true", help="print the rows as Markdown, run nothing")
    options = parser.parse_args()
    if not options.table:
        if not (options.weights and options.data):
            raise SystemExit("autoattack_speed: expected --weights FILE and --data FOLDER")
        measure(options)
    table(read(options.out))


if __name__ == "__main__":
    main()
