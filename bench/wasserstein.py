# SPDX-License-Identifier: Apache-2.0
"""The Wasserstein attacks of namid and of plain PyTorch, by turns in one process.

    PYTHONPATH=build/release/python python bench/wasserstein.py --data cifar-10-batches-bin

The plain side takes the steps of the published attacks as they are described: a plan of K² moves a
pixel, its column sums as the image, every multiplier by bisection with a sort of all rows (dual
projection) or a softmax of all rows (Frank-Wolfe) for each trial. Settings of both sides are equal
(overfull pixels are clipped, the last point counts, all samples stop a bisection together); how far their
images are apart is printed beside the times."""

import argparse
import math
import os
import statistics
import time

import eager
import torch
from paired import cpu_name, median_interval
from torch import nn

import namid

OUTSIDE = 1e6


class Moves:
    """Where the mass of each pixel may go, and at which cost."""

    def __init__(self, rows, columns, kernel):
        self.kernel, self.shape = kernel, (rows, columns)
        step = torch.arange(kernel) - kernel // 2
        down = step.repeat_interleave(kernel).view(1, -1)
        right = step.repeat(kernel).view(1, -1)
        row = torch.arange(rows).repeat_interleave(columns).view(-1, 1) + down
        column = torch.arange(columns).repeat(rows).view(-1, 1) + right
        outside = (row < 0) | (row >= rows) | (column < 0) | (column >= columns)
        distance = torch.hypot(down.float(), right.float()).expand(row.shape)
        self.cost = torch.where(outside, torch.tensor(OUTSIDE), distance)
        self.inside = ~outside
        self.target = (row % rows * columns + column % columns).flatten()

    def rest(self, x):
        plan = torch.zeros(*x.shape[:2], x[0, 0].numel(), self.kernel**2)
        plan[..., self.kernel // 2 * (self.kernel + 1)] = x.flatten(2)
        return plan

    def image(self, plan):
        sums = plan.new_zeros(*plan.shape[:3])
        sums = sums.index_add(2, self.target, plan.flatten(2))
        return sums.unflatten(2, self.shape)


def simplex(v, total):
    ordered = v.sort(-1, descending=True)[0]
    over = ordered.cumsum(-1) - total.unsqueeze(-1)
    rank = torch.arange(1, v.shape[-1] + 1)
    last = (ordered * rank > over).sum(-1, keepdim=True).clamp(min=1)
    return (v - over.gather(-1, last - 1) / last).clamp(min=0)


def bisected(high, excess, iterations, tolerance):
    low = torch.zeros_like(high)
    for _ in range(iterations):
        middle = (low + high) / 2
        over = excess(middle)
        low, high = torch.where(over > 0, middle, low), torch.where(over > 0, high, middle)
        if (over.abs() < tolerance).all() or (high - low).max() < tolerance:
            break
    return high


def largest(tensor):
    return tensor.abs().flatten(1).max(1)[0]


def per_row(value):
    return value.view(-1, 1, 1, 1)


def dual_projection(plan, x, moves, limit, iterations, tolerance):
    def at(value):
        return simplex(plan - per_row(value) * moves.cost, x)

    def excess(value):
        return (at(value) * moves.cost).flatten(1).sum(1) - limit

    return at(bisected(2 * largest(plan) + largest(x), excess, iterations, tolerance))


def oracle(gradient, x, moves, limit, gamma, iterations, tolerance):
    def at(value):
        score = (gradient - per_row(value) * moves.cost) / gamma
        score = score.masked_fill(~moves.inside, -math.inf)
        return torch.softmax(score, -1) * x.unsqueeze(-1)

    def excess(value):
        return (at(value) * moves.cost).flatten(1).sum(1) - limit

    reach = (x.unsqueeze(-1) * moves.cost * moves.inside).flatten(1).sum(1)
    high = (2 * largest(gradient) + gamma * (reach / limit).log()).clamp(min=0)
    return at(bisected(high, excess, iterations, tolerance))


def climb(model, x, y, options, step):
    moves = Moves(*x.shape[2:], options["kernel"])
    limit, mass = options["epsilon"] * x.flatten(1).sum(1), x.flatten(2)
    plan = moves.rest(x)
    for t in range(options["steps"]):
        plan.requires_grad_(True)
        logits = model(moves.image(plan).clamp(0, 1))
        loss = nn.functional.cross_entropy(logits, y, reduction="sum")
        (gradient,) = torch.autograd.grad(loss, plan)
        plan = plan.detach()
        gradient = gradient / (largest(gradient).view(-1, 1, 1, 1) + 1e-35)
        plan = step(plan, gradient, mass, moves, limit, t)
    return moves.image(plan).clamp(0, 1)


def plain_projection(model, x, y, options):
    def step(plan, gradient, mass, moves, limit, t):
        moved = plan + options["step_size"] * gradient
        return dual_projection(moved, mass, moves, limit, options["dual_iterations"], 1e-4)

    return climb(model, x, y, options, step)


def plain_frank_wolfe(model, x, y, options):
    def step(plan, gradient, mass, moves, limit, t):
        best = oracle(
            gradient, mass, moves, limit, options["gamma"], options["dual_iterations"], 1e-4
        )
        return plan + 2 / (t + 2) * (best - plan)

    return climb(model, x, y, options, step)


def of_namid(attack, **more):
    def run(model, x, y, options):
        return getattr(namid.attacks, attack)(model, x, y, **options, **more).adv

    return run


SAME = {"overflow": "clip", "judge": "last", "together": True}
ATTACKS = {
    "transport-pgd": (
        plain_projection,
        of_namid("transport_pgd", **SAME),
        {"epsilon": 8 / 255, "kernel": 4, "step_size": 0.007, "dual_iterations": 15},
    ),
    "transport-pgd, K 5": (
        plain_projection,
        of_namid("transport_pgd", **SAME),
        {"epsilon": 0.005, "kernel": 5, "step_size": 0.01, "dual_iterations": 25},
    ),
    "frank-wolfe": (
        plain_frank_wolfe,
        of_namid("frank_wolfe", **SAME),
        {"epsilon": 0.005, "kernel": 5, "gamma": 1e-3, "dual_iterations": 50},
    ),
}


def network(name, x):
    torch.manual_seed(0)
    if name in eager.PADDING:
        model = eager.ResNet18(network=name)
    else:
        model = nn.Sequential(
            *(nn.Conv2d(3, 32, 3, padding=1), nn.BatchNorm2d(32), nn.ReLU(), nn.MaxPool2d(2)),
            *(nn.Conv2d(32, 64, 3, padding=1), nn.BatchNorm2d(64), nn.ReLU(), nn.MaxPool2d(2)),
            *(nn.Flatten(), nn.Linear(4096, 128), nn.ReLU(), nn.Linear(128, 10)),
        )
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = None
    with torch.no_grad():
        model.train()(x)
    return model.eval().requires_grad_(False)


def timed(work, clock):
    start = clock()
    work()
    return clock() - start


def compare(name, model, attacked, x, y, options):
    plain, ours, settings = ATTACKS[name]
    settings = {**settings, "steps": options.steps}
    sides = {
        "namid": lambda: ours(attacked, x, y, settings),
        "plain": lambda: plain(model, x, y, settings),
    }
    seconds = {side: [] for side in sides}
    clock = time.perf_counter if options.clock == "wall" else time.process_time
    images = {side: work() for side, work in sides.items()}  # warm-up
    for pair in range(options.pairs):
        for side in list(sides) if pair % 2 == 0 else list(sides)[::-1]:
            seconds[side].append(timed(sides[side], clock))
    ratios = [plain / ours for plain, ours in zip(seconds["plain"], seconds["namid"])]
    low, high = median_interval(ratios)
    apart = (images["namid"] - images["plain"]).abs()
    with torch.no_grad():
        flags = sum((model(images["namid"]).argmax(1) != y) != (model(images["plain"]).argmax(1) != y))
    print(
        f"| {name} | {options.model} | {options.steps} | "
        f"{statistics.median(seconds['namid']):.3f} | {statistics.median(seconds['plain']):.3f} | "
        f"**{statistics.median(ratios):.2f}** [{low:.2f}, {high:.2f}] | "
        f"{apart.max():.1e} | {apart.mean():.1e} | {flags} |",
        flush=True,
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", required=True, help="CIFAR-10's folder, binary version")
    parser.add_argument("--model", choices=(*eager.PADDING, "small"), default="resnet18")
    parser.add_argument("--engine", action="store_true", help="namid attacks namid.compile(the module)")
    parser.add_argument("--attacks", default=";".join(ATTACKS), help="names, divided by ;")
    parser.add_argument("--pairs", type=int, default=7)
    parser.add_argument("--steps", type=int, default=10)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--clock", choices=("wall", "cpu"), default="wall")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    batch = namid.data.load(options.data, part="test", test_limit=options.batch).batch()
    model = network(options.model, batch.x)
    attacked = namid.compile(model, tuple(batch.x.shape[1:])) if options.engine else model
    print(f"batch {options.batch}, {options.threads} threads, {cpu_name()}\n")
    print(
        "| attack | network | steps | namid, s | plain, s | plain / namid | "
        "largest difference | mean difference | flags that differ |\n|---|---|---|---|---|---|---|---|---|"
    )
    for name in options.attacks.split(";"):
        compare(name, model, attacked, batch.x, batch.y, options)


if __name__ == "__main__":
    main()
