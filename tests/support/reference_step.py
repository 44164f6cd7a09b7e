# SPDX-License-Identifier: Apache-2.0
"""Plain PyTorch for checks of one training step: networks, parts of the losses, comparison.

Written from the method's description alone and in float64: it shares nothing with the library. A
test writes a case (reference_step.h): a safetensors file with the inputs, the state of every
network before the step, and what the library made of them. A script builds the networks again,
computes the step and compares.
"""
import math
import sys

import torch
from safetensors import safe_open
from torch import nn


# Cases ----------------------------------------------------------------------------------------


def read_case(path):
    """(tensors, options) of a case: options are the file's metadata, all text."""
    with safe_open(path, "pt") as file:
        return {key: file.get_tensor(key) for key in file.keys()}, dict(file.metadata() or {})


def under(tensors, prefix):
    """The entries whose names start with `prefix`, without it."""
    return {key[len(prefix):]: value for key, value in tensors.items() if key.startswith(prefix)}


def with_state(network, state):
    """`network` in float64 and train mode with a state dict in which a tensor may have two names."""
    network.double().train()
    own = network.state_dict()
    network.load_state_dict({key: value for key, value in state.items() if key in own})
    return network


class Comparison:
    """Largest deviations by group, relative to each tensor's largest entry. A tensor that is zero
    but for rounding is measured against 1e-6 of the largest of its group, or against `at_least`."""

    def __init__(self):
        self.groups = {}

    def add(self, group, name, got, expected, at_least=0.0):
        assert got.shape == expected.shape, f"{name}: {tuple(got.shape)}, expected {tuple(expected.shape)}"
        got, expected = got.detach().double(), expected.detach().double()
        self.groups.setdefault(group, []).append(
            (name, (got - expected).abs().max().item(), max(expected.abs().max().item(), at_least)))

    def add_network(self, name, network, grads, after):
        """Gradients by parameter and the buffers after the step, as the library has them."""
        for key, parameter in network.named_parameters():
            grad = torch.zeros_like(parameter) if parameter.grad is None else parameter.grad
            self.add("gradients", f"{name}.{key}", grads[key], grad)
        for key, buffer in network.named_buffers():
            self.add("buffers", f"{name}.{key}", after[key], buffer)

    def holds(self, tolerance=1e-5):
        """Prints a line per group; whether there is something and no deviation is too large."""
        failed = False
        for group, rows in self.groups.items():
            floor = 1e-6 * max(largest for _, _, largest in rows)
            worst = max(((difference / max(largest, floor, 1e-300) if difference else 0.0), name)
                        for name, difference, largest in rows)
            print(f"{group}: {len(rows)} tensors, largest relative deviation {worst[0]:.2e} ({worst[1]})")
            failed = failed or not worst[0] <= tolerance
        return bool(self.groups) and not failed

    def finish(self, tolerance=1e-5):
        """`holds`, and ends the process with 1 where it does not."""
        sys.exit(0 if self.holds(tolerance) else 1)


def fill(module):
    """The formula weights: the j-th parameter is base + 0.1 sin(0.37 n + j) if it has one dimension
    (base 1 for a "weight", else 0), otherwise sin(0.37 n + j) sqrt(2 / fan-in)."""
    with torch.no_grad():
        for j, (name, parameter) in enumerate(module.named_parameters()):
            n = torch.arange(parameter.numel(), dtype=torch.float64)
            v = torch.sin(0.37 * n + j).view(parameter.shape)
            if parameter.dim() == 1:
                parameter.copy_((1 if name.endswith("weight") else 0) + 0.1 * v)
            else:
                parameter.copy_(v * math.sqrt(2 / (parameter.numel() / parameter.shape[0])))
    return module


# Networks of the estimators -------------------------------------------------------------------


def conv(inputs, outputs, kernel, stride=1, padding=0, bias=False):
    return nn.Conv2d(inputs, outputs, kernel, stride, padding, bias=bias)


def block(inputs, outputs, kernel=4, stride=2, padding=1):
    return [conv(inputs, outputs, kernel, stride, padding), nn.BatchNorm2d(outputs), nn.ReLU()]


