# SPDX-License-Identifier: Apache-2.0
"""A small vision transformer on the data set that ships with namid, to be made a program:

    python -m namid.export examples/vit.py:trained --input 1,28,28 -o vit.pt2
    namid evaluate vit.pt2 --epsilon 0.1 --suite autoattack
"""

import gzip
import pathlib

import torch
from torch import nn
from torch.nn import functional as F

DATA = pathlib.Path(__file__).resolve().parents[1] / "data" / "fashion-mnist-mini"


class Block(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.norm1, self.qkv, self.out = nn.LayerNorm(width), nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.norm2, self.up, self.down = nn.LayerNorm(width), nn.Linear(width, 2 * width), nn.Linear(2 * width, width)
        self.heads = heads

    def forward(self, x):
        n, length, width = x.shape
        parts = self.qkv(self.norm1(x)).view(n, length, 3, self.heads, width // self.heads).permute(2, 0, 3, 1, 4)
        attention = F.scaled_dot_product_attention(*parts.unbind(0))
        x = x + self.out(attention.transpose(1, 2).reshape(n, length, width))
        return x + self.down(F.gelu(self.up(self.norm2(x))))


class ViT(nn.Module):
    """Patches of 7x7, a class token, learnt positions."""

    def __init__(self, width=48, depth=3, heads=4):
        super().__init__()
        self.patches, self.token = nn.Conv2d(1, width, 7, 7), nn.Parameter(torch.zeros(1, 1, width))
        self.positions = nn.Parameter(0.02 * torch.randn(1, 17, width))
        self.blocks = nn.Sequential(*(Block(width, heads) for _ in range(depth)))
        self.head = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, 10))

    def forward(self, x):
        x = self.patches(x).flatten(2).transpose(1, 2)
        x = torch.cat([self.token.expand(x.shape[0], -1, -1), x], 1) + self.positions
        return self.head(self.blocks(x)[:, 0])


def read(name, offset):
    return torch.frombuffer(bytearray(gzip.open(DATA / name).read()[offset:]), dtype=torch.uint8)


def trained(epochs=4):
    """A ViT after a short training on natural images; about ten seconds."""
    torch.manual_seed(0)
    x = read("train-images-idx3-ubyte.gz", 16).view(-1, 1, 28, 28).float() / 255
    y = read("train-labels-idx1-ubyte.gz", 8).long()
    model = ViT()
    optimizer = torch.optim.AdamW(model.parameters(), 2e-3)
    for _ in range(epochs):
        for rows in torch.randperm(len(x)).split(128):
            optimizer.zero_grad()
            F.cross_entropy(model(x[rows]), y[rows]).backward()
            optimizer.step()
    return model
