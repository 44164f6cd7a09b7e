# SPDX-License-Identifier: Apache-2.0
"""What a GPU computes beside what the CPU does: every attack, a step of every defence, speed of PGD.

    make gpu-check        or, with the package on PYTHONPATH: gpu_check.py [--device cuda:0] [--quick]

A network of random weights, labels as it predicts them, equal seeds on both sides. An attack agrees where
both sides fool as many images but for one in eight, no image leaves its ball, and norms' medians are within
5 %: signs of gradients next to zero differ by rounding, so images need not be equal. A step agrees where its
loss is within 1 %, its gradients' cosine above 0.999. CUDA graphs (namid.graphed) agree with the model on the
same GPU where logits are within 1 % of the largest and the input gradients' cosine is above 0.999. Exit code 1
where something differs, 3 without the device. `--device cpu` compares the CPU with itself, bit by bit, without
graphs: a check of this script."""

import argparse
import inspect
import statistics
import sys
import time

import torch

import namid

RADII = {"linf": 4 / 255, "l2": 0.5, "l1": 8.0, "l0": 50, "wasserstein": 0.01}
SMALL = {"steps": 5, "queries": 100, "searches": 2, "draws": 10}
FEW, LATE = 16, 1000  # images; an epoch in which every term is in force


def make_model(device, name="small_cnn", **keywords):
    model = namid.models.create(name, seed=1, **keywords)
    model.to(device)
    return model.eval()


def pixels(count):
    generator = torch.Generator().manual_seed(2)
    return torch.randint(0, 256, (count, 3, 32, 32), generator=generator).float() / 255


def attacked(attack, norm, device, x, y):
    function = getattr(namid.attacks, attack.name.replace("-", "_"))
    known = inspect.signature(function).parameters
    keywords = {key: value for key, value in SMALL.items() if key in known}
    model = make_model(device, width=8)
    found = function(model, x.to(device), y.to(device), norm=norm, epsilon=RADII[norm], seed=3, **keywords)
    return {
        "fooled": int(found.success.sum()),
        "norm": (found.adv.cpu() - x).flatten(1).norm(dim=1).median().item(),
        "adv": found.adv.cpu(),
        "in_box": bool(((found.adv >= 0) & (found.adv <= 1)).all()),
    }


def attack_row(attack, norm, device, x, y):
    ours, theirs = (attacked(attack, norm, where, x, y) for where in ("cpu", device))
    same = abs(ours["fooled"] - theirs["fooled"]) <= FEW // 8 and theirs["in_box"]
    same &= abs(ours["norm"] - theirs["norm"]) <= 0.05 * max(ours["norm"], 1e-3)
    if device == "cpu":
        same &= torch.equal(ours["adv"], theirs["adv"])
    words = f"{ours['fooled']} / {theirs['fooled']} | {ours['norm']:.4f} / {theirs['norm']:.4f}"
    return f"{attack.name}, {norm}", words, same


def stepped(defense, device, x, y):
    model = make_model(device, width=8)
    keywords = {"epsilon": 1 / 255, "steps": 3} if defense.name != "natural" else {}
    if defense.estimators:
        pair = namid.mi.make_estimators(10, (3, 32, 32), objective=defense.estimators.split()[-1], units=64)
        pair.to(device)
        keywords["estimators"] = pair.freeze()
    loss = getattr(namid.defenses, defense.name.replace("-", "_"))(**keywords)
    model.train()
    found = loss(model, x.to(device), y.to(device), seed=3, epoch=LATE).loss
    found.backward()
    gradient = torch.cat([p.grad.flatten().cpu() for p in model.parameters() if p.grad is not None])
    return found.item(), gradient


def step_row(defense, device, x, y):
    (loss, gradient), (other, others) = (stepped(defense, where, x, y) for where in ("cpu", device))
    cosine = torch.nn.functional.cosine_similarity(gradient, others, 0).item()
    same = abs(loss - other) <= 0.01 * max(abs(loss), 1e-3) and cosine > 0.999
    return defense.name, f"{loss:.5f} / {other:.5f} | cosine {cosine:.6f}", same


