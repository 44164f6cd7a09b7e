# SPDX-License-Identifier: Apache-2.0
"""foolbox.criteria."""

from namid.compat.foolbox.models import Criterion, Misclassification, TargetedMisclassification

__all__ = ["Criterion", "Misclassification", "TargetedMisclassification"]
