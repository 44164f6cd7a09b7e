# SPDX-License-Identifier: Apache-2.0
"""Speed of namid's attacks beside torchattacks, foolbox and adv-lib, by turns in one process.

    scripts/peers
    build/peers/bin/python bench/peer_speed.py --data cifar-10-batches-bin --out speed.jsonl
    build/peers/bin/python bench/peer_speed.py --table --out speed.jsonl

ResNet-18 for CIFAR-10 at full width as an nn.Module, the same for all sides, its predictions as
labels, so that every image is attacked. A round times every side once, in alternating order; a
ratio is the other's time over namid's in the same round, above 1 where namid is faster. "met": the
95 % bootstrap interval of the median ratio does not lie wholly below 1; with --engine also whether
the median reaches the goal. "a pass": the ratio of times divided by backward passes. Before the
rounds each side runs once in a process of its own that counts passes by hooks and reads the peak memory. Lines of JSON are written as they come; a
run that is started again goes on behind them."""

import argparse
import collections
import math
import os
import pathlib
import statistics
import time

import eager
import numpy
import peer_judge
import peer_sides
import torch
from compare_peers import append, read
from paired import cpu_name, forget_peak, from_process, median_interval, resident
from peer_speed_attacks import attacks
from safetensors.torch import load_file

import namid

RADII = {"linf": 8 / 255, "l2": 0.5}
SETTINGS = ("network", "batch", "steps", "queries", "threads", "weights", "engine")
GOALS = {  # goal and stretch of the compiled network, by attack and side
    ("pgd", "torchattacks"): (3, 4),
    ("pgd", "eager loop, channels-last"): (2, 2.5),
    ("cw", "torchattacks"): (3, 4.5),
    ("cw", "foolbox"): (3, 4.5),
    ("ddn", "torchattacks"): (3, 4.5),
    ("ddn", "foolbox"): (3, 4.5),
    ("fab-t", "torchattacks"): (3.5,),
}
VERDICT = "one forward"  # of the result, which torchattacks and adv-lib leave to the caller


def build(options):
    """Model, images, labels. Without weights the network is a random one whose BatchNorm knows the
    statistics of these images."""
    torch.set_num_threads(options.threads)
    torch.manual_seed(0)
    batch = namid.data.load(options.data, part="test", test_limit=options.batch).batch()
    model = eager.ResNet18(network=options.network)
    if options.weights:
        model.load_state_dict(load_file(options.weights))
    else:
        for module in model.modules():
            if isinstance(module, torch.nn.BatchNorm2d):
                module.momentum = None
        with torch.no_grad():
            model.train()(batch.x)
    model.eval().requires_grad_(False)
    return model, batch.x, peer_judge.predict(model, batch.x)


def models_of(options, model):
    """The model that each side attacks: with --engine namid's own network of the same weights,
    compiled; for all others the nn.Module."""
    if not options.engine:
        return collections.defaultdict(lambda: model)
    own = namid.models.create(options.network)
    own.load_state_dict(model.state_dict())
    own.channels_last()
    return collections.defaultdict(lambda: model, namid=namid.compile(own.eval()))


def count_passes(model):
    """Images that went forward and backward from now on."""
    passes = {"forwards": 0, "backwards": 0}

    def forward(_, inputs, output):
        passes["forwards"] += len(inputs[0])
        if output.requires_grad:
            output.register_hook(backward)

    def backward(gradient):
        passes["backwards"] += len(gradient)

    model.register_forward_hook(forward)
    return passes


def probe(options, attack, side, pipe):
    """In a process of its own: passes per image, peak memory above the state before, the images."""
    try:
        model, x, y = build(options)
        passes, models = count_passes(model), models_of(options, model)
        before = forget_peak()
        adv = attack.run(side, models[side], x, y, RADII[attack.norm], 0)
        peak = resident("VmHWM") - before
        per_image = {key: value / len(x) for key, value in passes.items()}
        if side == "namid" and options.engine:  # no hooks in there
            per_image = attack.sides[side].passes
        radius = RADII[attack.norm] if attack.bounded else None
        verdict = peer_judge.judge(model, x, y, adv, attack.norm, radius)
        keep = {key: verdict[key] for key in ("fooled", "median_all", "invalid")}
        pipe.send(({"mib": peak, **per_image, **keep}, adv.numpy()))
    except Exception as error:  # a library that cannot is a row of its own
        pipe.send(({"error": f"{type(error).__name__}: {error}"}, None))


