# SPDX-License-Identifier: Apache-2.0
"""Speed of training steps beside plain PyTorch, by turns in one process.

    scripts/peers
    build/peers/bin/python bench/train_speed.py --data cifar-10-batches-bin --out steps.jsonl
    build/peers/bin/python bench/train_speed.py --table --out steps.jsonl

One step: adversarial examples by 10 steps of PGD (TRADES: on the divergence from the clean output), the
loss, its gradient, SGD. Sides:
  namid     namid.defenses on the compiled model
  as is     eager PyTorch, every forward and every parameter's gradient as the released code has them
  at best   the same with the parameters frozen during the attack, channels-last, shared forwards
Losses are those of tests/defenses/training_step.py. Each side keeps a ResNet-18 of its own, starts every
step from the same weights and sees the same images: a network that was trained on one batch saturates, and softmax's
denormal numbers slow every side down. A ratio is a side's time over namid's in the same round. Lines of
JSON are written as they come; a run that is started again goes on behind them."""

import argparse
import os
import pathlib
import statistics
import sys
import time

import eager
import torch
from compare_peers import append, read
from paired import cpu_name, median_interval
from torch.nn import functional

import namid

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "tests" / "defenses"))
import training_step  # noqa: E402

EPSILON, STEPS, BETA = 8 / 255, 10, {"trades": 6.0, "mart": 5.0}
GOALS = {"standard": (2.2, 3), "trades": (3, 4), "namid": (3, 4.5), "mart": (2.2, 3)}
SETTINGS = ("network", "batch", "threads")
LATE = 1000  # an epoch in which NAMID's terms are in force
SIDES = ("namid", "as is", "at best")
NAMID = {"base": "standard", "beta": 6, "alpha": 5, "lambda": 0.1, "lambda_clamp": "both", "selection": "argmax"}


def sgd(parameters):
    return torch.optim.SGD(parameters, 0.01, momentum=0.9, weight_decay=2e-4)


class Ours:
    def __init__(self, network, defense, state, estimators):
        self.model = namid.models.create(network)
        self.model.load_state_dict(state)
        self.model.channels_last()
        keywords = {"epsilon": EPSILON, "steps": STEPS}
        if defense in BETA:
            keywords["beta"] = BETA[defense]
        if defense == "namid":
            keywords.update({"alpha": NAMID["alpha"], "lambda_": NAMID["lambda"], "estimators": estimators})
        self.loss = getattr(namid.defenses, defense)(**keywords)
        self.attacked = namid.compile(self.model)
        self.optimizer = sgd(self.model.parameters())

    def step(self, x, y):
        self.model.train()
        self.optimizer.zero_grad()
        loss = self.loss(self.attacked, x, y, epoch=LATE).loss
        loss.backward()
        self.optimizer.step()
        return loss.item()


class Plain:
    def __init__(self, network, defense, state, critics, best):
        self.model, self.defense, self.best = eager.ResNet18(network=network), defense, best
        self.model.load_state_dict(state)
        if best:
            self.model.to(memory_format=torch.channels_last)
        self.critics = critics
        self.optimizer = sgd(self.model.parameters())

    def attack(self, x, y):
        self.model.eval()
        if self.best:
            self.model.requires_grad_(False)
        trades = self.defense == "trades"
        start = 0.001 * torch.randn_like(x) if trades else EPSILON * (2 * torch.rand_like(x) - 1)
        x_adv, clean = (x + start).clamp(0, 1), None
        for _ in range(STEPS):
            x_adv.requires_grad_()
            if trades:
                if clean is None or not self.best:
                    clean = functional.softmax(self.model(x), 1)
                clean = clean.detach() if self.best else clean
                log_q = functional.log_softmax(self.model(x_adv), 1)
                loss = functional.kl_div(log_q, clean, reduction="sum")
            else:
                loss = functional.cross_entropy(self.model(x_adv), y)
            (gradient,) = torch.autograd.grad(loss, x_adv)
            with torch.no_grad():
                x_adv = x_adv + EPSILON / 4 * gradient.sign()
                x_adv = torch.min(torch.max(x_adv, x - EPSILON), x + EPSILON).clamp(0, 1)
        self.model.requires_grad_(True)
        return x_adv.detach()

    def step(self, x, y):
        if self.best:
            x = x.contiguous(memory_format=torch.channels_last)
        x_adv = self.attack(x, y)
        self.model.train()
        self.optimizer.zero_grad()
        if self.defense == "namid":
            loss = training_step.namid(self.model, x, x_adv, y, self.critics, NAMID, not self.best)
        else:
            base, beta = training_step.BASES[self.defense], BETA.get(self.defense, 0)
            loss = base(self.model, x, x_adv, y, beta, not self.best)
        loss.backward()
        self.optimizer.step()
        return loss.item()


