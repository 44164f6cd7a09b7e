# SPDX-License-Identifier: Apache-2.0
"""namid: adversarial training and honest robustness evaluation.

import namid
result = namid.attacks.pgd(model, x, y, norm="linf", epsilon=8 / 255, steps=40)
result.adv, result.success, result.norms, result.forwards, result.backwards
"""

import namid._library  # noqa: F401, I001  (first: it loads torch, to which the extension is linked)

from namid import _C, adaptive, attacks, data, defenses, mi, models, plot, testing
from namid._runs import (
    Accuracy,
    EstimateRun,
    EvaluateRun,
    Run,
    TrainRun,
    estimate,
    evaluate,
    resume,
    train,
)

__version__ = _C.version()
__commit__ = _C.commit()
__all__ = [
    "Accuracy",
    "EstimateRun",
    "EvaluateRun",
    "Run",
    "TrainRun",
    "__commit__",
    "__version__",
    "adaptive",
    "attacks",
    "data",
    "defenses",
    "estimate",
    "evaluate",
    "mi",
    "models",
    "plot",
    "resume",
    "testing",
    "train",
]