class Permute(nn.Module):
    def __init__(self, *order):
        super().__init__()
        self.order = order

    def forward(self, x):
        return x.permute(*self.order)


def channel_norm(units):
    return nn.Sequential(Permute(0, 2, 3, 1), nn.LayerNorm(units), Permute(0, 3, 1, 2))


class Summed(nn.Module):
    """LayerNorm over channels of a nonlinear branch and a linear shortcut."""

    def summed(self, x):
        return self.block_ln(self.block_nonlinear(x) + self.linear_shortcut(x))

    def add_pointwise(self, inputs, units):
        self.block_nonlinear = nn.Sequential(*block(inputs, units, 1, 1, 0), conv(units, units, 1, bias=True))
        self.block_ln = channel_norm(units)
        self.linear_shortcut = conv(inputs, units, 1)


class LocalNet(Summed):
    """Local net: images -> (N, units, H/4, W/4)."""

    def __init__(self, channels, units):
        super().__init__()
        self.layer0 = nn.Sequential(*block(channels, 64))
        self.layer1 = nn.Sequential(*block(64, 128))
        self.add_pointwise(128, units)

    def forward(self, x):
        return self.summed(self.layer1(self.layer0(x)))


class LogitsNet(Summed):
    """Global net of the logits: (N, inputs) -> (N, units, 1, 1)."""

    def __init__(self, inputs, units):
        super().__init__()
        self.add_pointwise(inputs, units)

    def forward(self, x):
        return self.summed(x.view(*x.shape[:2], 1, 1) if x.dim() == 2 else x)


class InternalNet(Summed):
    """Global net of 8x8 maps (output of a ResNet's third stage)."""

    def __init__(self, inputs, units):
        super().__init__()
        self.block_nonlinear = nn.Sequential(*block(inputs, 2 * inputs), *block(2 * inputs, 4 * inputs),
                                             *block(4 * inputs, units), conv(units, units, 1, bias=True))
        self.block_ln = channel_norm(units)
        self.linear_shortcut = nn.Sequential(conv(inputs, 4 * inputs, 4, 2), conv(4 * inputs, units, 3),
                                             conv(units, units, 1))

    def forward(self, x):
        return self.summed(x)


class InternalLastNet(Summed):
    """Global net of 4x4 maps (output of a ResNet's fourth stage)."""

    def __init__(self, inputs, units):
        super().__init__()
        self.block_nonlinear = nn.Sequential(*block(inputs, 2 * inputs), *block(2 * inputs, units),
                                             conv(units, units, 1, bias=True))
        self.block_ln = channel_norm(units)
        self.linear_shortcut = nn.Sequential(conv(inputs, units, 4), conv(units, units, 1))

    def forward(self, x):
        return self.summed(x)


class Critic:
    """A local and a global net; `loss(former, output)` is l(former, .) per sample, one forward of
    each net."""

    def __init__(self, local_net, global_net, mask):
        self.local_net, self.global_net, self.mask = local_net, global_net, mask

    def loss(self, former, output):
        return dv_loss(self.global_net(output), self.local_net(former.detach()), self.mask)


# Parts of the losses --------------------------------------------------------------------------


def dv_loss(global_vectors, local_features, mask):
    """Row-wise Donsker-Varadhan loss (N): mean over locations of
    log sum_j exp u[i,j,k] - log(N-1) - u[i,i,k]; a sample's own score is left out of the sum
    (mask "exclude") or counts as 0 ("multiply")."""
    vectors, features = global_vectors.flatten(1), local_features.flatten(2)
    u = torch.einsum("iu,juk->ijk", vectors, features)
    n = u.shape[0]
    own = torch.eye(n, dtype=torch.bool).unsqueeze(2)
    rest = u.masked_fill(own, -math.inf) if mask == "exclude" else u * (~own).double()
    positive = torch.stack([u[i, i] for i in range(n)])
    return (rest.logsumexp(1) - math.log(n - 1) - positive).mean(1)


def labels(logits, rule):
    """The label that a model is taken to predict."""
    return (logits if rule == "argmax" else logits.softmax(0)).argmax(1)


def cosine(a, b):
    return (a * b).sum() / (a.norm().clamp_min(1e-8) * b.norm().clamp_min(1e-8))