def plain_critics(estimators, frozen):
    """The estimators as the reference's networks, in float32; the released code leaves their gradients on."""
    options = {"dv_mask": "exclude"}
    state = {key: value.detach().clone() for key, value in estimators.state_dict().items()}
    critics = {name: training_step.critic(state, name, options) for name in ("natural", "adversarial")}
    for each in critics.values():
        for net in (each.local_net, each.global_net):
            net.float().requires_grad_(not frozen)
    return critics


def make_sides(network, defense, state):
    estimators = None
    if defense == "namid":
        estimators = namid.mi.make_estimators(10, (3, 32, 32)).freeze()
    for name in SIDES:
        if name == "namid":
            yield name, Ours(network, defense, state, estimators)
        else:
            best = name == "at best"
            critics = plain_critics(estimators, best) if estimators else None
            yield name, Plain(network, defense, state, critics, best)


def starting_weights(network, x):
    """A random ResNet-18 whose BatchNorm knows the statistics of these images."""
    torch.manual_seed(0)
    model = eager.ResNet18(network=network)
    for module in model.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.momentum = None
    with torch.no_grad():
        model.train()(x)
    return model.state_dict()


def measure(options):
    torch.set_num_threads(options.threads)
    data = namid.data.load(options.data, part="test", test_limit=options.batch).batch()
    state = starting_weights(options.network, data.x)
    rows = read(options.out)
    if any(row.get("network", "resnet18") != options.network for row in rows):
        sys.exit(f"train_speed: {options.out} holds rows of another network; name another --out")
    done = {(row["defense"], row["side"], row["pair"]) for row in rows}
    for defense in options.defenses.split(","):
        pairs = [p for p in range(options.pairs) if any((defense, s, p) not in done for s in SIDES)]
        sides = dict(make_sides(options.network, defense, state)) if pairs else {}
        for side in sides.values():
            side.step(data.x, data.y)  # warm-up
        for pair in pairs:
            for name in SIDES if pair % 2 == 0 else SIDES[::-1]:
                sides[name].model.load_state_dict(state)
                begin = time.perf_counter()
                loss = sides[name].step(data.x, data.y)
                row = {"defense": defense, "side": name, "pair": pair, "seconds": time.perf_counter() - begin}
                print(*row.values(), f"{loss:.4f}", flush=True)
                about = {key: getattr(options, key) for key in SETTINGS}
                append(options.out, {**row, "loss": loss, **about})


def table(rows):
    lines = [
        cpu_name(),
        "",
        "| step | namid, s | side | s | side / namid | goal / stretch | | loss, namid | loss, side |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for defense in dict.fromkeys(row["defense"] for row in rows):
        found = {side: {r["pair"]: r for r in rows if (r["defense"], r["side"]) == (defense, side)} for side in SIDES}
        ours = found["namid"]
        for side in SIDES[1:]:
            ratios = [found[side][p]["seconds"] / ours[p]["seconds"] for p in sorted(ours.keys() & found[side].keys())]
            if not ratios:
                continue
            low, high = median_interval(ratios)
            middle, (goal, stretch) = statistics.median(ratios), GOALS[defense]
            met = "" if side != "as is" else "met" if middle >= goal else "**not met**"
            seconds, losses = (
                [statistics.median(r[key] for r in found[s].values()) for s in ("namid", side)]
                for key in ("seconds", "loss")
            )
            lines.append(
                f"| {defense} | {seconds[0]:.3f} | {side} | {seconds[1]:.3f} | **{middle:.2f}** [{low:.2f}, {high:.2f}] | "
                f"{f'{goal} / {stretch}' if met else '-'} | {met} | {losses[0]:.3f} | {losses[1]:.3f} |"
            )
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", help="CIFAR-10's folder, binary version")
    parser.add_argument("--defenses", default="standard,trades,mart,namid")
    parser.add_argument("--network", choices=tuple(eager.PADDING), default="resnet18")
    parser.add_argument("--pairs", type=int, default=7)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--out", default="build/train-speed.jsonl", type=pathlib.Path)
    parser.add_argument("--table", action="store_true", help="print the rows as Markdown, run nothing")
    options = parser.parse_args()
    if options.table:
        print(table(read(options.out)))
    elif not options.data:
        sys.exit("train_speed: name the folder of CIFAR-10's binary version: --data FOLDER")
    else:
        measure(options)


if __name__ == "__main__":
    main()
