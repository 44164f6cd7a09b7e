# SPDX-License-Identifier: Apache-2.0
"""Mutual information of correlated Gaussians, where the truth is known: a separable critic in plain
PyTorch, trained with one of namid's bounds, read on held-out pairs.

    python mi_of_gaussians.py [--steps 600]

A lower bound that holds stays below the truth on average. Row-wise Donsker-Varadhan is none: its
value is a score, and may lie above."""

import argparse

import torch

from namid import mi

parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
parser.add_argument("--steps", type=int, default=600)
parser.add_argument("--batch", type=int, default=128)
arguments = parser.parse_args()
DIMENSION, HIDDEN = 4, 64


def side():
    return torch.nn.Sequential(
        torch.nn.Linear(DIMENSION, HIDDEN), torch.nn.ReLU(), torch.nn.Linear(HIDDEN, 32)
    )


def train(bound, information):
    """The critic (g, h) of scores u[i, j] = <g(y_i), h(x_j)> that maximises the bound."""
    torch.manual_seed(0)
    g, h = side(), side()
    optimizer = torch.optim.Adam([*g.parameters(), *h.parameters()], lr=3e-3)
    for step in range(arguments.steps):
        first = step * arguments.batch  # new pairs at each step
        pairs = mi.known(
            arguments.batch, dimension=DIMENSION, information=information, first_id=first
        )
        loss = bound(mi.score_tensor(g(pairs.y), h(pairs.x).unsqueeze(2))).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return g, h


kinds = {info.name: info.kind for info in mi.table()}
for information in (0.5, 1.0):
    held_out = mi.known(1024, dimension=DIMENSION, information=information, seed=1)
    for name, bound in {"info-nce": mi.info_nce, "nwj": mi.nwj, "dv": mi.dv}.items():
        g, h = train(bound, information)
        with torch.no_grad():
            value = -bound(mi.score_tensor(g(held_out.y), h(held_out.x).unsqueeze(2))).mean().item()
        what = "lower bound" if kinds[name] == "lower" else "score"
        print(f"true {held_out.information:.3f} nats, {name}: {value:.3f} ({what})")
