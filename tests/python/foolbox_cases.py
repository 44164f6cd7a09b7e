# SPDX-License-Identifier: Apache-2.0
"""A case on which foolbox and namid's interface of it are compared."""

import inspect

import numpy as np
import pytest
import torch

import namid.compat.foolbox as fb


def peer_or_skip():
    return pytest.importorskip("foolbox", reason="foolbox is not installed")


def case_of(bounds=(0, 1), dtype=torch.float32):
    """A small net that gives random images all its classes, images within the bounds, and labels,
    the first of which it gets wrong. In float64 rounding turns no decision."""
    torch.manual_seed(3)
    first, last = torch.nn.Linear(48, 16), torch.nn.Linear(16, 5, bias=False)
    with torch.no_grad():
        first.bias.copy_(-first.weight.sum(1) * sum(bounds) / 2)
        last.weight.mul_(4)
    model = torch.nn.Sequential(torch.nn.Flatten(), first, torch.nn.Tanh(), last).eval()
    x = torch.rand(6, 3, 4, 4) * (bounds[1] - bounds[0]) + bounds[0]
    y = model(x).argmax(1)
    y[0] = (y[0] + 1) % 5
    return model.to(dtype), x.to(dtype), y


def under_one_seed(call, bounds=(0, 1), dtype=torch.float32):
    """What `call(library, its model, x, y)` gives with the library and with namid."""
    model, x, y = case_of(bounds, dtype)
    found = []
    for library in (peer_or_skip(), fb):
        torch.manual_seed(5)
        np.random.seed(5)
        found.append(call(library, library.PyTorchModel(model, bounds=bounds), x, y))
    return found


def same(theirs, ours, atol=2e-6):
    torch.testing.assert_close(ours, theirs, rtol=0, atol=atol)


def assert_signature_is_the_librarys(name):
    """Of the class, and of `run` up to its keywords."""

    def rows(call):
        return [(p.name, p.default, p.kind) for p in inspect.signature(call).parameters.values()]

    ours, theirs = getattr(fb.attacks, name), getattr(peer_or_skip().attacks, name)
    assert rows(ours) == rows(theirs)
    assert rows(ours.run)[:4] == rows(theirs.run)[:4]


class Counted(torch.nn.Module):
    """A model that counts the images it is asked about."""

    def __init__(self, model):
        super().__init__()
        self.model, self.images = model, 0

    def forward(self, x):
        self.images += len(x)
        return self.model(x)
