# SPDX-License-Identifier: Apache-2.0
"""Networks and images of the comparison with other libraries."""

import os
import pathlib

import torch
from torch import nn

import namid

# Radii at which an attack of a ball is judged, by norm.
RADII = {
    "lenet5_advtrained": {"linf": 0.3, "l2": 2.0, "l1": 10.0},
    "lenet5_clntrained": {"linf": 0.1, "l2": 1.0, "l1": 5.0},
    "convex_mnist": {"linf": 0.1, "l2": 1.0, "l1": 5.0},
}
MNIST_SHAPE = (1, 28, 28)
COLOUR_RADII = {"linf": 8 / 255, "l2": 0.5, "l1": 12.0}


class LeNet5(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 32, 3, padding=1)
        self.conv2 = nn.Conv2d(32, 64, 3, padding=1)
        self.linear1 = nn.Linear(64 * 7 * 7, 200)
        self.linear2 = nn.Linear(200, 10)

    def forward(self, x):
        for convolution in (self.conv1, self.conv2):
            x = nn.functional.max_pool2d(torch.relu(convolution(x)), 2)
        return self.linear2(torch.relu(self.linear1(x.flatten(1))))


def convex_net():
    return nn.Sequential(
        *(nn.Conv2d(1, 16, 4, 2, 1), nn.ReLU(), nn.Conv2d(16, 32, 4, 2, 1), nn.ReLU()),
        *(nn.Flatten(), nn.Linear(1568, 100), nn.ReLU(), nn.Linear(100, 10)),
    )


class NativeModel(nn.Module):
    """A model of namid as a module, for libraries that ask for one."""

    def __init__(self, native):
        super().__init__()
        self.native = native.eval().requires_grad_(False)
        self.parameter = nn.Parameter(torch.zeros(()), requires_grad=False)  # names the device

    def forward(self, x):
        return self.native(x)


def test_data_folder():
    folder = os.environ.get("NAMID_TEST_DATA")
    if not folder:
        raise SystemExit("peers: set NAMID_TEST_DATA to the folder with mnist/ and models/")
    return pathlib.Path(folder)


def known_model(name):
    """One of the third-party MNIST networks below NAMID_TEST_DATA."""
    model, file = LeNet5(), f"{name}.pt"
    if name == "convex_mnist":
        model, file = convex_net(), f"{name}.pth"
    state = torch.load(test_data_folder() / "models" / file, map_location="cpu", weights_only=True)
    model.load_state_dict(state)
    return model


def load_model(name, engine=False):
    """In eval mode, no parameter requires a gradient. engine: compiled by namid."""
    known = name in RADII
    model = known_model(name) if known else namid.models.load(name)
    if engine:
        model = namid.compile(model, MNIST_SHAPE if known else None)
        if not hasattr(model, "kernels"):
            raise SystemExit(f"peers: namid cannot compile {name}; leave --engine out")
    return (NativeModel(model) if engine or not known else model).eval().requires_grad_(False)


def radii(name):
    return RADII.get(name, COLOUR_RADII)


def load_images(name, data, count):
    """The first `count` test images in [0,1] and their labels."""
    folder = data or (test_data_folder() / "mnist" if name in RADII else None)
    if folder is None:
        raise SystemExit(f"peers: --model {name} needs --data FOLDER")
    batch = namid.data.load(folder, part="test", test_limit=count).batch()
    return batch.x, batch.y
