# SPDX-License-Identifier: Apache-2.0
"""Square with windows shared by the batch, by forwards of regions, beside windows of each image's own, by whole forwards.

    PYTHONPATH=build/release/python build/peers/bin/python bench/square_regions.py --data cifar-10-batches-bin

Both on namid.compile(model), by turns. Labels are the network's own predictions, and epsilon is so small that no
image falls: every query goes forward with the whole batch on both sides, so that the ratio is that of the
forwards. The schedule of window sizes is stretched to --queries."""

import argparse
import os
import statistics
import time

import torch
from paired import cpu_name, median_interval

import namid

WINDOWS = ("shared", "per_sample")


def seconds_of(model, x, y, windows, options):
    begin = time.perf_counter()
    found = namid.attacks.square(
        model, x, y, epsilon=options.epsilon, queries=options.queries, windows=windows, rescale_schedule=True
    )
    if found.success.any():
        raise SystemExit("square_regions: an image fell, the sides compute unequal work; take a smaller --epsilon")
    return time.perf_counter() - begin


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", required=True, help="CIFAR-10's folder, binary version")
    parser.add_argument("--model", default="resnet18-cifar")
    parser.add_argument("--sizes", default="32,64", help="of the images, multiples of 32, divided by commas")
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--queries", type=int, default=200)
    parser.add_argument("--epsilon", type=float, default=1e-7)
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    images = namid.data.load(options.data, part="test", test_limit=options.batch).batch().x
    print(f"{cpu_name()}, {options.model}, batch {options.batch}, {options.queries} queries, {options.threads} threads\n")
    print("| image | shared windows, by regions, s | windows per sample, whole forwards, s | per sample / shared |\n|---|---|---|---|")
    sizes = [int(size) for size in options.sizes.split(",")]
    if any(size < 32 or size % 32 for size in sizes):
        parser.error(f"--sizes: expected multiples of 32, got {options.sizes}")
    for size in sizes:
        x = images.repeat_interleave(size // 32, 2).repeat_interleave(size // 32, 3)
        model = namid.models.create(options.model, input_shape=tuple(x.shape[1:]), seed=1)
        model = namid.compile(model.eval().requires_grad_(False))
        y = model(x).argmax(1)
        seconds = {windows: [] for windows in WINDOWS}
        for pair in range(options.pairs):
            for windows in WINDOWS if pair % 2 == 0 else WINDOWS[::-1]:
                seconds[windows].append(seconds_of(model, x, y, windows, options))
        ratios = [own / shared for shared, own in zip(*seconds.values())]
        low, high = median_interval(ratios)
        middle = [statistics.median(seconds[windows]) for windows in WINDOWS]
        print(f"| {size} | {middle[0]:.2f} | {middle[1]:.2f} | **{statistics.median(ratios):.2f}** [{low:.2f}, {high:.2f}] |", flush=True)


if __name__ == "__main__":
    main()
