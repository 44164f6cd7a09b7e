# SPDX-License-Identifier: Apache-2.0
"""torchattacks' interface: elastic-net attacks."""

from namid.compat._elastic import ElasticNet, check_elastic, elastic_net
from namid.compat._torchattack_plain import Plain


class EADL1(Plain):
    """Elastic net, the image of least L1 kept. Unlike the library: the image that distances are
    taken to stays where it is (there the first step moves it), negative logits of the label count
    (0 there), kappa goes to each image's own class, and each image stops on its own."""

    supported_mode = ("default", "targeted")
    rule = "L1"

    def __init__(
        self,
        model,
        kappa=0,
        lr=0.01,
        binary_search_steps=9,
        max_iterations=100,
        abort_early=True,
        initial_const=0.001,
        beta=0.001,
    ):
        super().__init__(type(self).__name__, model)
        check_elastic(self.attack, kappa=kappa, lr=lr, binary_search_steps=binary_search_steps,
                      max_iterations=max_iterations, initial_const=initial_const,
                      beta=beta)  # fmt: skip
        self.kappa, self.lr, self.binary_search_steps = kappa, lr, binary_search_steps
        self.max_iterations, self.abort_early = max_iterations, abort_early
        self.initial_const, self.beta = initial_const, beta
        self.repeat = binary_search_steps >= 10

    def climb(self, images, labels, targets):
        options = ElasticNet(
            searches=self.binary_search_steps, steps=self.max_iterations, step_size=self.lr,
            confidence=self.kappa, initial_const=self.initial_const, beta=self.beta,
            rule=self.rule, abort_early=self.abort_early, warm=True, lead=1, gain=1e-6,
            check_every=max(1, self.max_iterations // 10), looks_ahead=False,
        )  # fmt: skip
        targeted = targets is not None
        classes = targets if targeted else labels
        return elastic_net(self.model01, images, classes, targeted, options)


class EADEN(EADL1):
    """The same; the image of least L2^2 + beta L1 is kept."""

    rule = "EN"
