# SPDX-License-Identifier: Apache-2.0
"""Models that hide their gradients in one known way each, trained on the embedded data set and written as
the files that `namid masking` reads."""

import gzip
import pathlib
import struct

import torch
from torch import nn
from torch.nn import functional as F

ROOT = pathlib.Path(__file__).parent.parent


def _idx(name):
    raw = gzip.decompress((ROOT / "data/fashion-mnist-mini" / name).read_bytes())
    sizes = struct.unpack(f">{raw[3]}i", raw[4 : 4 + 4 * raw[3]])
    return torch.frombuffer(bytearray(raw[4 + 4 * raw[3] :]), dtype=torch.uint8).view(sizes)


def training_images():
    x = _idx("train-images-idx3-ubyte.gz").unsqueeze(1).float() / 255
    return x, _idx("train-labels-idx1-ubyte.gz").long()


class StraightThrough(torch.autograd.Function):
    """Rounds to `levels` steps; the gradient passes as if it did not. For training alone: what is exported
    rounds by torch.round, whose gradient is 0."""

    @staticmethod
    def forward(ctx, x, levels):
        return torch.round(x * levels) / levels

    @staticmethod
    def backward(ctx, gradient):
        return gradient, None


def rounded(x, levels, training: bool):
    return StraightThrough.apply(x, levels) if training else torch.round(x * levels) / levels


class Net(nn.Module):
    """conv, conv, linear, linear, with BatchNorm."""

    def __init__(self, width=8):
        super().__init__()
        self.conv1, self.conv2 = nn.Conv2d(1, width, 3, padding=1), nn.Conv2d(width, 2 * width, 3, padding=1)
        self.norm1, self.norm2 = nn.BatchNorm2d(width), nn.BatchNorm2d(2 * width)
        self.linear1, self.linear2 = nn.Linear(2 * width * 49, 64), nn.Linear(64, 10)

    def activation(self, x):
        return F.relu(x)

    def forward(self, x):
        x = F.max_pool2d(self.activation(self.norm1(self.conv1(x))), 2)
        x = F.max_pool2d(self.activation(self.norm2(self.conv2(x))), 2)
        return self.linear2(F.relu(self.linear1(x.flatten(1))))


class LogitsTimes1000(Net):
    def forward(self, x):
        return super().forward(x) if self.training else 1000 * super().forward(x)


class QuantisedInput(Net):
    """Images in 6 grey levels."""

    def forward(self, x):
        return super().forward(rounded(x, 5, self.training))


class ZeroGradientActivation(Net):
    """Activations of 3 levels."""

    def activation(self, x):
        return rounded(x.clamp(0, 1), 2, self.training)


class SoftmaxOutput(Net):
    def forward(self, x):
        z = super().forward(x)
        return z if self.training else F.softmax(z, 1)


class RandomResize(Net):
    """Resized to 20 to 28 rows and columns, padded at random to 28 (Xie et al. 2018, arXiv:1711.01991)."""

    def forward(self, x):
        size = int(torch.randint(20, 29, (1,)).item())
        top = int(torch.randint(0, 29 - size, (1,)).item())
        left = int(torch.randint(0, 29 - size, (1,)).item())
        x = F.interpolate(x, size=[size, size], mode="bilinear", align_corners=False)
        x = F.pad(x, [left, 28 - size - left, top, 28 - size - top])
        x = F.max_pool2d(F.relu(self.norm1(self.conv1(x))), 2)
        x = F.max_pool2d(F.relu(self.norm2(self.conv2(x))), 2)
        return self.linear2(F.relu(self.linear1(x.flatten(1))))


def train(model, epochs=4, batch=50, images=3000):
    x, y = (part[:images] for part in training_images())
    generator = torch.Generator().manual_seed(0)
    optimiser = torch.optim.Adam(model.parameters(), lr=2e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 4e-3, epochs * (len(x) // batch))
    model.train()
    for _ in range(epochs):
        for rows in torch.randperm(len(x), generator=generator).view(-1, batch):
            optimiser.zero_grad()
            F.cross_entropy(model(x[rows]), y[rows]).backward()
            optimiser.step()
            schedule.step()
    return model.eval()


def export(model, path):
    batch = ({0: torch.export.Dim("batch")},)
    torch.export.save(torch.export.export(model, (torch.rand(4, 1, 28, 28),), dynamic_shapes=batch), str(path))
    return path


def script(model, path):
    torch.jit.save(torch.jit.script(model), str(path))
    return path


def trace_in_train_mode(model, path):
    """What happens where model.eval() is forgotten before an export."""
    torch.jit.save(torch.jit.trace(model.train(), torch.rand(4, 1, 28, 28), check_trace=False), str(path))
    return path


def write(folder):
    """Name -> file of the six, in their order."""
    folder = pathlib.Path(folder)
    made = {}
    for name, net, save in (
        ("logits x 1000", LogitsTimes1000, export),
        ("quantised input", QuantisedInput, export),
        ("random resize", RandomResize, script),
        ("train-mode BatchNorm", Net, trace_in_train_mode),
        ("zero-gradient activation", ZeroGradientActivation, export),
        ("softmax output", SoftmaxOutput, export),
    ):
        torch.manual_seed(0)
        suffix = ".pt2" if save is export else ".pt"
        made[name] = save(train(net()), folder / (name.replace(" ", "_") + suffix))
    return made
