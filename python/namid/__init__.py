# SPDX-License-Identifier: Apache-2.0
"""namid: adversarial training and honest robustness evaluation.

import namid
result = namid.attacks.pgd(model, x, y, norm="linf", epsilon=8 / 255, steps=40)
result.adv, result.success, result.norms, result.forwards, result.backwards
"""

import namid._library  # noqa: F401, I001  (first: it loads torch, to which the extension is linked)

from namid import _C, adaptive, attacks, data, defenses, mi, models, plot, testing
from namid._engine import CompiledModel, compile
from namid._graphs import GraphedModel, graphed
from namid._runs import (
    Accuracy,
    CertifyRun,
    EstimateRun,
    EvaluateRun,
    MaskingRun,
    Run,
    TrainRun,
    certify,
    curve,
    estimate,
    evaluate,
    masking,
    resume,
    train,
    transfer,
)

__version__ = _C.version()
__commit__ = _C.commit()
__all__ = [
    "Accuracy",
    "CertifyRun",
    "CompiledModel",
    "EstimateRun",
    "EvaluateRun",
    "GraphedModel",
    "MaskingRun",
    "Run",
    "TrainRun",
    "__commit__",
    "__version__",
    "adaptive",
    "attacks",
    "certify",
    "compile",
    "curve",
    "data",
    "defenses",
    "estimate",
    "evaluate",
    "graphed",
    "masking",
    "mi",
    "models",
    "plot",
    "resume",
    "testing",
    "train",
    "transfer",
]
