# SPDX-License-Identifier: Apache-2.0
"""torchattacks' interface: iterative FGSM with momentum and its forms for transfer."""

from namid.compat._shared import refuse
from namid.compat._torchattack import Attack


class _Momentum(Attack):
    """Those that step along gradients with momentum; `more` says how."""

    attack_name = "mi-fgsm"

    def perturb(self, images, labels, targeted):
        plain = {"epsilon": self.eps, "steps": self.steps, "step_size": self.alpha}
        return self.run(
            self.attack_name, images, labels, targeted, decay=self.decay, **plain, **self.more()
        )


class MIFGSM(_Momentum):
    nesterov = False

    def __init__(self, model, eps=8 / 255, alpha=2 / 255, steps=10, decay=1.0):
        super().__init__(type(self).__name__, model)
        self.eps, self.alpha, self.steps, self.decay = eps, alpha, steps, decay

    def more(self):
        return {"judge": "last", "nesterov": self.nesterov}


class NIFGSM(MIFGSM):
    nesterov = True


class DIFGSM(_Momentum):
    attack_name = "di-fgsm"

    def __init__(
        self,
        model,
        eps=8 / 255,
        alpha=2 / 255,
        steps=10,
        decay=0.0,
        resize_rate=0.9,
        diversity_prob=0.5,
        random_start=False,
    ):
        super().__init__(type(self).__name__, model)
        refuse(random_start, f"torchattacks.{self.attack}: random_start=True")
        self.eps, self.alpha, self.steps, self.decay = eps, alpha, steps, decay
        self.resize_rate, self.diversity_prob = resize_rate, diversity_prob
        self.random_start = random_start

    def more(self):
        return {"resize": self.resize_rate, "probability": self.diversity_prob}


class TIFGSM(DIFGSM):
    """Smoothed gradients of images resized at random."""

    attack_name = "ti-dim"

    def __init__(
        self,
        model,
        eps=8 / 255,
        alpha=2 / 255,
        steps=10,
        decay=0.0,
        kernel_name="gaussian",
        len_kernel=15,
        nsig=3,
        resize_rate=0.9,
        diversity_prob=0.5,
        random_start=False,
    ):
        super().__init__(
            model, eps, alpha, steps, decay, resize_rate, diversity_prob, random_start
        )
        refuse(nsig != 3, f"torchattacks.TIFGSM: nsig={nsig} (namid's kernel reaches to 3)")
        self.kernel_name, self.len_kernel, self.nsig = kernel_name, len_kernel, nsig

    def more(self):
        return {**super().more(), "kernel": self.kernel_name, "kernel_size": self.len_kernel}
