# SPDX-License-Identifier: Apache-2.0
"""The interface of AutoAttack (croce2020reliable), fra31/auto-attack:

adversary = AutoAttack(model, norm="Linf", eps=8/255, version="standard")
x_adv = adversary.run_standard_evaluation(images, labels, bs=100)
"""

import time
from types import SimpleNamespace

import torch

from namid import attacks
from namid._scope import frozen_eval

_NORMS = {"Linf": "linf", "L2": "l2", "L1": "l1"}
_VERSIONS = {
    "standard": ["apgd-ce", "apgd-t", "fab-t", "square"],
    "plus": ["apgd-ce", "apgd-dlr", "fab", "square", "apgd-t", "fab-t"],
    "rand": ["apgd-ce", "apgd-dlr"],
}


class AutoAttack:
    """Attacks run one after the other, each on what is still right. Adversarial images are the rows
    that an attack broke; all others are returned as they came."""

    def __init__(self, model, norm="Linf", eps=0.3, seed=None, verbose=True, attacks_to_run=[],
                 version="standard", is_tf_model=False, device="cuda", log_path=None):  # fmt: skip
        if norm not in _NORMS:
            raise AssertionError(f"norm: expected Linf, L2 or L1, got {norm}")
        if is_tf_model:
            raise NotImplementedError("AutoAttack: is_tf_model: namid attacks PyTorch models")
        if version != "custom" and len(attacks_to_run) > 0:
            raise ValueError("attacks_to_run: a list of one's own needs version='custom'")
        self.model, self.norm, self.epsilon, self.seed = model, norm, eps, seed
        self.verbose, self.attacks_to_run, self.version = verbose, list(attacks_to_run), version
        self.is_tf_model, self.device, self.log_path = is_tf_model, device, log_path
        gradient = {"n_iter": 100, "eot_iter": 1, "rho": 0.75, "use_largereps": False}
        self.apgd = SimpleNamespace(n_restarts=5, **gradient)
        self.apgd_targeted = SimpleNamespace(n_restarts=1, n_target_classes=9, **gradient)
        self.fab = SimpleNamespace(
            n_restarts=5, n_iter=100, n_target_classes=9, alpha_max=0.1, eta=1.05, beta=0.9
        )
        self.square = SimpleNamespace(p_init=0.8, n_queries=5000, n_restarts=1, resc_schedule=False)
        if version in _VERSIONS:
            self.set_version(version)

    def set_version(self, version="standard"):
        self.attacks_to_run = list(_VERSIONS[version])
        self.apgd.n_restarts = 5 if version == "plus" else 1
        self.fab.n_restarts = 5 if version == "plus" else 1
        self.apgd.eot_iter = 20 if version == "rand" else 1
        if version == "standard" and self.norm == "L1":
            self.apgd.n_restarts, self.apgd_targeted.n_target_classes = 5, 5
            self.apgd.use_largereps = self.apgd_targeted.use_largereps = True

    def get_logits(self, x):
        return self.model(x)

    def get_seed(self):
        return int(time.time()) if self.seed is None else self.seed

    def _log(self, text):
        if self.verbose:
            print(text)
        if self.log_path:
            with open(self.log_path, "a") as log:
                log.write(text + "\n")

    def _device(self, x):
        wanted = torch.device(self.device)
        return x.device if wanted.type == "cuda" and not torch.cuda.is_available() else wanted

    def _options(self, attack):
        """namid's options of the attack, from the objects that callers may change."""
        if attack.startswith("apgd"):
            source = self.apgd_targeted if attack == "apgd-t" else self.apgd
            options = {"steps": source.n_iter, "restarts": source.n_restarts, "rho": source.rho}
            options["eot"] = source.eot_iter
            if self.norm == "L1":
                options["larger_epsilon"] = source.use_largereps
            return (
                {**options, "targets": source.n_target_classes} if attack == "apgd-t" else options
            )
        if attack == "square":
            options = {"queries": self.square.n_queries, "restarts": self.square.n_restarts}
            options["rescale_schedule"] = self.square.resc_schedule
            return {**options, "p_init": self.square.p_init}
        fab = self.fab
        options = {"steps": fab.n_iter, "restarts": fab.n_restarts if attack == "fab" else 1}
        options = {**options, "alpha_max": fab.alpha_max, "eta": fab.eta, "beta": fab.beta}
        return {**options, "targets": fab.n_target_classes} if attack == "fab-t" else options

    def _predict(self, x):
        with frozen_eval(self.model), torch.no_grad():
            return self.get_logits(x).argmax(1)

    def _attack(self, name, x, y):
        options = {"norm": _NORMS[self.norm], "epsilon": self.epsilon, "seed": self.get_seed()}
        found = attacks.run(name, self.get_logits, x, y, **options, **self._options(name))
        return found.adv

    def run_standard_evaluation(self, x_orig, y_orig, bs=250, return_labels=False, state_path=None):
        if state_path is not None:
            raise NotImplementedError(
                "AutoAttack: state_path: namid.evaluate can be resumed instead"
            )
        unknown = set(self.attacks_to_run) - set(_VERSIONS["plus"])
        if unknown:
            raise ValueError(f"AutoAttack: attacks_to_run: unknown {', '.join(sorted(unknown))}")
        device, start = self._device(x_orig), time.time()
        x_adv, y_adv = x_orig.clone().detach(), torch.empty_like(y_orig)
        for rows in torch.arange(len(x_orig)).split(bs):
            y_adv[rows] = self._predict(x_orig[rows].to(device)).to(y_adv.device)
        robust = (y_adv == y_orig).cpu()
        self._log(f"clean accuracy {robust.float().mean():.2%}")
        for name in self.attacks_to_run:
            for rows in robust.nonzero().flatten().split(bs):
                if len(rows) == 0:
                    continue
                y = y_orig[rows].to(device)
                with frozen_eval(self.model):
                    adv = self._attack(name, x_orig[rows].to(device), y)
                found = self._predict(adv)
                wrong = (found != y).cpu()
                x_adv[rows[wrong]] = adv[wrong].to(x_adv)
                y_adv[rows[wrong]] = found[wrong].to(y_adv)
                robust[rows[wrong]] = False
            self._log(
                f"{name}: robust accuracy {robust.float().mean():.2%}, {time.time() - start:.1f} s"
            )
        return (x_adv, y_adv) if return_labels else x_adv

    def clean_accuracy(self, x_orig, y_orig, bs=250):
        device = self._device(x_orig)
        parts = torch.arange(len(x_orig)).split(bs)
        right = sum(
            int((self._predict(x_orig[rows].to(device)).cpu() == y_orig[rows].cpu()).sum())
            for rows in parts
        )
        self._log(f"clean accuracy {right / len(x_orig):.2%}")
        return right / len(x_orig)

    def run_standard_evaluation_individual(self, x_orig, y_orig, bs=250, return_labels=False):
        """{attack: its adversarial images}, each attack alone on everything."""
        every, found = self.attacks_to_run, {}
        try:
            for name in every:
                self.attacks_to_run = [name]
                found[name] = self.run_standard_evaluation(x_orig, y_orig, bs, return_labels)
        finally:
            self.attacks_to_run = every
        return found


__all__ = ["AutoAttack"]