def probed(options, attack, side):
    """Forked before this process computes anything: OpenMP's threads do not survive a fork."""
    try:
        return from_process("fork", probe, options, attack, side)
    except EOFError:
        return {"error": "the process ended early"}, None


def probe_all(options, chosen, done):
    for attack in chosen:
        missing = [side for side in attack.sides if (attack.name, side, "probe") not in done]
        if not missing:
            continue
        images = {}
        for side in attack.sides:  # namid is the first
            facts, images[side] = probed(options, attack, side)
            if "error" not in facts:
                differ = numpy.abs(images[side] - images["namid"]) > 1e-6
                facts["differ"] = float(differ.mean())
            about = {"settings": attack.budget(RADII[attack.norm]), "run": options.run}
            row = {"attack": attack.name, "side": side, "pair": "probe", **facts, **about}
            append(options.out, {**row, "version": peer_sides.version(side)})


def timed(work):
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def time_all(options, chosen):
    rows = read(options.out)
    done = {(row["attack"], row["side"], row["pair"]) for row in rows}
    failed = {(row["attack"], row["side"]) for row in rows if "error" in row}
    model, x, y = build(options)
    models = models_of(options, model)
    for attack in chosen:

        def run(side):
            if side == VERDICT:
                with torch.no_grad():
                    return model(x)
            return attack.run(side, models[side], x, y, RADII[attack.norm], 0)

        sides = [side for side in attack.sides if (attack.name, side) not in failed] + [VERDICT]
        pairs = [
            pair
            for pair in range(options.pairs)
            if any((attack.name, side, pair) not in done for side in sides)
        ]
        for side in sides if pairs else ():
            run(side)  # warm-up
        for pair in pairs:
            for side in sides if pair % 2 == 0 else sides[::-1]:
                row = {
                    "attack": attack.name,
                    "side": side,
                    "pair": pair,
                    "seconds": timed(lambda: run(side)),
                }
                print(*row.values(), flush=True)
                append(options.out, {**row, "run": options.run})


def ratio(ours, theirs):
    """Median of the ratios of the rounds that both have, and its interval."""
    ratios = [theirs[pair] / ours[pair] for pair in sorted(ours.keys() & theirs.keys())]
    low, high = median_interval(ratios)
    return statistics.median(ratios), low, high


def reached(ours, peer, middle, high):
    """Whether a cell is met, and which goal of the compiled network."""
    text = "met" if high >= 1 else "**not met**"
    goal = GOALS.get((ours["attack"].split(",")[0], peer)) if ours["run"]["engine"] else None
    if not goal:
        return text
    return f"{text}; {' / '.join(map(str, goal))}: {'met' if middle >= goal[0] else '**not met**'}"


def speed_line(probes, seconds, peer):
    ours, theirs = probes["namid"], probes[peer]
    middle, low, high = ratio(seconds["namid"], seconds[peer])
    judged = {pair: value + seconds[VERDICT][pair] for pair, value in seconds[peer].items()}
    fair = ratio(seconds["namid"], judged)
    iterations = ours["settings"].get("steps", ours["settings"].get("queries", 1))
    medians = [statistics.median(seconds[side].values()) for side in ("namid", peer)]
    passes = [f"{side['forwards']:.1f} / {side['backwards']:.1f}" for side in (ours, theirs)]
    backwards = theirs["backwards"] and ours["backwards"] / theirs["backwards"]
    return (
        f"| {ours['attack']} | {iterations} | {peer} {theirs['version']} | {medians[0]:.3f} | "
        f"{medians[1]:.3f} | **{middle:.2f}** [{low:.2f}, {high:.2f}] | {reached(ours, peer, middle, high)} | "
        f"{middle * backwards if backwards else math.nan:.2f} | {fair[0]:.2f} [{fair[1]:.2f}, {fair[2]:.2f}] | "
        f"{passes[0]} | {passes[1]} | {ours['mib']:.0f} | {theirs['mib']:.0f} | "
        f"{100 * ours['fooled']:.0f} | {100 * theirs['fooled']:.0f} | "
        f"{100 * theirs['differ']:.1f} |"
    ).replace("| nan |", "| |")


