# SPDX-License-Identifier: Apache-2.0
"""foolbox's interface: rotations and translations, an attack without epsilons."""

import torch

from namid import attacks
from namid._scope import frozen_eval
from namid.compat._shared import fresh_seed, refuse
from namid.compat.foolbox.base import Attack, criterion_of, images_of, no_more
from namid.compat.foolbox.models import like


class SpatialAttack(Attack):
    """Shifts are in foolbox's unit. Random cells are each sample's own; foolbox gives a batch the
    same ones."""

    def __init__(self, max_translation=3, max_rotation=30, num_translations=5, num_rotations=5,
                 grid_search=True, random_steps=100):  # fmt: skip
        for name, count in (("num_translations", num_translations), ("num_rotations", num_rotations)):
            refuse(grid_search and count == 1,
                   f"foolbox.attacks.SpatialAttack: {name}=1 (foolbox takes the lowest)")  # fmt: skip
        self.max_translation, self.max_rotation = max_translation, max_rotation
        self.num_translations, self.num_rotations = num_translations, num_rotations
        self.grid_search, self.random_steps = grid_search, random_steps

    def __call__(self, model, inputs, criterion, **kwargs):
        """(adversarial, adversarial, success); images that are wrong as they are stay so."""
        no_more(kwargs)
        x, (y, targeted) = images_of(model, inputs), criterion_of(criterion)
        if targeted:
            raise ValueError("unsupported criterion: SpatialAttack is not targeted")
        if x.dim() != 4:
            raise NotImplementedError("SpatialAttack: expected images (N, C, H, W)")
        low, high = model.bounds
        scale = high - low
        with frozen_eval(model.module):
            found = attacks.spatial_grid(
                lambda images: model.logits(images * scale + low), (x - low) / scale, y,
                max_rotation=float(self.max_rotation), max_shift=float(self.max_translation),
                rotations=self.num_rotations, shifts=self.num_translations,
                draws=0 if self.grid_search else self.random_steps, unit="foolbox",
                seed=fresh_seed(),
            )  # fmt: skip
            taken = (found.cell >= 0).reshape(-1, 1, 1, 1)
            adv = torch.where(taken, found.adv * scale + low, x)
            with torch.no_grad():
                success = model.logits(adv).argmax(1) != y
        return like(adv, inputs), like(adv, inputs), like(success, inputs)

    def run(self, model, inputs, criterion, **kwargs):
        """The adversarial images alone."""
        return self(model, inputs, criterion, **kwargs)[0]

    def repeat(self, times):
        if self.grid_search:
            raise ValueError("repeat is not supported where the attack is deterministic")
        return SpatialAttack(self.max_translation, self.max_rotation, self.num_translations,
                             self.num_rotations, False, self.random_steps * times)  # fmt: skip
