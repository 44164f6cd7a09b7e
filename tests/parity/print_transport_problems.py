# SPDX-License-Identifier: Apache-2.0
"""Prints tests/attacks/transport_problems.inc: projections of plans under all constraints and
entropic projections of images, as convex programmes over the moves, by scipy.optimize (SLSQP).

A plan of an image of R x C pixels with window 3 is written as R*C*9 numbers, the neighbours of a
pixel in order of their rows; moves out of the image are 0."""

import numpy as np
from scipy.optimize import minimize


class Moves:
    """The moves inside the image: their places in the plan, sources, destinations and costs."""

    def __init__(self, rows, columns):
        found = []
        for p in range(rows * columns):
            for k in range(9):
                down, right = k // 3 - 1, k % 3 - 1
                r, c = p // columns + down, p % columns + right
                if 0 <= r < rows and 0 <= c < columns:
                    found.append((9 * p + k, p, r * columns + c, np.hypot(down, right)))
        self.place, self.source, self.target = (np.array([m[i] for m in found]) for i in range(3))
        self.cost = np.array([m[3] for m in found])
        self.pixels = rows * columns

    def sums(self, at):
        matrix = np.zeros((self.pixels, len(at)))
        matrix[at, np.arange(len(at))] = 1
        return matrix


def solve(objective, gradient, start, moves, x, limit, full=False, low=0.0):
    out, into = moves.sums(moves.source), moves.sums(moves.target)
    constraints = [
        {"type": "eq", "fun": lambda p: out @ p - x, "jac": lambda p: out},
        {"type": "ineq", "fun": lambda p: np.array([limit - moves.cost @ p]),
         "jac": lambda p: -moves.cost[None]},
    ]
    if full:
        constraints.append({"type": "ineq", "fun": lambda p: 1 - into @ p, "jac": lambda p: -into})
    found = minimize(objective, start, jac=gradient, bounds=[(low, 1)] * len(start),
                     constraints=constraints, method="SLSQP",
                     options={"ftol": 1e-15, "maxiter": 3000})
    assert found.success or found.status == 8, found
    return found.x


def numbers(name, values):
    print(f"const std::vector<double> {name}{{")
    for value in values:
        print(f"    {float(value)!r},")
    print("};")


def capacity():
    moves = Moves(2, 3)
    x = np.array([0.9, 0.2, 0.95, 0.7, 1.0, 0.1])
    plan = np.zeros(54)
    plan[9 * np.arange(6) + 4] = x
    plan = (plan.astype(np.float32) + (0.5 * np.sin(np.arange(54) * 1.3)).astype(np.float32))
    v = plan[moves.place].astype(float)
    start = np.where(moves.cost == 0, x[moves.source], 0.0)
    # The looser the cost, the more pixels are full.
    for name, limit in (("Tight", 0.3), ("Loose", 2.0)):
        p = solve(lambda p: 0.5 * np.sum((p - v) ** 2), lambda p: p - v, start, moves, x, limit, True)
        print(f"// {name}: cost {moves.cost @ p:.6f}")
        numbers(f"kCapacity{name}", moves.sums(moves.target) @ p)


def entropic():
    moves = Moves(2, 3)
    x = np.array([0.9, 0.2, 0.95, 0.7, 0.5, 0.1])
    y = x + 0.4 * np.sin(np.arange(6) * 2.0)
    mass, weight, limit = x.sum(), 50.0, 0.2
    x, y = x / mass, y / mass
    into = moves.sums(moves.target)

    def objective(p):
        return weight / 2 * np.sum((y - into @ p) ** 2) + np.sum(p * np.log(p))

    def gradient(p):
        return -weight * into.T @ (y - into @ p) + np.log(p) + 1

    start = np.where(moves.cost == 0, 0.97, 0.03 / 3) * x[moves.source]
    p = solve(objective, gradient, start, moves, x, limit, low=1e-9)
    print(f"// Cost {moves.cost @ p:.8f}.")
    print(f"constexpr double kEntropicObjective = {float(objective(p))!r};")
    numbers("kEntropicImage", into @ p)


print("// Printed by tests/parity/print_transport_problems.py; capacity_test.cpp and sinkhorn_test.cpp use it.")
capacity()
entropic()
