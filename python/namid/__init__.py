# SPDX-License-Identifier: Apache-2.0
"""namid: adversarial training and honest robustness evaluation.

    import namid
    result = namid.attacks.pgd(model, x, y, norm="linf", epsilon=8 / 255, steps=40)
    result.adv, result.success, result.norms, result.forwards, result.backwards
"""

import torch  # noqa: F401  (its libraries must be loaded before the extension)

from namid import _C, attacks

__version__ = _C.version()
__commit__ = _C.commit()
__all__ = ["attacks", "__version__", "__commit__"]
