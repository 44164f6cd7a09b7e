# SPDX-License-Identifier: Apache-2.0
"""Estimators of mutual information and what they are trained with; part of namid.mi."""

import collections
import dataclasses
import pathlib

import torch

from namid import _C
from namid._options import Table, describe


class Estimators:
    """The natural and the adversarial estimator, each a local and a global net.

    `.natural`, `.adversarial` have local_features(x), global_vectors(output), loss(local, output),
    parameters(), train(), eval(), freeze(). With the objectives "standard" and "natural" there is
    one pair of nets, `.natural`."""

    def __init__(self, native):
        self._native = native

    natural = property(lambda self: self._native.natural)
    adversarial = property(lambda self: self._native.adversarial)
    info = property(lambda self: self._native.info)

    def _each(self):
        return [each for each in (self.natural, self.adversarial) if each.defined]

    def parameters(self):
        return iter([tensor for each in self._each() for tensor in each.parameters()])

    def state_dict(self):
        """ "natural.local.<key>", ...; storage is shared."""
        names = ("natural", "adversarial")
        pairs = zip(names, (self.natural, self.adversarial))
        return collections.OrderedDict(
            (f"{name}.{key}", tensor)
            for name, each in pairs
            if each.defined
            for key, tensor in each.state()
        )

    def load_state_dict(self, state):
        for name, each in zip(("natural", "adversarial"), (self.natural, self.adversarial)):
            if each.defined:
                start = name + "."
                own = [(key[len(start) :], v) for key, v in state.items() if key.startswith(start)]
                each.load_state(own)

    def train(self, mode=True):
        for each in self._each():
            each.train(mode)
        return self

    def eval(self):
        return self.train(False)

    def freeze(self):
        """Eval mode without gradients of the parameters: how defences use them."""
        for each in self._each():
            each.freeze()
        return self

    def to(self, device):
        for each in self._each():
            each.to(torch.device(device))
        return self

    def save(self, path):
        """One safetensors file that `namid train --estimators` reads."""
        self._native.save(str(path))


def make_estimators(
    num_classes,
    input_shape,
    *,
    objective="selected",
    layer="logits",
    units=2048,
    norm="linf",
    epsilon=8 / 255,
    layer_channels=0,
    seed=0,
):
    """Fresh estimators for a target of that many classes on images (C, H, W), in train mode. norm,
    epsilon: of the attack they are trained with; layer_channels: of the target's tensor at an
    internal layer, 0 for those of a ResNet-18."""
    given = {
        "num_classes": num_classes,
        "input_shape": list(input_shape),
        "objective": objective,
        "layer": layer,
        "units": units,
        "norm": norm,
        "epsilon": epsilon,
        "layer_channels": layer_channels,
    }
    return Estimators(_C.make_estimators(given, seed))


def load_estimators(path):
    """The estimators of a run folder or of a file."""
    path = pathlib.Path(path)
    file = path / "estimators.safetensors" if path.is_dir() else path
    return Estimators(_C.load_estimators(str(file)))


@dataclasses.dataclass(frozen=True)
class EstimationLoss:
    """Losses to minimise; None for nets that are not there, and for a step to be skipped."""

    natural: torch.Tensor | None
    adversarial: torch.Tensor | None
    metrics: dict


_rules = Table(_C.estimation_options())
_BATCH = ("x", "x_adv", "output", "output_adv", "logits", "logits_adv", "y")


def _batch(tensors):
    unknown = [name for name in tensors if name not in _BATCH]
    if unknown:
        raise ValueError(f"batch: unknown {', '.join(unknown)}; expected {', '.join(_BATCH)}")
    full = dict(tensors)
    full.setdefault("output", full.get("logits"))
    full.setdefault("output_adv", full.get("logits_adv"))
    return full


def estimation_loss(estimators, batch, **keywords):
    return EstimationLoss(
        *_C.estimation_loss(estimators._native, _batch(batch), _rules.paths(keywords))
    )


describe(
    estimation_loss,
    name="estimation_loss",
    summary="What estimators are trained with: Eq. 4 and Eq. 5, or the released code's.",
    lines=[
        "batch: dict of x, x_adv (N, C, H, W), y (N), logits, logits_adv (N, classes) of the",
        "frozen target, and output, output_adv: its tensor that the global nets read (default:",
        "the logits).",
    ],
    positional=("estimators", "batch"),
    table=_rules,
    returns=EstimationLoss,
)


def mean_scores(estimators, batch, **keywords):
    """Mean scores in nats, of all samples, of the selected and of the right ones; no gradient."""
    return _C.mean_scores(estimators._native, _batch(batch), _rules.paths(keywords))
