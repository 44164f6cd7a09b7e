# SPDX-License-Identifier: Apache-2.0
"""The engine beside LibTorch's convolutions: networks, batches, image sizes and threads.

    PYTHONPATH=build/release/python build/peers/bin/python bench/sweep.py --data cifar-10-batches-bin --out sweep.jsonl
    PYTHONPATH=build/release/python build/peers/bin/python bench/sweep.py --table --out sweep.jsonl

What is timed: logits and the gradient of the cross-entropy by the images of one batch, what attacks ask for
in every step. Sides, by turns, on one network of random weights with frozen parameters: `namid.compile`, and the
network itself with LibTorch's kernels, channels-last. A timing repeats the pass until it takes a third of a second. Memory:
the peak of the resident size above what there was before the first pass, in a process of its own for each
side. Images larger than CIFAR-10's repeat their pixels. Rows are written as they come."""

import argparse
import math
import pathlib
import statistics
import time

import torch
from compare_peers import append, read
from paired import cpu_name, forget_peak, from_process, median_interval, resident
from torch.nn import functional

import namid

SIDES = ("engine", "channels-last")
LEAST = 1 / 3  # seconds of a timing


def case(model, batch, threads, *, width=0, size=32):
    return {"model": model, "width": width, "size": size, "batch": batch, "threads": threads}


def cases():
    for width in (64, 16):
        for batch in (1, 8, 32, 64, 128, 512):
            yield case("resnet18", batch, 2, width=width)
    yield case("resnet18", 16, 2, width=64, size=64)
    yield case("resnet18", 64, 2, width=16, size=64)
    for batch in (1, 8, 64):
        yield case("vgg19", batch, 2)
    yield case("vgg19", 16, 2, size=64)
    for batch in (1, 8, 32):
        yield case("wideresnet-28-10", batch, 2)
    for batch in (1, 64):
        yield case("small_cnn", batch, 2)
    for model, batch, width in (("resnet18", 1, 64), ("resnet18", 64, 64), ("resnet18", 64, 16), ("vgg19", 64, 0)):
        yield case(model, batch, 1, width=width)
    yield case("wideresnet-28-10", 8, 1)
    yield case("small_cnn", 64, 1)


def build(of, data):
    """Models of both sides, images, labels."""
    torch.set_num_threads(of["threads"])
    batch = namid.data.load(data, part="test", test_limit=of["batch"]).batch()
    times = of["size"] // 32
    x = batch.x.repeat_interleave(times, 2).repeat_interleave(times, 3)
    more = {"width": of["width"]} if of["width"] else {}
    model = namid.models.create(of["model"], input_shape=tuple(x.shape[1:]), seed=1, **more)
    model.eval().requires_grad_(False)
    return {"engine": namid.compile(model), "channels-last": model.clone().channels_last()}, x, batch.y


def gradient(model, x, y):
    x = x.detach().requires_grad_(True)
    return torch.autograd.grad(functional.cross_entropy(model(x), y, reduction="sum"), x)[0]


def probe(of, data, side, pipe):
    models, x, y = build(of, data)
    before = forget_peak()
    gradient(models[side], x, y)
    pipe.send(resident("VmHWM") - before)


def probed(of, data, side):
    """Peak memory, MiB; spawned, since threads do not survive a fork."""
    return from_process("spawn", probe, of, data, side)


def seconds_of(model, x, y, repeats):
    begin = time.perf_counter()
    for _ in range(repeats):
        gradient(model, x, y)
    return (time.perf_counter() - begin) / repeats


def measure(of, options):
    memory = {side: probed(of, options.data, side) for side in SIDES}
    models, x, y = build(of, options.data)
    repeats = {}
    for side, model in models.items():
        gradient(model, x, y)
        repeats[side] = max(1, math.ceil(LEAST / seconds_of(model, x, y, 1)))
    seconds = {side: [] for side in SIDES}
    for pair in range(options.pairs):
        for side in SIDES if pair % 2 == 0 else SIDES[::-1]:
            seconds[side].append(seconds_of(models[side], x, y, repeats[side]))
    return {**of, "mib": memory, "seconds": seconds, "kernels": models["engine"].kernels}


def line(row):
    ratios = [theirs / ours for ours, theirs in zip(*(row["seconds"][side] for side in SIDES))]
    low, high = median_interval(ratios)
    middle = [1000 * statistics.median(row["seconds"][side]) for side in SIDES]
    memory = [row["mib"][side] / row["batch"] for side in SIDES]
    width = f", width {row['width']}" if row["width"] else ""
    slower = " **slower**" if high < 1 else ""
    return (
        f"| {row['model']}{width} | {row['size']} | {row['threads']} | {row['batch']} | {middle[0]:.1f} | "
        f"{middle[1]:.1f} | **{statistics.median(ratios):.2f}** [{low:.2f}, {high:.2f}]{slower} | "
        f"{row['batch'] / middle[0] * 1000:.0f} | {memory[0]:.2f}, {memory[1]:.2f} |"
    )


def table(rows):
    print(f"{cpu_name()}, torch {torch.__version__}, {len(rows[0]['seconds']['engine'])} pairs\n")
    print(
        "| network | image | threads | batch | engine, ms | channels-last, ms | channels-last / engine | "
        "engine, images/s | MiB an image: engine, channels-last |\n|---|---|---|---|---|---|---|---|---|"
    )
    for row in rows:
        print(line(row))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", help="CIFAR-10's folder, binary version")
    parser.add_argument("--models", help="only these, divided by commas")
    parser.add_argument("--pairs", type=int, default=7)
    parser.add_argument("--out", default="build/sweep.jsonl", type=pathlib.Path)
    parser.add_argument("--table", action="store_true", help="print the rows as Markdown, run nothing")
    options = parser.parse_args()
    if options.table:
        rows = read(options.out)
        return table(rows) if rows else parser.error(f"{options.out} holds no rows")
    if not options.data:
        raise SystemExit("sweep: name the folder of CIFAR-10's binary version: --data FOLDER")
    done = [{key: row[key] for key in case("", 0, 0)} for row in read(options.out)]
    for of in cases():
        if of in done or (options.models and of["model"] not in options.models.split(",")):
            continue
        row = measure(of, options)
        append(options.out, row)
        print(line(row), flush=True)


if __name__ == "__main__":
    main()
