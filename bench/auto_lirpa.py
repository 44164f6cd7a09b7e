# SPDX-License-Identifier: Apache-2.0
"""auto_LiRPA 0.3 of PyPI, made for torch below 1.13, on a later torch: names that moved are put back."""

import sys
import types

import numpy as np
import torch
import torch.onnx.symbolic_helper
import torch.onnx.utils
from torch.onnx._internal.torchscript_exporter import _globals, utils


def _set_opset_version(version):
    _globals.GLOBALS.export_onnx_opset_version = version


sets = types.ModuleType("numpy.lib.arraysetops")
sets.isin = np.isin
sys.modules["numpy.lib.arraysetops"] = sets
torch.onnx.symbolic_helper._set_opset_version = _set_opset_version
torch.onnx.utils._optimize_graph = utils._optimize_graph
torch._C.Node.__getitem__ = lambda node, key: getattr(node, node.kindOf(key))(key)

from auto_LiRPA import BoundedModule, BoundedTensor, PerturbationLpNorm, __version__  # noqa: E402


def lower_bounds(network, x, radius, rows, method, options):
    """Lower bounds (N, R) of rows (N, R, classes) of the logits over the L-inf ball in the box [0,1]."""
    bounded = BoundedModule(network, x, bound_opts=options, verbose=False)
    ball = PerturbationLpNorm(norm=np.inf, x_L=(x - radius).clamp(0, 1), x_U=(x + radius).clamp(0, 1))
    with torch.set_grad_enabled("Optimized" in method):
        lower, _ = bounded.compute_bounds(x=(BoundedTensor(x, ball),), C=rows, method=method, bound_upper=False)
    return lower.detach()