def logits_and_gradients(model, leaves):
    """All forwards come first: what is returned must outlive the next one."""
    logits = [model(leaf) for leaf in leaves]
    return logits, [torch.autograd.grad(z.square().sum(), x)[0] for z, x in zip(logits, leaves)]


def graph_rows(device, name="resnet18"):
    """Graphs beside the model itself: a batch of the captured size, a padded one, one in pieces."""
    model = make_model(device, name).requires_grad_(False)
    leaves = [pixels(size).to(device).requires_grad_() for size in (FEW, FEW // 3, 2 * FEW + 3)]
    ours = logits_and_gradients(model, leaves)
    theirs = logits_and_gradients(namid.graphed(model, FEW), leaves)
    for x, z, other, g, others in zip(leaves, ours[0], theirs[0], ours[1], theirs[1]):
        apart = ((z - other).abs().max() / z.abs().max()).item()
        cosine = torch.nn.functional.cosine_similarity(g.flatten(), others.flatten(), 0).item()
        words = f"logits {apart:.1e} apart | cosine {cosine:.6f}"
        yield f"graphs of {FEW}, batch {len(x)}", words, apart <= 0.01 and cosine > 0.999


def synchronise(device):
    if device != "cpu":
        torch.cuda.synchronize()


def seconds_of_pgd(model, x, y, device):
    synchronise(device)
    begin = time.perf_counter()
    namid.attacks.pgd(model, x, y, epsilon=8 / 255, steps=10)
    synchronise(device)
    return time.perf_counter() - begin


def speed_lines(device, batch, pairs):
    """PGD-10 on a full ResNet-18, both memory orders, without graphs and by them, by turns."""
    x, y = pixels(batch).to(device), torch.zeros(batch, dtype=torch.long, device=device)
    sides = {"contiguous": make_model(device, "resnet18"), "channels-last": make_model(device, "resnet18")}
    sides["channels-last"].channels_last()
    if device != "cpu":
        graphs = {name: namid.graphed(model.requires_grad_(False), batch) for name, model in sides.items()}
        sides |= {f"{name}, CUDA graphs": model for name, model in graphs.items()}
    seconds = {name: [] for name in sides}
    for pair in range(pairs + 1):  # the first one warms up and captures
        for name, model in sides.items():
            taken = seconds_of_pgd(model, x, y, device)
            if pair:
                seconds[name].append(taken)
    for name, values in seconds.items():
        middle = statistics.median(values)
        yield f"| PGD-10, ResNet-18, batch {batch}, {name} | {middle:.3f} s | {batch / middle:.0f} images/s |"


def rows(device, quick):
    x = pixels(FEW)
    y = make_model("cpu", width=8)(x).argmax(1)
    for attack in namid.attacks.table():
        for norm in attack.norms[: 1 if quick else None]:
            yield attack_row(attack, norm, device, x, y)
    y = make_model("cpu", width=8).train()(x).argmax(1)  # right in the mode that steps are taken in
    for defense in namid.defenses.table():
        yield step_row(defense, device, x, y)
    if device != "cpu":
        yield from graph_rows(device)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", default="cuda:0")
    parser.add_argument("--quick", action="store_true", help="one norm each, no speed")
    options = parser.parse_args()
    if options.device != "cpu" and not torch.cuda.is_available():
        print("gpu-check: torch sees no CUDA device; nothing was checked", file=sys.stderr)
        return 3
    print(f"torch {torch.__version__}, CPU / {options.device}\n\n| what | fooled or loss | norm or gradient | |")
    print("|---|---|---|---|")
    differ = 0
    for name, words, same in rows(options.device, options.quick):
        differ += not same
        print(f"| {name} | {words} | {'agree' if same else '**differ**'} |", flush=True)
    if not options.quick:
        print("\n| speed | median | rate |\n|---|---|---|")
        for line in speed_lines(options.device, 256 if options.device != "cpu" else 8, 5):
            print(line, flush=True)
    if options.device == "cpu":
        print("\nCUDA graphs: left out, the CPU has none")
    print(f"\n{differ} of these differ" if differ else "\nall agree")
    return int(differ > 0)


if __name__ == "__main__":
    sys.exit(main())
