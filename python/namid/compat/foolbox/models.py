# SPDX-License-Identifier: Apache-2.0
"""Models and criteria of foolbox's interface."""

import dataclasses
from collections import namedtuple

import torch

from namid import data
from namid._scope import frozen_eval

Bounds = namedtuple("Bounds", "lower upper")


def raw(tensor):
    """The torch tensor inside one of eagerpy's, or the tensor itself."""
    return getattr(tensor, "raw", tensor)


def like(tensor, given):
    """`tensor` as an eagerpy tensor where `given` is one."""
    return tensor if isinstance(given, torch.Tensor) else type(given)(tensor)


def _vector(value, axis, device):
    tensor = torch.as_tensor(value, dtype=torch.float32, device=device)
    return tensor if axis is None or tensor.dim() == 0 else tensor.reshape(-1, *[1] * (-axis - 1))


class Model:
    """Base of models; here for isinstance."""


class PyTorchModel(Model):
    """A module on inputs within `bounds`; preprocessing: dict of mean, std, axis (negative),
    flip_axis, as in foolbox."""

    def __init__(self, model, bounds, device=None, preprocessing=None):
        if not isinstance(model, torch.nn.Module):
            raise ValueError(f"model: expected a torch.nn.Module, got {type(model).__name__}")
        preprocessing = dict(preprocessing or {})
        unknown = set(preprocessing) - {"mean", "std", "axis", "flip_axis"}
        if unknown:
            raise ValueError(f"preprocessing: unknown {', '.join(sorted(unknown))}")
        if preprocessing.get("axis") is not None and preprocessing["axis"] >= 0:
            raise ValueError(
                "preprocessing: axis: expected None or a negative number, -1 the last axis"
            )
        self.module, self._bounds, self.preprocessing = model, Bounds(*bounds), preprocessing
        first = next(model.parameters(), None)
        found = torch.device("cpu") if first is None else first.device
        self.device = torch.device(device) if device is not None else found
        model.to(self.device)

    @property
    def bounds(self):
        return self._bounds

    def transform_bounds(self, bounds):
        """The same model on inputs within other bounds."""
        old, new = self._bounds, Bounds(*bounds)
        scale = (old.upper - old.lower) / (new.upper - new.lower)
        inner = torch.nn.Module()
        inner.module = self.module
        inner.forward = lambda x: self.logits((x - new.lower) * scale + old.lower)
        return PyTorchModel(inner, new, self.device)

    def logits(self, x):
        steps = self.preprocessing
        if steps.get("flip_axis") is not None:
            x = x.flip(steps["flip_axis"])
        for key, apply in (("mean", torch.sub), ("std", torch.div)):
            if steps.get(key) is not None:
                x = apply(x, _vector(steps[key], steps.get("axis"), x.device))
        return self.module(x)

    def __call__(self, inputs):
        return like(self.logits(raw(inputs)), inputs)


class _Wrapper(PyTorchModel):
    """A model of another one's logits, whose modules and bounds are its own."""

    def __init__(self, model):
        inner = torch.nn.Module()
        inner.module = model.module
        inner.forward = self._wrapped
        super().__init__(inner, model.bounds, model.device)
        self._model = model


class ThresholdingWrapper(_Wrapper):
    """The model on images of two values: the lower bound below the threshold, else the upper."""

    def __init__(self, model, threshold):
        super().__init__(model)
        self._threshold = threshold

    def _wrapped(self, x):
        low, high = self._model.bounds
        return self._model.logits(torch.where(x < self._threshold, low, high).to(x.dtype))


class ExpectationOverTransformationWrapper(_Wrapper):
    """The mean logits of n_steps passes through a model that draws at random."""

    def __init__(self, model, n_steps=16):
        super().__init__(model)
        if n_steps < 1:
            raise ValueError(f"n_steps: expected at least 1, got {n_steps}")
        self._n_steps = n_steps

    def _wrapped(self, x):
        return torch.stack([self._model.logits(x) for _ in range(self._n_steps)]).mean(0)


class Criterion:
    """Base of criteria."""


@dataclasses.dataclass(init=False)
class Misclassification(Criterion):
    labels: object

    def __init__(self, labels):
        self.labels = labels


@dataclasses.dataclass(init=False)
class TargetedMisclassification(Criterion):
    target_classes: object

    def __init__(self, target_classes):
        self.target_classes = target_classes


def accuracy(fmodel, inputs, labels):
    with frozen_eval(fmodel.module), torch.no_grad():
        return float((fmodel.logits(raw(inputs)).argmax(1) == raw(labels)).double().mean())


def samples(fmodel, dataset="imagenet", index=0, batchsize=1, shape=(224, 224),
            data_format=None, bounds=None):  # fmt: skip
    """Images and labels of "fashionMNIST", within the model's bounds; namid ships no others."""
    if dataset != "fashionMNIST":
        raise NotImplementedError(
            f"foolbox.samples: namid ships no images of '{dataset}', only of 'fashionMNIST'; "
            "namid.data.load reads yours"
        )
    batch = data.load(part="test", test_limit=index + batchsize).batch(slice(index, None))
    low, high = bounds or fmodel.bounds
    x = batch.x * (high - low) + low
    return x.to(fmodel.device), batch.y.to(fmodel.device)
