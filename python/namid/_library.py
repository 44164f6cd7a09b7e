# SPDX-License-Identifier: Apache-2.0
"""Loads torch, whose libraries the extension is linked to, and checks that it is the right one."""

import torch

from namid._built_with import TORCH


def check(found, wanted):
    """ImportError unless both are of the same minor version: LibTorch keeps no ABI between them."""
    if found.split(".")[:2] != wanted.split(".")[:2]:
        minor = ".".join(wanted.split(".")[:2])
        raise ImportError(
            f"this namid was built for torch {minor}.*, but torch {found} is installed; "
            f"install it (pip install 'torch=={minor}.*'), or build namid again for {found}"
        )


check(torch.__version__, TORCH)