HEAD = (
    "| attack | steps | library | namid, s | library, s | library / namid | bound, goal / stretch | a pass | "
    "with a verdict pass for the library | namid, passes | library, passes | namid, MiB | "
    "library, MiB | namid, fooled % | library, fooled % | entries that differ % |\n"
    "|---|---|---|---|---|---|---|---|---|---|---|---|---|---|---|---|"
)


def table(rows):
    text, losing = [cpu_name(), "", HEAD], []
    names = dict.fromkeys(row["attack"] for row in rows)
    for name in names:
        of_attack = [row for row in rows if row["attack"] == name]
        probes = {row["side"]: row for row in of_attack if row["pair"] == "probe"}
        seconds = {}
        for row in of_attack:
            if row["pair"] != "probe":
                seconds.setdefault(row["side"], {})[row["pair"]] = row["seconds"]
        for peer in probes:
            if "error" in probes[peer]:
                losing.append(f"- {name} of {peer} does not run: {probes[peer]['error']}")
            elif peer != "namid" and peer in seconds and VERDICT in seconds:
                text.append(speed_line(probes, seconds, peer))
                if "not met" in text[-1]:
                    losing.append(f"- {name} against {peer}")
    head = "Not met:" if losing else "namid is slower nowhere."
    return "\n".join([*text, "", head, *losing])


def parse():
    unpacked = os.environ.get("NAMID_UNPACKED_DATA")
    data = f"{unpacked}/cifar-10-batches-bin" if unpacked else None
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", default=data, help="CIFAR-10's folder, binary version")
    parser.add_argument(
        "--weights", help="of such a network of namid's, .safetensors; random where left out"
    )
    parser.add_argument("--network", choices=tuple(eager.PADDING), default="resnet18")
    parser.add_argument("--attacks", help="names or their beginnings, divided by ;")
    parser.add_argument("--sides", help="of these alone, divided by ; (namid is always one)")
    parser.add_argument("--pairs", type=int, default=7)
    parser.add_argument("--steps", type=int, default=10, help="FAB and DeepFool: a fifth of them")
    parser.add_argument("--queries", type=int, default=100)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument(
        "--engine", action="store_true", help="namid attacks its own network, compiled"
    )
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--out", default="build/peer-speed.jsonl", type=pathlib.Path)
    parser.add_argument(
        "--table", action="store_true", help="print the rows as Markdown, run nothing"
    )
    return parser.parse_args()


def main():
    options = parse()
    if options.table:
        print(table(read(options.out)))
        return
    if not options.data:
        raise SystemExit("peer_speed: name the folder of CIFAR-10's binary version: --data FOLDER")
    wanted = tuple(options.attacks.split(";")) if options.attacks else ("",)
    known = attacks(options.steps, options.queries)
    chosen = [attack for attack in known if attack.name.startswith(wanted)]
    if options.sides:
        kept = {"namid", *options.sides.split(";")}
        for attack in chosen:
            for side in set(attack.sides) - kept:
                del attack.sides[side]
    options.run = {key: getattr(options, key) for key in SETTINGS}
    rows = read(options.out)
    if any({"engine": False, "network": "resnet18", **row["run"]} != options.run for row in rows):
        raise SystemExit(
            f"peer_speed: {options.out} holds rows of other settings; name another --out"
        )
    done = {(row["attack"], row["side"], row["pair"]) for row in rows}
    options.out.parent.mkdir(parents=True, exist_ok=True)
    probe_all(options, chosen, done)
    time_all(options, chosen)


if __name__ == "__main__":
    main()
