# SPDX-License-Identifier: Apache-2.0
"""torchattacks' interface: the attacks with a norm and a seed of their own."""

from namid.compat._torchattack import Attack

_NORMS = {"Linf": "linf", "L2": "l2", "L1": "l1"}
_LOSSES = {"ce": "cross_entropy", "dlr": "dlr", "margin": "margin"}


class Seeded(Attack):
    """Those with a norm and a seed of their own."""

    attack = ""

    def perturb(self, images, labels, targeted):
        name, options = self.choice()
        fixed = {"norm": _NORMS[self.norm], "epsilon": self.eps, "seed": self.seed}
        return self.run(name, images, labels, targeted, **fixed, **options)


class APGD(Seeded):
    def __init__(
        self,
        model,
        norm="Linf",
        eps=8 / 255,
        steps=10,
        n_restarts=1,
        seed=0,
        loss="ce",
        eot_iter=1,
        rho=0.75,
        verbose=False,
    ):
        super().__init__("APGD", model)
        self.norm, self.eps, self.steps, self.n_restarts = norm, eps, steps, n_restarts
        self.seed, self.loss, self.eot_iter = seed, loss, eot_iter
        self.thr_decr, self.verbose = rho, verbose

    supported_mode = ("default",)

    def choice(self):
        name = {"ce": "apgd-ce", "dlr": "apgd-dlr"}[self.loss]
        plain = {"steps": self.steps, "restarts": self.n_restarts, "eot": self.eot_iter}
        return name, {**plain, "rho": self.thr_decr}


class APGDT(Seeded):
    supported_mode = ("default",)

    def __init__(
        self,
        model,
        norm="Linf",
        eps=8 / 255,
        steps=10,
        n_restarts=1,
        seed=0,
        eot_iter=1,
        rho=0.75,
        verbose=False,
        n_classes=10,
    ):
        super().__init__("APGDT", model)
        self.norm, self.eps, self.steps, self.n_restarts = norm, eps, steps, n_restarts
        self.seed, self.eot_iter, self.thr_decr = seed, eot_iter, rho
        self.verbose, self.target_class = verbose, n_classes - 1

    def choice(self):
        plain = {"steps": self.steps, "restarts": self.n_restarts, "eot": self.eot_iter}
        return "apgd-t", {**plain, "rho": self.thr_decr, "targets": self.target_class}


class FAB(Seeded):
    supported_mode = ("default",)

    def __init__(
        self,
        model,
        norm="Linf",
        eps=8 / 255,
        steps=10,
        n_restarts=1,
        alpha_max=0.1,
        eta=1.05,
        beta=0.9,
        verbose=False,
        seed=0,
        multi_targeted=False,
        n_classes=10,
    ):
        super().__init__("FAB", model)
        self.norm, self.eps, self.steps, self.n_restarts = norm, eps, steps, n_restarts
        self.alpha_max, self.eta, self.beta, self.seed = alpha_max, eta, beta, seed
        self.verbose, self.multi_targeted, self.target_class = (
            verbose,
            multi_targeted,
            n_classes - 1,
        )

    def choice(self):
        plain = {"steps": self.steps, "restarts": self.n_restarts, "alpha_max": self.alpha_max}
        plain = {**plain, "eta": self.eta, "beta": self.beta}
        if self.multi_targeted:
            return "fab-t", {**plain, "targets": self.target_class}
        return "fab", plain


class Square(Seeded):
    supported_mode = ("default",)

    def __init__(
        self,
        model,
        norm="Linf",
        eps=8 / 255,
        n_queries=5000,
        n_restarts=1,
        p_init=0.8,
        loss="margin",
        resc_schedule=True,
        seed=0,
        verbose=False,
    ):
        super().__init__("Square", model)
        self.norm, self.eps, self.n_queries, self.n_restarts = norm, eps, n_queries, n_restarts
        self.p_init, self.loss, self.rescale_schedule = p_init, loss, resc_schedule
        self.seed, self.verbose = seed, verbose

    def choice(self):
        plain = {"queries": self.n_queries, "restarts": self.n_restarts, "p_init": self.p_init}
        return "square", {
            **plain,
            "loss": _LOSSES[self.loss],
            "rescale_schedule": self.rescale_schedule,
        }
