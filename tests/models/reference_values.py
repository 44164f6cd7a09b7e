# SPDX-License-Identifier: Apache-2.0
"""Prints the values of reference_values.h: tiny formula-filled networks, written in PyTorch from
their papers, independently of the C++ ones. Run: python tests/models/reference_values.py"""
import math

import torch
from torch import nn
from torch.nn import functional as F


def fill(net):
    net.double()
    for j, (name, p) in enumerate(net.named_parameters()):
        v = torch.sin(0.37 * torch.arange(p.numel(), dtype=torch.float64) + j).view_as(p)
        if p.dim() == 1:
            v = (1.0 if name.endswith("weight") else 0.0) + 0.1 * v
        else:
            v = v * math.sqrt(2 / (p.numel() / p.size(0)))
        p.data.copy_(v)
    return net


def wave(*shape):
    n = torch.arange(math.prod(shape), dtype=torch.float64)
    return (0.5 + 0.5 * torch.sin(0.013 * n)).view(shape)


def conv(i, o, k, s=1, p=0):
    return nn.Conv2d(i, o, k, s, p, bias=False)


class Wide(nn.Module):
    def __init__(self, i, o, s):
        super().__init__()
        self.bn1, self.conv1 = nn.BatchNorm2d(i), conv(i, o, 3, s, 1)
        self.bn2, self.conv2 = nn.BatchNorm2d(o), conv(o, o, 3, 1, 1)
        self.convShortcut = conv(i, o, 1, s) if i != o else None

    def forward(self, x):
        a = F.relu(self.bn1(x))
        out = self.conv2(F.relu(self.bn2(self.conv1(a))))
        return out + (x if self.convShortcut is None else self.convShortcut(a))


class WideResNet(nn.Module):
    def __init__(self, n, w, classes):
        super().__init__()
        self.conv1 = conv(3, 16, 3, 1, 1)
        widths = [16, 16 * w, 32 * w, 64 * w]
        for g in range(3):
            blocks = [Wide(widths[g] if b == 0 else widths[g + 1], widths[g + 1], 2 if g and b == 0 else 1)
                      for b in range(n)]
            setattr(self, f"block{g + 1}", nn.Sequential(*blocks))
        self.bn1, self.fc = nn.BatchNorm2d(widths[3]), nn.Linear(widths[3], classes)

    def forward(self, x):
        h = self.block3(self.block2(self.block1(self.conv1(x))))
        return self.fc(F.avg_pool2d(F.relu(self.bn1(h)), 8).flatten(1))


class Preact(nn.Module):
    def __init__(self, i, o, s):
        super().__init__()
        self.bn1, self.conv1 = nn.BatchNorm2d(i), conv(i, o, 3, s, 1)
        self.bn2, self.conv2 = nn.BatchNorm2d(o), conv(o, o, 3, 1, 1)
        self.shortcut = nn.Sequential(conv(i, o, 1, s)) if s != 1 or i != o else None

    def forward(self, x):
        a = F.relu(self.bn1(x))
        skip = x if self.shortcut is None else self.shortcut(a)
        return skip + self.conv2(F.relu(self.bn2(self.conv1(a))))


def preact_resnet18(w, classes):
    layers, i = [conv(3, w, 3, 1, 1)], w
    for stage in range(4):
        o = w << stage
        layers.append(nn.Sequential(Preact(i, o, 2 if stage else 1), Preact(o, o, 1)))
        i = o
    return nn.Sequential(*layers, nn.BatchNorm2d(i), nn.ReLU(), nn.AvgPool2d(4), nn.Flatten(),
                         nn.Linear(i, classes))


class Bottleneck(nn.Module):
    def __init__(self, i, w, s):
        super().__init__()
        self.conv1, self.bn1 = conv(i, w, 1), nn.BatchNorm2d(w)
        self.conv2, self.bn2 = conv(w, w, 3, s, 1), nn.BatchNorm2d(w)
        self.conv3, self.bn3 = conv(w, 4 * w, 1), nn.BatchNorm2d(4 * w)
        self.shortcut = nn.Sequential()
        if s != 1 or i != 4 * w:
            self.shortcut = nn.Sequential(conv(i, 4 * w, 1, s), nn.BatchNorm2d(4 * w))

    def forward(self, x):
        h = F.relu(self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x))))))
        return F.relu(self.bn3(self.conv3(h)) + self.shortcut(x))


def resnet50(w, classes):
    layers, i = [conv(3, w, 3, 1, 0), nn.BatchNorm2d(w), nn.ReLU()], w
    for stage, count in enumerate([3, 4, 6, 3]):
        blocks = []
        for b in range(count):
            blocks.append(Bottleneck(i, w << stage, 2 if stage and b == 0 else 1))
            i = 4 * (w << stage)
        layers.append(nn.Sequential(*blocks))
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(i, classes))


def vgg11(w, classes):
    layers, i = [], 3
    for m in [1, "m", 2, "m", 4, 4, "m", 8, 8, "m", 8, 8, "m"]:
        if m == "m":
            layers.append(nn.MaxPool2d(2, 2))
        else:
            layers += [nn.Conv2d(i, m * w, 3, 1, 1), nn.BatchNorm2d(m * w), nn.ReLU()]
            i = m * w
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(i, classes))


class Global(nn.Module):
    def __init__(self, nonlinear, shortcut, units):
        super().__init__()
        self.block_nonlinear = nn.Sequential(*nonlinear)
        self.ln = nn.LayerNorm(units)
        self.linear_shortcut = nn.Sequential(*shortcut)

    def forward(self, x):
        h = self.block_nonlinear(x) + self.linear_shortcut(x)
        return self.ln(h.flatten(1))


def block(i, o):
    return [conv(i, o, 4, 2, 1), nn.BatchNorm2d(o), nn.ReLU()]


def internal(n, u):
    return Global(block(n, 2 * n) + block(2 * n, 4 * n) + block(4 * n, u) + [nn.Conv2d(u, u, 1)],
                  [conv(n, 4 * n, 4, 2), conv(4 * n, u, 3), conv(u, u, 1)], u)


def internal_last(n, u):
    return Global(block(n, 2 * n) + block(2 * n, u) + [nn.Conv2d(u, u, 1)],
                  [conv(n, u, 4), conv(u, u, 1)], u)


def show(name, net, x):
    fill(net)
    for mode in ("eval", "train"):
        net.train(mode == "train")
        with torch.no_grad():
            out = net(x)[-1].flatten()[:4]
        print(f"{name}_{mode}", " ".join(f"{v:.10f}" for v in out.tolist()))


if __name__ == "__main__":
    image = wave(3, 3, 32, 32)
    show("wideresnet_16_2", WideResNet(2, 2, 4), image)
    show("preactresnet18_w8", preact_resnet18(8, 4), image)
    show("resnet50_w4", resnet50(4, 4), image)
    show("vgg11_w8", vgg11(8, 4), image)
    show("internal_4_16", internal(4, 16), wave(3, 4, 8, 8))
    show("internal_last_4_16", internal_last(4, 16), wave(3, 4, 4, 4))
