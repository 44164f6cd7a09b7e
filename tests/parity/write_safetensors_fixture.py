# SPDX-License-Identifier: Apache-2.0
"""Writes tests/fixtures/python.safetensors with the PyPI package: one tensor of each element type."""

import pathlib

import torch
from safetensors.torch import save_file

TYPES = {
    "F64": torch.float64,
    "F32": torch.float32,
    "F16": torch.float16,
    "BF16": torch.bfloat16,
    "I64": torch.int64,
    "I32": torch.int32,
    "I16": torch.int16,
    "I8": torch.int8,
    "U8": torch.uint8,
    "BOOL": torch.bool,
}
values = torch.tensor([[0, 1, 0], [1, 0, 1]])
folder = pathlib.Path(__file__).parent.parent / "fixtures"
tensors = {name: values.to(dtype) for name, dtype in TYPES.items()}
save_file(tensors, folder / "python.safetensors", metadata={"who": "safetensors"})
