# SPDX-License-Identifier: Apache-2.0
"""ResNet-18 for CIFAR-10 in plain PyTorch, with the names of namid's networks."""

from torch import nn
from torch.nn import functional


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


# Padding of the stem: the usual CIFAR form has images of 32, 16, 8 and 4 pixels, NAMID's released code 30, 15, 8 and 4.
PADDING = {"resnet18-cifar": 1, "resnet18": 0}


class ResNet18(nn.Module):
    def __init__(self, classes=10, width=64, network="resnet18"):
        super().__init__()
        self.conv1 = nn.Conv2d(3, width, 3, 1, PADDING[network], bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        widths = [width, width, 2 * width, 4 * width, 8 * width]
        for stage in range(1, 5):
            stride = 1 if stage == 1 else 2
            blocks = [BasicBlock(widths[stage - 1], widths[stage], stride)]
            blocks.append(BasicBlock(widths[stage], widths[stage], 1))
            setattr(self, f"layer{stage}", nn.Sequential(*blocks))
        self.linear = nn.Linear(8 * width, classes)

    def forward(self, x):
        x = functional.relu(self.bn1(self.conv1(x)))
        x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        return self.linear(functional.adaptive_avg_pool2d(x, 1).flatten(1))
