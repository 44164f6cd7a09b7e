# SPDX-License-Identifier: Apache-2.0
"""torchattacks' interface: searches for the nearest adversarial image."""

from namid.compat._shared import UNBOUNDED
from namid.compat._torchattack import Attack


class CW(Attack):
    """One search with the constant c; images that it does not break come back unchanged."""

    def __init__(self, model, c=1, kappa=0, steps=50, lr=0.01):
        super().__init__("CW", model)
        self.c, self.kappa, self.steps, self.lr = c, kappa, steps, lr

    def perturb(self, images, labels, targeted):
        search = {"searches": 1, "initial_const": self.c, "kappa": self.kappa}
        search = {**search, "steps": self.steps, "step_size": self.lr}
        return self.run("cw", images, labels, targeted, epsilon=UNBOUNDED, **search)


class DeepFool(Attack):
    supported_mode = ("default",)

    def __init__(self, model, steps=50, overshoot=0.02):
        super().__init__("DeepFool", model)
        self.steps, self.overshoot = steps, overshoot

    def perturb(self, images, labels, targeted):
        search = {"steps": self.steps, "overshoot": self.overshoot, "compat": "torchattacks"}
        return self.run("deepfool", images, labels, targeted, epsilon=UNBOUNDED, **search)

    def forward_return_target_labels(self, images, labels):
        """The adversarial images and the classes that they are taken for."""
        adv = self(images, labels)
        return adv, self._predict_as_given(adv)
