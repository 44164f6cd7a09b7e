# SPDX-License-Identifier: Apache-2.0
"""Bounds of namid beside those of auto_LiRPA (PyPI), image by image and rival by rival, both in float64.

  scripts/certify-peers
  build/certify-peers/bin/python bench/compare_certificates.py MODEL.safetensors DATA [--images N]
      [--epsilon E] [--program build/release/bench/namid_bench_certificates]

Exit code 1 where interval, Fast-Lin or CROWN differ by more than 1e-4. auto_LiRPA's slopes "same-slope" are
Fast-Lin's and "adaptive" CROWN's. Its intermediate bounds are backward ones alone; so are namid's here. Its
optimised bounds go on from its own intermediate ones and are shown for information.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import tomllib

import safetensors
import torch
from safetensors.torch import load_file
from torch import nn

import auto_lirpa

# Backward bounds of every neuron: not, as by default, of those alone that intervals leave unstable.
ALL_NEURONS = {"sparse_intermediate_bounds": False, "sparse_spec_alpha": False}
METHODS = [  # name, namid's tensor, auto_LiRPA's method and options, largest difference allowed
    ("interval", "interval", "IBP", {}, 1e-4),
    ("Fast-Lin", "fast_lin_alone", "CROWN", {"relu": "same-slope", **ALL_NEURONS}, 1e-4),
    ("CROWN", "crown_alone", "CROWN", {"relu": "adaptive", **ALL_NEURONS}, 1e-4),
    ("alpha-CROWN", "alpha_crown", "CROWN-Optimized", ALL_NEURONS, None),
]


def network_of(path):
    """The torch module of a layer list that namid saved."""
    with safetensors.safe_open(path, "pt") as file:
        record = json.loads(file.metadata()["namid.model"])
    state, modules, channels = load_file(path), [], record["input_shape"][0]
    for i, layer in enumerate(tomllib.loads(record["options"]["layers"])["layer"]):
        weight = state.get(f"{i}.weight")
        if layer["type"] == "conv":
            modules.append(nn.Conv2d(weight.shape[1], weight.shape[0], weight.shape[2:], layer.get("stride", 1),
                                     layer.get("padding", 0), bias=layer.get("bias", True)))
        elif layer["type"] == "linear":
            modules.append(nn.Linear(weight.shape[1], weight.shape[0], bias=layer.get("bias", True)))
        elif layer["type"] in ("relu", "flatten"):
            modules.append({"relu": nn.ReLU, "flatten": nn.Flatten}[layer["type"]]())
        else:
            sys.exit(f"compare_certificates: layer {i} ({layer['type']}) is not compared")
    network = nn.Sequential(*modules)
    network.load_state_dict(state)
    return network.double().eval()


def rows_of(y, rivals, classes):
    one = torch.eye(classes, dtype=torch.double)
    return one[y][:, None] - one[rivals]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model")
    parser.add_argument("data")
    parser.add_argument("--images", type=int, default=20)
    parser.add_argument("--epsilon", type=float, default=0.1)
    parser.add_argument("--program", default="build/release/bench/namid_bench_certificates")
    given = parser.parse_args()
    torch.set_default_dtype(torch.double)
    with tempfile.TemporaryDirectory() as folder:
        out = f"{folder}/bounds.safetensors"
        subprocess.run([given.program, given.model, given.data, str(given.images), str(given.epsilon), out], check=True)
        ours = load_file(out)
    network = network_of(given.model)
    rows = rows_of(ours["y"], ours["rivals"], 10)
    print(f"auto_LiRPA {auto_lirpa.__version__}, torch {torch.__version__}, {given.images} images, epsilon {given.epsilon}")
    print("| method | bounds | largest difference | mean, namid - auto_LiRPA |\n|---|---|---|---|")
    worst = 0
    for name, key, method, options, allowed in METHODS:
        theirs = torch.cat([auto_lirpa.lower_bounds(network, ours["x"][i:i + 1], given.epsilon, rows[i:i + 1], method, options)
                            for i in range(given.images)])
        apart = ours[key] - theirs
        print(f"| {name} | {apart.numel()} | {apart.abs().max():.3g} | {apart.mean():+.3g} |")
        worst = max(worst, apart.abs().max().item() if allowed else 0)
    return int(worst > 1e-4)


if __name__ == "__main__":
    sys.exit(main())
