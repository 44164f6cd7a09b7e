# SPDX-License-Identifier: Apache-2.0
"""Overhead of the interpreter of torch.export programs against the same network built in.

    interpreter.py --worker NAMID_BENCH_INTERPRETER [--threads N] [--pairs 15]

Both run in one process, by turns, on logits and input gradient of one batch, channels-last, from the same
weights. Printed: medians, the largest difference of the gradients, and the median of the ratios program /
built-in with a 95 % bootstrap interval. ResNet-18 at batch 64 is to stay within 1.05: "met" means that the
interval does not lie wholly above it. The small network, where overhead shows, has no bound.
"""

import argparse
import json
import os
import statistics
import subprocess
import tempfile

import torch
from safetensors.torch import save_file
from torch import nn

from eager import ResNet18
from paired import cpu_name, median_interval

LAYERS = """
[[layer]]\ntype = "conv"\nchannels = 32\npadding = 1
[[layer]]\ntype = "relu"
[[layer]]\ntype = "maxpool"
[[layer]]\ntype = "conv"\nchannels = 64\npadding = 1
[[layer]]\ntype = "relu"
[[layer]]\ntype = "maxpool"
[[layer]]\ntype = "flatten"
[[layer]]\ntype = "linear"\nfeatures = 200
[[layer]]\ntype = "relu"
[[layer]]\ntype = "linear"
"""


def lenet():
    return nn.Sequential(nn.Conv2d(1, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(32, 64, 3, padding=1),
                         nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(3136, 200), nn.ReLU(), nn.Linear(200, 10))


def write(folder, model, options, shape):
    """The network as a model file and as a program: (safetensors, pt2)."""
    info = {"options": options, "input_shape": shape, "num_classes": 10}
    native, program = f"{folder}/model.safetensors", f"{folder}/model.pt2"
    save_file(model.state_dict(), native, {"namid.model": json.dumps(info)})
    example = torch.rand(2, *shape)
    torch.export.save(
        torch.export.export(model.eval(), (example,), dynamic_shapes=({0: torch.export.Dim("batch")},)), program)
    return native, program


def measure(worker, files, batch, threads, pairs, repeats):
    words = [worker, *files, *map(str, (batch, threads, pairs, repeats))]
    return json.loads(subprocess.run(words, check=True, capture_output=True, text=True).stdout)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--worker", required=True, help="the namid_bench_interpreter program")
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--pairs", type=int, default=15)
    options = parser.parse_args()
    torch.manual_seed(0)
    cases = [("ResNet-18", ResNet18(), {"model": "resnet18"}, [3, 32, 32], 64, 1, 1.05),
             ("LeNet", lenet(), {"model": "sequential", "layers": LAYERS}, [1, 28, 28], 64, 5, None),
             ("LeNet", lenet(), {"model": "sequential", "layers": LAYERS}, [1, 28, 28], 1, 50, None)]
    print(f"{cpu_name()}, {options.threads} threads, {options.pairs} pairs\n")
    print("| network | batch | built-in, ms | program, ms | difference | program / built-in, 95 % interval | bound |")
    print("|---|---|---|---|---|---|---|")
    for name, model, recipe, shape, batch, repeats, bound in cases:
        with tempfile.TemporaryDirectory() as folder:
            files = write(folder, model, recipe, shape)
            result = measure(options.worker, files, batch, options.threads, options.pairs, repeats)
        ratios = [ours / theirs for ours, theirs in zip(result["program"], result["native"])]
        low, high = median_interval(ratios)
        times = [1e3 * statistics.median(result[side]) / repeats for side in ("native", "program")]
        verdict = "none" if bound is None else f"{bound}: {'met' if low <= bound else 'not met'}"
        print(f"| {name} | {batch} | {times[0]:.3g} | {times[1]:.3g} | {result['difference']:.1g} | "
              f"**{statistics.median(ratios):.3f}**, {low:.3f} to {high:.3f} | {verdict} |", flush=True)


if __name__ == "__main__":
    main()
