# SPDX-License-Identifier: Apache-2.0
"""The other side of the paired benchmark: the same steps in plain eager PyTorch.

Same protocol as worker.cpp: eager.py WEIGHTS.safetensors CIFAR10_FOLDER BATCH THREADS; one task a line on
stdin, one JSON line back. Network, attack and training step are written as their papers state them.
"""

import json
import pathlib
import sys
import time

import numpy
import torch
from safetensors.torch import load_file
from torch import nn
from torch.nn import functional

EPSILON = 8 / 255


class BasicBlock(nn.Module):
    def __init__(self, in_channels, channels, stride):
        super().__init__()
        self.conv1 = nn.Conv2d(in_channels, channels, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels)
        self.shortcut = nn.Sequential()
        if stride != 1 or in_channels != channels:
            self.shortcut = nn.Sequential(
                nn.Conv2d(in_channels, channels, 1, stride, bias=False), nn.BatchNorm2d(channels)
            )

    def forward(self, x):
        out = functional.relu(self.bn1(self.conv1(x)))
        return functional.relu(self.bn2(self.conv2(out)) + self.shortcut(x))


class ResNet18(nn.Module):
    def __init__(self, classes=10):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 64, 3, 1, 0, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        widths = [64, 64, 128, 256, 512]
        for stage in range(1, 5):
            stride = 1 if stage == 1 else 2
            blocks = [BasicBlock(widths[stage - 1], widths[stage], stride)]
            blocks.append(BasicBlock(widths[stage], widths[stage], 1))
            setattr(self, f"layer{stage}", nn.Sequential(*blocks))
        self.linear = nn.Linear(512, classes)

    def forward(self, x):
        x = functional.relu(self.bn1(self.conv1(x)))
        x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        return self.linear(functional.adaptive_avg_pool2d(x, 1).flatten(1))


def pgd(model, x, y, steps, counts):
    model.eval()
    x_adv = (x + EPSILON * (2 * torch.rand_like(x) - 1)).clamp(0, 1)
    for _ in range(steps):
        x_adv.requires_grad_()
        loss = functional.cross_entropy(model(x_adv), y)
        (gradient,) = torch.autograd.grad(loss, x_adv)
        counts["forwards"] += 1
        counts["backwards"] += 1
        with torch.no_grad():
            x_adv = x_adv + EPSILON / 4 * gradient.sign()
            x_adv = torch.min(torch.max(x_adv, x - EPSILON), x + EPSILON).clamp(0, 1)
    return x_adv.detach()


class Worker:
    def __init__(self, weights, folder, batch):
        self.model = ResNet18()
        self.model.load_state_dict(load_file(weights))
        records = numpy.fromfile(pathlib.Path(folder) / "data_batch_1.bin", numpy.uint8)
        records = records.reshape(-1, 3073)[:1000]
        self.images = torch.from_numpy(records[:, 1:].reshape(-1, 3, 32, 32).copy()).float() / 255
        self.labels = torch.from_numpy(records[:, 0].astype(numpy.int64))
        self.batch, self.next = batch, 0
        self.optimizer = torch.optim.SGD(
            self.model.parameters(), 0.01, momentum=0.9, weight_decay=2e-4
        )

    def next_batch(self):
        rows = slice(self.next, self.next + self.batch)
        self.next = (self.next + self.batch) % (len(self.labels) - self.batch)
        return self.images[rows], self.labels[rows]

    def train_step(self):
        x, y = self.next_batch()
        counts = {"forwards": 0, "backwards": 0}
        begin = time.perf_counter()
        x_adv = pgd(self.model, x, y, 10, counts)
        self.model.train()
        self.optimizer.zero_grad()
        loss = functional.cross_entropy(self.model(x_adv), y)
        loss.backward()
        self.optimizer.step()
        value = loss.item()
        seconds = time.perf_counter() - begin
        return {
            "seconds": seconds,
            "forwards": counts["forwards"] + 1,
            "backwards": counts["backwards"] + 1,
            "loss": value,
        }

    def evaluate(self):
        x, y = self.next_batch()
        counts = {"forwards": 0, "backwards": 0}
        begin = time.perf_counter()
        x_adv = pgd(self.model, x, y, 40, counts)
        with torch.no_grad():
            logits = self.model(x_adv)
        accuracy = (logits.argmax(1) == y).float().mean().item()
        seconds = time.perf_counter() - begin
        counts["forwards"] += 1
        loss = functional.cross_entropy(logits, y).item()
        return {"seconds": seconds, **counts, "loss": loss, "accuracy": accuracy}


def main():
    weights, folder, batch, threads = sys.argv[1:]
    torch.set_num_threads(int(threads))
    worker = Worker(weights, folder, int(batch))
    print(json.dumps({"channels_last": False}), flush=True)
    for task in sys.stdin:
        print(json.dumps(getattr(worker, task.strip())()), flush=True)


if __name__ == "__main__":
    main()
