# SPDX-License-Identifier: Apache-2.0
"""Training steps of the estimators, computed again from their inputs (estimation_step_test.cpp).

usage: estimation_step.py CASE...
"""
import pathlib
import sys

import torch

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "support"))
from reference_step import (Comparison, Critic, InternalLastNet, InternalNet, LocalNet, LogitsNet,  # noqa: E402
                            cosine, dv_loss, labels, read_case, under, with_state)

GLOBAL_NETS = {"logits": LogitsNet, "internal": InternalNet, "internal_last": InternalLastNet}


def masked_mean(loss, mask):
    return (loss * mask).sum() / mask.sum() if mask.sum() > 0 else loss.mean()


class Step:
    def __init__(self, path):
        self.case, self.options = read_case(path)
        case = self.case
        self.x, self.x_adv = case["x"], case["x_adv"]
        self.noise = self.x_adv - self.x
        self.on_natural, self.on_adversarial = case["output_natural"], case["output_adversarial"]
        rule = self.options["selection"]
        self.right_on_x = (labels(case["logits_natural"], rule) == case["y"]).double()
        self.right_on_adv = (labels(case["logits_adversarial"], rule) == case["y"]).double()
        self.right = self.right_on_x * self.right_on_adv
        self.wrong = self.right_on_x * (1 - self.right_on_adv)

    def critic(self, side):
        local = under(self.case, f"before.{side}.local.")
        glob = under(self.case, f"before.{side}.global.")
        units, inputs = local["linear_shortcut.weight"].shape[0], glob["block_nonlinear.0.weight"].shape[1]
        return Critic(with_state(LocalNet(self.x.shape[1], units), local),
                      with_state(GLOBAL_NETS[self.options["layer"]](inputs, units), glob),
                      self.options["dv_mask"])

    def eq4(self, own, mask):
        return masked_mean(own, mask) if self.options["select_eq4"] == "reference" else own.mean()

    def eq5(self, nets, former, own_output, other_output):
        """The subtracted score clamped per sample; one local forward, own output first."""
        features = nets.local_net(former)
        own = dv_loss(nets.global_net(own_output), features, nets.mask)
        other = dv_loss(nets.global_net(other_output), features, nets.mask)
        return masked_mean(own, self.wrong) + masked_mean((-other).clamp(min=0), self.wrong)

    def released_natural(self, loss):
        """Every loss that is named is a forward of its own."""
        if self.right_on_x.sum() == 0:
            return loss(self.x, self.on_natural).mean()
        total = 0
        for weight, mask, alike in ((0.5, self.right, True), (1.0, self.wrong, False)):
            if mask.sum() > 0:
                s = cosine(loss(self.x, self.on_natural) * mask, loss(self.x, self.on_adversarial) * mask)
                penalty = 5 * ((1 - s) if alike else s).abs()
                score = (loss(self.x, self.on_natural) * mask).sum() / self.right_on_x.sum()
                total = total + weight * (penalty + score)
        return total

    def released_adversarial(self, loss):
        right, wrong = self.right, self.wrong
        if self.right_on_x.sum() == 0:
            return loss(self.noise, self.on_adversarial).mean()
        total = 0
        if wrong.sum() > 0:
            own, other = loss(self.noise, self.on_adversarial), loss(self.noise, self.on_natural)
            total = total + 5 * cosine(own * wrong, other * wrong).abs() + (own * wrong).sum() / wrong.sum()
        if right.sum() > 0:
            other, own = loss(self.noise, self.on_natural), loss(self.noise, self.on_adversarial)
            total = total + 0.5 * (8 * (1 - cosine(other * right, own * right)).abs()
                                   - 0.1 * (own * right).sum() / right.sum())
        return total

    def losses(self):
        """By side: the nets and their loss."""
        objective, natural = self.options["objective"], self.critic("natural")
        if objective == "natural":
            return {"natural": (natural, natural.loss(self.x, self.on_natural).mean())}
        if objective == "standard":
            return {"natural": (natural, natural.loss(self.x_adv, self.on_adversarial).mean())}
        adversarial = self.critic("adversarial")
        if objective == "separate":
            own = natural.loss(self.x, self.on_natural), adversarial.loss(self.noise, self.on_adversarial)
            pair = self.eq4(own[0], self.right_on_x), self.eq4(own[1], 1 - self.right_on_adv)
        elif self.options["contrast"] == "cosine":
            pair = self.released_natural(natural.loss), self.released_adversarial(adversarial.loss)
        else:
            pair = (self.eq5(natural, self.x, self.on_natural, self.on_adversarial),
                    self.eq5(adversarial, self.noise, self.on_adversarial, self.on_natural))
        return {"natural": (natural, pair[0]), "adversarial": (adversarial, pair[1])}

    def holds(self):
        compare, rate = Comparison(), float(self.options["lr"])
        for side, (nets, loss) in self.losses().items():
            compare.add("losses", side, self.case[f"loss.{side}"], loss)
            parts = {"local": nets.local_net, "global": nets.global_net}
            # The released code has an optimiser per net and steps local, then global.
            optimizers = [torch.optim.Adam(part.parameters(), lr=rate) for part in parts.values()]
            loss.backward()
            for optimizer in optimizers:
                optimizer.step()
            for name, part in parts.items():
                after = under(self.case, f"after.{side}.{name}.")
                compare.add_network(f"{side}.{name}", part, under(self.case, f"grad.{side}.{name}."), after)
                for key, parameter in part.named_parameters():
                    compare.add("parameters", f"{side}.{name}.{key}", after[key], parameter, rate)
        return compare.holds()


results = []
for case in sys.argv[1:]:
    print(pathlib.Path(case).stem)
    results.append(Step(case).holds())
sys.exit(0 if results and all(results) else 1)
