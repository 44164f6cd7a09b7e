# SPDX-License-Identifier: Apache-2.0
"""Eval mode without parameter gradients, and back to exactly what was there."""

import contextlib

import torch


class Modes:
    """The training flag of every submodule; a callable that is no torch.nn.Module has none."""

    def __init__(self, model):
        modules = model.modules() if isinstance(model, torch.nn.Module) else ()
        self._modes = [(module, module.training) for module in modules]

    def switch(self, frozen):
        """frozen: every submodule in eval mode; else each in its own again. Flags are set one by
        one: eval() and train() may be overridden, and would reach children twice."""
        for module, training in self._modes:
            module.training = training and not frozen


@contextlib.contextmanager
def frozen_eval(model):
    """Within the block every submodule of `model` is in eval mode and no parameter requires a
    gradient; afterwards each has its own mode and flag again, also after an exception. A callable
    that is no torch.nn.Module is left alone."""
    modes = Modes(model)
    parameters = model.parameters() if isinstance(model, torch.nn.Module) else ()
    flags = [(parameter, parameter.requires_grad) for parameter in parameters]
    try:
        modes.switch(True)
        for parameter, _ in flags:
            parameter.requires_grad_(False)
        yield
    finally:
        modes.switch(False)
        for parameter, requires_grad in flags:
            parameter.requires_grad_(requires_grad)
