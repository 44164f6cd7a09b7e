# SPDX-License-Identifier: Apache-2.0
"""foolbox.utils."""

from namid.compat.foolbox.models import accuracy, samples

__all__ = ["accuracy", "samples"]
