# SPDX-License-Identifier: Apache-2.0
"""One training step of a defence in plain PyTorch and float64, with every forward made literally.

usage: training_step.py CASE...
A case holds x, x_adv, y, the model's state ("model."), its gradients ("grad.") and state after
the step ("after."), the loss, the estimators ("natural.", "adversarial.") and MMA's margins, and
what else is to be compared ("dv."); its metadata holds the options.
"""
import math
import pathlib
import sys

import torch
from torch import nn
from torch.nn import functional as F

sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "support"))
import reference_step as rs  # noqa: E402


class SmallNet(nn.Module):
    def __init__(self, channels, width, side, classes):
        super().__init__()
        self.conv1 = nn.Conv2d(channels, width, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, 2 * width, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(2 * width)
        self.fc1 = nn.Linear(2 * width * (side // 4) ** 2, 4 * width)
        self.fc2 = nn.Linear(4 * width, classes)

    def forward(self, x):
        h = F.max_pool2d(F.relu(self.bn1(self.conv1(x))), 2)
        h = F.max_pool2d(F.relu(self.bn2(self.conv2(h))), 2)
        return self.fc2(F.relu(self.fc1(h.flatten(1))))


class LinearNet(nn.Module):
    def __init__(self, pixels, classes):
        super().__init__()
        self.weight = nn.Parameter(torch.empty(classes, pixels))

    def forward(self, x):
        return x.flatten(1) @ self.weight.t()


# Base losses: (h, x, x_adv, y, beta), with the forwards of the released code where `literal`. ----


def standard(h, x, x_adv, y, beta, literal):
    return F.cross_entropy(h(x_adv), y)


def trades(h, x, x_adv, y, beta, literal):
    z = h(x)
    log_q = F.log_softmax(h(x_adv), 1)
    p = F.softmax(h(x) if literal else z, 1)
    return F.cross_entropy(z, y) + beta / len(y) * (p * (p.log() - log_q)).sum()


def mart(h, x, x_adv, y, beta, literal):
    p, z_adv = F.softmax(h(x), 1), h(x_adv)
    q = F.softmax(z_adv, 1)
    order = q.argsort(1)
    second = torch.where(order[:, -1] == y, order[:, -2], order[:, -1])
    rows = torch.arange(len(y))
    bce = F.cross_entropy(z_adv, y) + F.nll_loss((1.0001 - q + 1e-12).log(), second)
    kl = (p * (p.log() - (q + 1e-12).log())).sum(1)
    return bce + beta / len(y) * (kl * (1.0000001 - p[rows, y])).sum()


def mma_reference(h, x, x_adv, y, beta, literal):
    z, z_adv = h(x), h(x_adv)
    right = z.argmax(1) == y
    total = sum(F.cross_entropy((z_adv if right[i] else z)[i:i + 1], y[i:i + 1]) for i in range(len(y)))
    return total / len(y)


BASES = {"standard": standard, "trades": trades, "mart": mart, "mma-reference": mma_reference,
         "namid": standard, "namid-t": trades, "namid-m": mart}


def mma(h, x, x_adv, y, margins, d_max, weight):
    z = h(x)
    z_adv = h(x_adv)
    total = 0
    for i in range(len(y)):
        others = torch.cat([z[i, :y[i]], z[i, y[i] + 1:]])
        inside = others.exp().sum().log() - z[i, y[i]] < 0
        if not inside or margins[i] < d_max:
            total = total + F.cross_entropy(z_adv[i:i + 1], y[i:i + 1])
    return (1 - weight) * total / len(y) + weight * F.cross_entropy(z, y)


# MI terms --------------------------------------------------------------------------------------


def critic(tensors, name, options):
    state = rs.under(tensors, name + ".")
    local, glob = rs.under(state, "local."), rs.under(state, "global.")
    units = local["linear_shortcut.weight"].shape[0]
    nets = (rs.with_state(rs.LocalNet(local["layer0.0.weight"].shape[1], units), local),
            rs.with_state(rs.LogitsNet(glob["linear_shortcut.weight"].shape[1], units), glob))
    for net in nets:
        net.eval()
    return rs.Critic(*nets, options["dv_mask"])


def cosine_term(a, b, selected):
    """|1 - S| of the vectors of losses, the others counting as zeros; none for a single sample."""
    if selected.sum() < 2:
        return 0 * a.sum()
    return (1 - rs.cosine(a * selected, b * selected)).abs()


def clamped(score, kind, rises, n):
    most = math.log(n - 1)
    if kind == "both":
        return score.clamp(0, most)
    if kind == "one-sided":
        return score.clamp(max=most) if rises else score.clamp(min=0)
    return score


def mi_loss(outputs, x, x_adv, selected, critics, options):
    """L_mi; `outputs`: (h(x), h(x_adv)) for the natural term and for the adversarial one."""
    lam, n, total = float(options["lambda"]), len(x), 0
    for name, former, (z, z_adv), rises in (("natural", x, outputs[0], True),
                                            ("adversarial", x_adv - x, outputs[1], False)):
        loss, loss_adv = critics[name].loss(former, z), critics[name].loss(former, z_adv)
        total = total + cosine_term(loss_adv, loss, selected)
        score = -(loss_adv * selected).sum() / selected.sum()
        total = total + (-lam if rises else lam) * clamped(score, options["lambda_clamp"], rises, n)
    return total


def namid(h, x, x_adv, y, critics, options, literal):
    select = lambda z, z_adv: ((rs.labels(z, options["selection"]) == y)
                               & (rs.labels(z_adv, options["selection"]) != y))
    if literal:
        z_ce = h(x_adv)
        base = F.cross_entropy(z_ce, y)
        z = h(x)
        selected = select(z, h(x_adv))
        if not selected.any():
            return base
        first, second = h(x), h(x_adv)
        third, fourth = h(x_adv), h(x)
        outputs = (first, second), (fourth, third)
    else:
        z, z_adv = h(x), h(x_adv)
        seen = iter((z, z_adv))
        again = {"standard": lambda image: z_adv}.get(options["base"], lambda image: next(seen))
        base = BASES[options["base"]](again, x, x_adv, y, float(options["beta"]), False)
        selected = select(z, z_adv)
        if not selected.any():
            return base
        outputs = ((z, z_adv),) * 2
    return base + float(options["alpha"]) * mi_loss(outputs, x, x_adv, selected, critics, options)


def at_mim(h, x, x_adv, y, critics, options):
    z_adv = h(x_adv)
    return F.cross_entropy(z_adv, y) + float(options["alpha"]) * critics["natural"].loss(x_adv, z_adv).mean()


def make_model(state, x):
    if "weight" in state:
        return rs.with_state(LinearNet(state["weight"].shape[1], state["weight"].shape[0]), state)
    width, classes = state["conv1.weight"].shape[0], state["fc2.weight"].shape[0]
    return rs.with_state(SmallNet(x.shape[1], width, x.shape[2], classes), state)


def dv_vectors(h, x, x_adv, critics):
    """Losses per sample of both critics, first on their own sample type."""
    with torch.no_grad():
        z, z_adv, d = h(x), h(x_adv), x_adv - x
        return {"natural": critics["natural"].loss(x, z), "natural_other": critics["natural"].loss(x, z_adv),
                "adversarial": critics["adversarial"].loss(d, z_adv),
                "adversarial_other": critics["adversarial"].loss(d, z)}


def check(path):
    tensors, options = rs.read_case(path)
    print(options["title"])
    x, x_adv, y = tensors["x"].double(), tensors["x_adv"].double(), tensors["y"]
    h = make_model(rs.under(tensors, "model."), x)
    critics = {name: critic(tensors, name, options) for name in ("natural", "adversarial")
               if rs.under(tensors, name + ".")}
    defense, literal = options["defense"], options["bn_updates"] == "reference"
    if defense == "mma":
        loss = mma(h, x, x_adv, y, tensors["margins"], float(options["d_max"]), float(options["clean_weight"]))
    elif defense == "at-mim":
        loss = at_mim(h, x, x_adv, y, critics, options)
    elif defense.startswith("namid"):
        loss = namid(h, x, x_adv, y, critics, options, literal)
    else:
        loss = BASES[defense](h, x, x_adv, y, float(options["beta"]), literal)
    loss.backward()
    comparison = rs.Comparison()
    comparison.add("loss", "loss", tensors["loss"], loss)
    comparison.add_network("model", h, rs.under(tensors, "grad."), rs.under(tensors, "after."))
    vectors = rs.under(tensors, "dv.")
    if vectors:
        for name, expected in dv_vectors(h, x, x_adv, critics).items():
            comparison.add("DV vectors", name, vectors[name], expected)
    return comparison.holds()


if __name__ == "__main__":
    sys.exit(0 if all([check(path) for path in sys.argv[1:]]) else 1)
