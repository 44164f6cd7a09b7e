# SPDX-License-Identifier: Apache-2.0
"""Figures on matplotlib, where it is installed (pip install 'namid[plot]')."""

import json
import pathlib

import torch

from namid import attacks
from namid._scope import frozen_eval


def _axes(axes):
    if axes is not None:
        return axes
    try:
        from matplotlib import pyplot
    except ImportError as missing:
        raise ImportError("namid.plot needs matplotlib: pip install 'namid[plot]'") from missing
    return pyplot.subplots()[1]


def robustness_curve(model, x, y, epsilons, *, attack="apgd-ce", axes=None, **keywords):
    """Accuracy against epsilon under one attack; an image that a smaller epsilon broke stays
    broken, so that the curve falls. Returns (axes, accuracies)."""
    axes = _axes(axes)
    with frozen_eval(model), torch.no_grad():
        survived = model(x).argmax(1) == y
    shares = []
    for epsilon in sorted(epsilons):
        rows = survived.nonzero().flatten()
        if epsilon > 0 and len(rows):
            found = attacks.run(attack, model, x[rows], y[rows], epsilon=epsilon, **keywords)
            survived[rows[found.success]] = False
        shares.append(float(survived.double().mean()))
    axes.plot(sorted(epsilons), shares, marker="o", label=attack)
    axes.set(xlabel="epsilon", ylabel="accuracy", ylim=(0, 1))
    return axes, shares


def metrics(run, *names, axes=None):
    """Curves of a run's metrics.jsonl: its epoch means called `names`, by default the losses."""
    axes = _axes(axes)
    folder = pathlib.Path(getattr(run, "folder", run))
    rows = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    rows = [row for row in rows if row["kind"] == "epoch"]
    known = sorted({name for row in rows for name in row} - {"kind", "step", "epoch"})
    for name in names or [name for name in known if name.endswith("loss")]:
        if name not in known:
            raise ValueError(f"metrics: no '{name}' in {folder}; there are {', '.join(known)}")
        axes.plot([row["epoch"] for row in rows], [row.get(name) for row in rows], label=name)
    axes.set(xlabel="epoch")
    axes.legend()
    return axes


def examples(x, adv, *, count=8, axes=None):
    """Rows of images: natural, adversarial, and their difference, spread to the full range."""
    axes = _axes(axes)
    x, adv = x[:count].detach().cpu(), adv[:count].detach().cpu()
    delta = adv - x
    size = delta.abs().flatten(1).amax(1).clamp_min(1e-12).view(-1, *[1] * (x.dim() - 1))
    rows = [torch.cat(list(each), -1) for each in (x, adv, 0.5 + 0.5 * delta / size)]
    picture = torch.cat(rows, -2).movedim(0, -1)
    axes.imshow(picture.expand(*picture.shape[:2], 3) if picture.shape[-1] == 1 else picture)
    axes.set_axis_off()
    return axes


__all__ = ["examples", "metrics", "robustness_curve"]
