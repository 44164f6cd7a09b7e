# SPDX-License-Identifier: Apache-2.0
"""foolbox's interface: the elastic-net attack."""

import math

from namid.compat._elastic import ElasticNet, check_elastic, elastic_net
from namid.compat.foolbox.distances import l1
from namid.compat.foolbox.plain import Smallest


class EADAttack(Smallest):
    """Elastic net. Images that it does not break come back as they were (black in the
    library), and each image stops on its own (there the batch does)."""

    distance = l1

    def __init__(self, binary_search_steps=9, steps=10000, initial_stepsize=1e-2, confidence=0.0,
                 initial_const=1e-3, regularization=1e-2, decision_rule="EN",
                 abort_early=True):  # fmt: skip
        if decision_rule not in ("EN", "L1"):
            raise ValueError(f"invalid decision rule: expected EN or L1, got {decision_rule}")
        check_elastic("EADAttack", binary_search_steps=binary_search_steps, steps=steps,
                      initial_stepsize=initial_stepsize, confidence=confidence,
                      initial_const=initial_const, regularization=regularization)  # fmt: skip
        self.binary_search_steps, self.steps, self.confidence = (
            binary_search_steps, steps, confidence)  # fmt: skip
        self.initial_stepsize, self.regularization = initial_stepsize, regularization
        self.initial_const, self.abort_early = initial_const, abort_early
        self.decision_rule = decision_rule

    def search(self, judge, x):
        options = ElasticNet(
            searches=self.binary_search_steps, steps=self.steps, step_size=self.initial_stepsize,
            confidence=self.confidence, initial_const=self.initial_const,
            beta=self.regularization, rule=self.decision_rule, abort_early=self.abort_early,
            low=judge.low, high=judge.high, check_every=max(1, math.ceil(self.steps / 10)),
        )  # fmt: skip
        return elastic_net(judge.model.logits, x, judge.classes, judge.targeted, options)
