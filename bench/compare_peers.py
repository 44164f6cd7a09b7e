# SPDX-License-Identifier: Apache-2.0
"""Strength of namid's attacks beside torchattacks, foolbox, adv-lib and ART.

    scripts/peers
    build/peers/bin/python bench/compare_peers.py --model lenet5_advtrained --out rows.jsonl
    build/peers/bin/python bench/compare_peers.py --table --out rows.jsonl

Every side attacks the same images in the same batches with the same budget; one function judges
what it returns (peer_judge.py). A row (model, attack, norm, side, seed) is written as soon as it is
there, what is there of one that takes minutes is kept beside it (OUT.*.part), and a run that is
started again goes on where it was. --published: namid's
attacks with the settings of the published figures of data/models. --engine: every side attacks, and
is judged on, the network compiled by namid; a row says of how many images the network itself thinks
otherwise."""

import argparse
import hashlib
import json
import os
import pathlib
import platform

import peer_attacks
import peer_judge
import peer_models
import peer_progress
import peer_sides
import torch
from peer_published import EPSILON, PUBLISHED, published_table, signed

KEY = ("model", "attack", "norm", "side", "seed", "images", "engine", "epsilon")


def parse():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--model",
        action="append",
        help="lenet5_advtrained, lenet5_clntrained, "
        "convex_mnist, or a file that namid.models.load reads; may be repeated",
    )
    parser.add_argument(
        "--data", help="data set of a model from a file, as namid.data.load takes it"
    )
    parser.add_argument("--attacks", help="names, divided by commas; all where left out")
    parser.add_argument("--sides", help="libraries, divided by commas; all where left out")
    parser.add_argument("--images", type=int, default=1000, help="the first this many test images")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--out", default="build/peers.jsonl", type=pathlib.Path, help="JSON lines")
    parser.add_argument(
        "--published", action="store_true", help="the runs of published figures instead"
    )
    parser.add_argument(
        "--epsilon", type=float, default=EPSILON, help="radius of the published runs in a ball"
    )
    parser.add_argument(
        "--engine", action="store_true", help="the network is compiled by namid, for all sides"
    )
    parser.add_argument(
        "--table", action="store_true", help="print the rows as Markdown, run nothing"
    )
    parser.add_argument("--list", action="store_true", help="print the attacks and their sides")
    return parser.parse_args()


def read(path):
    if not path.exists():
        return []
    lines = path.read_text().splitlines()
    rows = []
    for line in lines:
        try:
            rows.append(json.loads(line))
        except json.JSONDecodeError:  # the last line of a killed run
            continue
    return rows


def append(path, row):
    """On a line of its own, also after the torn line of a killed run."""
    with path.open("ab+") as file:
        if file.tell():
            file.seek(-1, os.SEEK_END)
            if file.read(1) != b"\n":
                file.write(b"\n")
        file.write((json.dumps(row) + "\n").encode())


def measure(attack, side, model, itself, x, y, epsilon, seed, progress):
    """epsilon: None for a search of the smallest perturbation."""
    adv = attack.run(side, model, x, y, epsilon, seed, progress)
    verdict = peer_judge.judge(model, x, y, adv, attack.norm, epsilon)
    if epsilon is None and attack.norm == "linf":
        verdict |= signed(model, x, y, adv)
    if itself is not model:
        other = peer_judge.predict(model, adv) != peer_judge.predict(itself, adv)
        verdict["predicted_otherwise"] = int(other.sum())
    settings = attack.budget(epsilon)
    return {**verdict, "settings": settings, "seconds": progress.seconds}


def part_of(out, key):
    """The file of a row that is not finished, beside the rows."""
    digest = hashlib.sha256(json.dumps(key).encode()).hexdigest()[:12]
    return out.with_name(f"{out.name}.{digest}.part")


def plan(options):
    """(attack, side, seed) in order."""
    names = options.attacks.split(",") if options.attacks else None
    wanted = options.sides.split(",") if options.sides else None
    known = PUBLISHED if options.published else peer_attacks.ATTACKS
    for name in names or ():
        if name not in {attack.name for attack in known}:
            raise SystemExit(f"compare_peers: no attack {name!r}; --list prints them")
    for attack in known:
        if names and attack.name not in names:
            continue
        for side in attack.sides:
            if wanted is None or side in wanted:
                for seed in attack.seeds(1 if options.published else options.seeds):
                    yield attack, side, seed


def run(options):
    done = {tuple(row.get(key, False) for key in KEY) for row in read(options.out)}
    options.out.parent.mkdir(parents=True, exist_ok=True)
    for name in options.model or ["lenet5_advtrained", "lenet5_clntrained"]:
        itself = peer_models.load_model(name)
        model = peer_models.load_model(name, engine=True) if options.engine else itself
        images, labels = peer_models.load_images(name, options.data, options.images)
        for attack, side, seed in plan(options):
            x, y = images[: attack.most], labels[: attack.most]
            of_norm = options.epsilon if options.published else peer_models.radii(name)[attack.norm]
            radius = of_norm if attack.bounded else None
            values = (name, attack.name, attack.norm, side, seed, len(x), options.engine, radius)
            key = dict(zip(KEY, values))
            if tuple(key.values()) in done:
                continue
            about = {
                "version": peer_sides.version(side),
                "torch": torch.__version__,
                "processor": platform.machine(),
                "threads": torch.get_num_threads(),
            }
            progress = peer_progress.Progress(part_of(options.out, key), {**key, **about})
            try:
                found = measure(attack, side, model, itself, x, y, radius, seed, progress)
            except Exception as error:  # a library that cannot is a row of its own
                found = {"error": f"{type(error).__name__}: {error}"}
            append(options.out, {**key, **found, **about})
            progress.remove()
            shown = found.get("error") or f"{found['robust']:.4f} {found['median']:.4g}"
            print(*key.values(), shown, f"{found.get('seconds', 0):.0f} s", flush=True)


def main():
    options = parse()
    torch.set_num_threads(options.threads)
    if options.list:
        for attack in peer_attacks.ATTACKS:
            print(attack.name, attack.norm, *attack.sides)
    elif options.table:
        rows = read(options.out)
        good = [row for row in rows if "error" not in row]
        print((published_table if options.published else peer_judge.table)(good))
        for row in rows:
            if "error" in row:
                print(f"- {row['model']}, {row['attack']}, {row['side']}: {row['error']}")
    else:
        run(options)


if __name__ == "__main__":
    main()
