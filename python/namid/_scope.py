# SPDX-License-Identifier: Apache-2.0
"""Eval mode without parameter gradients, and back to exactly what was there."""

import contextlib

import torch


@contextlib.contextmanager
def frozen_eval(model):
    """Within the block every submodule of `model` is in eval mode and no parameter requires a
    gradient; afterwards each has its own mode and flag again, also after an exception. A callable
    that is no torch.nn.Module is left alone."""
    if not isinstance(model, torch.nn.Module):
        yield
        return
    modes = [(module, module.training) for module in model.modules()]
    flags = [(parameter, parameter.requires_grad) for parameter in model.parameters()]
    try:
        for module, _ in modes:
            module.training = False
        for parameter, _ in flags:
            parameter.requires_grad_(False)
        yield
    finally:
        for module, training in modes:
            module.training = training
        for parameter, requires_grad in flags:
            parameter.requires_grad_(requires_grad)
