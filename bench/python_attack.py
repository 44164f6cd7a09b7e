# SPDX-License-Identifier: Apache-2.0
"""Paired benchmark of the Python package: PGD on an nn.Module by namid, and the same loop in plain
PyTorch, taking turns in one process.

    PYTHONPATH=build/release/python bench/python_attack.py [--pairs 7] [--batch 64] [--steps 40]

The network is a ResNet-18 for CIFAR-10, written here; both sides attack the same images from x
itself, L-inf 8/255, step epsilon / 4, last point, parameters without gradients. The plain loop does
what namid does: a forward and a backward per step and a last forward for the verdict. Printed: the
medians, and the median of the ratios namid / plain with a 95 % bootstrap interval; 1.03 is 3 % more
time. The points that both end at are compared first."""

import argparse
import statistics
import time

import numpy
import torch
from torch import nn

import namid


class Block(nn.Module):
    def __init__(self, planes_in, planes, stride):
        super().__init__()
        self.conv1 = nn.Conv2d(planes_in, planes, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(planes)
        self.conv2 = nn.Conv2d(planes, planes, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(planes)
        self.shortcut = nn.Sequential()
        if stride != 1 or planes_in != planes:
            self.shortcut = nn.Sequential(
                nn.Conv2d(planes_in, planes, 1, stride, bias=False), nn.BatchNorm2d(planes)
            )

    def forward(self, x):
        y = self.bn2(self.conv2(torch.relu(self.bn1(self.conv1(x)))))
        return torch.relu(y + self.shortcut(x))


def resnet18(width):
    layers, planes_in = (
        [nn.Conv2d(3, width, 3, 1, 1, bias=False), nn.BatchNorm2d(width), nn.ReLU()],
        width,
    )
    for planes, stride in ((width, 1), (2 * width, 2), (4 * width, 2), (8 * width, 2)):
        layers += [Block(planes_in, planes, stride), Block(planes, planes, 1)]
        planes_in = planes
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(planes_in, 10))


def plain(model, x, y, epsilon, steps):
    x_adv = x.clone()
    for _ in range(steps):
        x_adv.requires_grad_(True)
        loss = nn.functional.cross_entropy(model(x_adv), y, reduction="sum")
        (gradient,) = torch.autograd.grad(loss, x_adv)
        x_adv = x_adv.detach() + epsilon / 4 * gradient.sign()
        x_adv = torch.minimum(torch.maximum(x_adv, x - epsilon), x + epsilon).clamp(0, 1)
    with torch.no_grad():
        return x_adv, model(x_adv).argmax(1) != y


def timed(work, clock):
    start = clock()
    result = work()
    return clock() - start, result


parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
parser.add_argument("--pairs", type=int, default=7)
parser.add_argument("--batch", type=int, default=64)
parser.add_argument("--steps", type=int, default=40)
parser.add_argument("--width", type=int, default=64)
parser.add_argument("--threads", type=int, default=0)
parser.add_argument(
    "--clock",
    choices=("wall", "cpu"),
    default="wall",
    help="cpu: time that the process computed, where others keep the machine busy",
)
arguments = parser.parse_args()
if arguments.threads:
    torch.set_num_threads(arguments.threads)
torch.manual_seed(0)
model = resnet18(arguments.width).eval().requires_grad_(False)
x, y = torch.rand(arguments.batch, 3, 32, 32), torch.randint(10, (arguments.batch,))
epsilon, steps = 8 / 255, arguments.steps
attack = {"epsilon": epsilon, "steps": steps, "start": "none", "judge": "last"}
SIDES = {
    "namid": lambda: namid.attacks.pgd(model, x, y, **attack),
    "plain": lambda: plain(model, x, y, epsilon, steps),
}
ends = SIDES["namid"]().adv, SIDES["plain"]()[0]  # also the warm-up
differ = ((ends[0] - ends[1]).abs() > 1e-6).float().mean()
print(f"entries that differ by more than 1e-6: {differ:.2%}")
clock = time.process_time if arguments.clock == "cpu" else time.perf_counter
seconds = {name: [] for name in SIDES}
for pair in range(arguments.pairs):
    for name in sorted(SIDES, reverse=bool(pair % 2)):
        seconds[name].append(timed(SIDES[name], clock)[0])
ratios = [a / b for a, b in zip(seconds["namid"], seconds["plain"])]
draws = numpy.random.default_rng(0).choice(ratios, (10000, len(ratios)))
low, high = numpy.quantile(numpy.median(draws, axis=1), [0.025, 0.975])
for name, values in seconds.items():
    print(f"{name}: median {statistics.median(values):.3f} s ({arguments.clock}) of {len(values)}")
print(f"namid / plain: median {statistics.median(ratios):.4f} [{low:.4f}, {high:.4f}]")
