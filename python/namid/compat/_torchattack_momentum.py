# SPDX-License-Identifier: Apache-2.0
"""torchattacks' interface: iterative FGSM with momentum."""

from namid.compat._torchattack import Attack


class MIFGSM(Attack):
    nesterov = False

    def __init__(self, model, eps=8 / 255, alpha=2 / 255, steps=10, decay=1.0):
        super().__init__(type(self).__name__, model)
        self.eps, self.alpha, self.steps, self.decay = eps, alpha, steps, decay

    def perturb(self, images, labels, targeted):
        plain = {"epsilon": self.eps, "steps": self.steps, "step_size": self.alpha}
        momentum = {"decay": self.decay, "nesterov": self.nesterov, "judge": "last"}
        return self.run("mi-fgsm", images, labels, targeted, **plain, **momentum)


class NIFGSM(MIFGSM):
    nesterov = True
