# SPDX-License-Identifier: Apache-2.0
"""torchattacks' interface: surrogates collected along a run of SGD."""

import copy
import itertools
import os
import random

import torch
from torch.nn import functional

from namid.compat._shared import at_least, device_of
from namid.compat._torchattack import Attack
from namid.compat._torchattack_pgd import BIM


class LGV(Attack):
    """Gubri et al. 2022 (arXiv:2207.13129): an attack on models that SGD with a high constant rate
    passes through. Unlike the library: a copy trains in images' units where normalisation is set,
    at least one batch is taken per model, and every targeted mode works."""

    supported_mode = ("default", "targeted")

    def __init__(
        self,
        model,
        trainloader,
        lr=0.05,
        epochs=10,
        nb_models_epoch=4,
        wd=1e-4,
        n_grad=1,
        verbose=True,
        attack_class=BIM,
        **kwargs,
    ):
        if not isinstance(model, torch.nn.Module):
            raise ValueError(f"LGV: model: expected a torch.nn.Module, got {type(model).__name__}")
        super().__init__("LGV", copy.deepcopy(model))
        if not (isinstance(attack_class, type) and issubclass(attack_class, Attack)):
            raise ValueError("LGV: attack_class: expected a class of namid.compat.torchattacks")
        if not isinstance(lr, float) or not lr >= 0:
            raise ValueError(f"LGV: lr: expected a non-negative float, got {lr}")
        at_least("LGV", 0, epochs=epochs, wd=wd)
        at_least("LGV", 1, nb_models_epoch=nb_models_epoch)
        if n_grad != -1:
            at_least("LGV", 1, n_grad=n_grad)
        self.trainloader, self.lr, self.epochs = trainloader, lr, epochs
        self.nb_models_epoch, self.wd, self.n_grad = nb_models_epoch, wd, n_grad
        self.order, self.attack_class, self.verbose = "shuffle", attack_class, verbose
        self.kwargs_att = kwargs
        self.list_models, self.base_attack = [], None

    def collect_models(self):
        """Trains the copy and keeps what it passes through, in the mode that the model was given
        in."""
        training = self.model.training
        batches = max(1, int(len(self.trainloader) * (1.0 / self.nb_models_epoch)))
        self.model.train().requires_grad_(True)
        optimizer = torch.optim.SGD(
            self.model.parameters(), lr=self.lr, momentum=0.9, weight_decay=self.wd
        )
        device = device_of(self.model, torch.empty(0))
        for _ in range(self.epochs * self.nb_models_epoch):
            for images, labels in itertools.islice(self.trainloader, batches):
                logits = self.model01(images.to(device))
                optimizer.zero_grad()
                functional.cross_entropy(logits, labels.to(device)).backward()
                optimizer.step()
            self.list_models.append(copy.deepcopy(self.model).train(training))
        self.model.train(training)

    def load_models(self, list_models):
        if not isinstance(list_models, list):
            raise ValueError("LGV: list_models: expected a list of models")
        self.list_models = list_models

    def save_models(self, path):
        """A file of each model's state dict, numbered, in the folder `path`."""
        if not self.list_models:
            raise RuntimeError("LGV: no models to save; call collect_models() first")
        os.makedirs(path, exist_ok=True)
        for i, model in enumerate(self.list_models):
            file = os.path.join(path, f"lgv_model_{i:05}.pt")
            torch.save({"state_dict": model.state_dict()}, file)

    def inner(self, images, labels):
        if not self.list_models:
            self._say(f"collecting models for {self.epochs} epochs")
            with torch.enable_grad():
                self.collect_models()
        if self.base_attack is None:
            self._say(f"attacking them with {self.attack_class.__name__}")
            device = device_of(self.model, images)
            self.list_models = [model.to(device) for model in self.list_models]
            ensemble = LightEnsemble(self.list_models, self.order, self.n_grad)
            self.base_attack = self.attack_class(ensemble, **self.kwargs_att)
        self._hand_on(self.base_attack)
        return self.base_attack.inner(images, labels)

    def _say(self, text):
        if self.verbose:
            print(f"LGV: {text}")

    def _hand_on(self, attack):
        """Normalisation, and the mode: what asks for predictions asks the ensemble."""
        attack._mean_std = self._mean_std
        if self.attack_mode == "default":
            attack.set_mode_default()
        elif self.attack_mode == "targeted(random)":
            attack.set_mode_targeted_random(quiet=True)
        elif self.attack_mode == "targeted(least-likely)":
            attack.set_mode_targeted_least_likely(self._kth_min, quiet=True)
        else:
            attack.set_mode_targeted_by_function(self._target_map, quiet=True)


class LightEnsemble(torch.nn.Module):
    """The mean logits of n_grad models, of all of them in shuffled order; it is the next models'
    turn with each call for a gradient (with any call in the library)."""

    def __init__(self, list_models, order="shuffle", n_grad=1):
        super().__init__()
        if len(list_models) == 0:
            raise ValueError("LightEnsemble: expected at least one model")
        if n_grad != -1:
            at_least("LightEnsemble", 1, n_grad=n_grad)
        if order not in ("shuffle", "random", None):
            raise ValueError(f"LightEnsemble: order: expected shuffle, random or None, got {order}")
        if order == "shuffle":
            random.shuffle(list_models)
        self.models = torch.nn.ModuleList(list_models)
        self.n_models, self.order, self.n_grad, self.f_count = len(list_models), order, n_grad, 0

    def forward(self, x):
        chosen = self._chosen()
        self.f_count += self.n_grad if x.requires_grad else 0
        if len(chosen) == 1:
            return self.models[chosen[0]](x)
        return torch.stack([self.models[i](x.clone()) for i in chosen]).mean(0)

    def _chosen(self):
        if self.n_grad == -1 or self.n_grad >= self.n_models:
            return range(self.n_models)
        if self.order == "random":
            return sorted(random.sample(range(self.n_models), self.n_grad))
        turn = range(self.f_count, self.f_count + self.n_grad)
        return sorted(i % self.n_models for i in turn)
