# SPDX-License-Identifier: Apache-2.0
"""Runs exported networks in onnxruntime: onnx_check.py FOLDER, with NAME.onnx and NAME.safetensors ("x", "logits").

Prints NAME and the largest difference relative to the largest logit, a line each.
"""

import pathlib
import sys

import numpy as np
import onnx
import onnxruntime
from safetensors.numpy import load_file

for path in sorted(pathlib.Path(sys.argv[1]).glob("*.onnx")):
    model = onnx.load(path)
    onnx.checker.check_model(model, full_check=True)
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    expected = load_file(path.with_suffix(".safetensors"))
    logits = np.concatenate([session.run(["Y"], {"X": x[None]})[0] for x in expected["x"]])
    print(path.stem, np.abs(logits - expected["logits"]).max() / np.abs(expected["logits"]).max())
