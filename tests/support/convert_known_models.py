# SPDX-License-Identifier: Apache-2.0
"""Turns the third-party MNIST networks of the test data into model files that namid reads.

usage: convert_known_models.py MODELS_FOLDER OUT_FOLDER
"""
import json
import os
import pathlib
import sys

import torch
from safetensors.torch import save_file


def conv(channels, kernel, stride, padding):
    return f'[[layer]]\ntype = "conv"\nchannels = {channels}\nkernel = {kernel}\nstride = {stride}\npadding = {padding}\n'


def linear(features):
    return f'[[layer]]\ntype = "linear"\nfeatures = {features}\n'


RELU, FLATTEN = '[[layer]]\ntype = "relu"\n', '[[layer]]\ntype = "flatten"\n'
POOL = '[[layer]]\ntype = "maxpool"\nkernel = 2\nstride = 2\n'
LENET = (conv(32, 3, 1, 1) + RELU + POOL + conv(64, 3, 1, 1) + RELU + POOL + FLATTEN + linear(200)
         + RELU + linear(10))
CONVEX = conv(16, 4, 2, 1) + RELU + conv(32, 4, 2, 1) + RELU + FLATTEN + linear(100) + RELU + linear(10)
# Places of the released names in the plain sequence.
LENET_PLACES = {"conv1": 0, "conv2": 3, "linear1": 7, "linear2": 9}


def lenet_names(state):
    return {f"{LENET_PLACES[layer]}.{part}": value
            for (layer, part), value in ((key.split("."), value) for key, value in state.items())}


def convert(source, target, layers, rename):
    state = torch.load(source, map_location="cpu", weights_only=True)
    model = {"options": {"model": "sequential", "layers": layers}, "input_shape": [1, 28, 28], "num_classes": 10}
    temporary = target.with_suffix(f".{os.getpid()}")
    save_file({key: value.contiguous() for key, value in rename(state).items()}, temporary,
              {"namid.model": json.dumps(model)})
    os.replace(temporary, target)


def main():
    models, out = map(pathlib.Path, sys.argv[1:3])
    out.mkdir(parents=True, exist_ok=True)
    for name in ("lenet5_advtrained", "lenet5_clntrained"):
        convert(models / f"{name}.pt", out / f"{name}.safetensors", LENET, lenet_names)
    convert(models / "convex_mnist.pth", out / "convex_mnist.safetensors", CONVEX, dict)


if __name__ == "__main__":
    main()
