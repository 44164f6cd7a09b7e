# SPDX-License-Identifier: Apache-2.0
"""The interface of foolbox 3.3.4 (rauber2017foolbox):

    fmodel = fb.PyTorchModel(model, bounds=(0, 1))
    raw, clipped, success = fb.attacks.LinfPGD()(fmodel, images, labels, epsilons=[0.01, 0.03])

Tensors go in and out as torch's; eagerpy's are understood and given back as such."""

from namid.compat._shared import absent
from namid.compat.foolbox import attacks, criteria, distances, models, plot, utils
from namid.compat.foolbox.base import Attack
from namid.compat.foolbox.models import (
    Criterion,
    Misclassification,
    Model,
    PyTorchModel,
    TargetedMisclassification,
    accuracy,
    samples,
)

TensorFlowModel = absent("foolbox", "TensorFlowModel")
JAXModel = absent("foolbox", "JAXModel")
NumPyModel = absent("foolbox", "NumPyModel")
__version__ = "3.3.4"
__all__ = [
    "Attack", "Criterion", "JAXModel", "Misclassification", "Model", "NumPyModel", "PyTorchModel",
    "TargetedMisclassification", "TensorFlowModel", "accuracy", "attacks", "criteria", "distances",
    "models", "plot", "samples", "utils",
]  # fmt: skip
