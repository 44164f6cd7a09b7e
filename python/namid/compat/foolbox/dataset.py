# SPDX-License-Identifier: Apache-2.0
"""foolbox's interface: other images as adversarial ones."""

import numpy as np
import torch

from namid._scope import frozen_eval
from namid.compat.foolbox.base import images_of
from namid.compat.foolbox.plain import OfAnyDistance


class DatasetAttack(OfAnyDistance):
    """The first, in a random order for each image, of all images handed to `feed` that the model
    takes for another class (or for the target). The library tries only as many as the batch has,
    never the one at the image's own place; here only the image itself is left out, so that results
    are the library's where what was fed is the batch. Draws are NumPy's."""

    def __init__(self, *, distance=None):
        super().__init__(distance=distance)
        self.raw_inputs, self.raw_outputs = [], []
        self.inputs, self.outputs = None, None

    def feed(self, model, inputs):
        """Adds a batch of images, with what the model says of them."""
        x = images_of(model, inputs)
        with frozen_eval(model.module), torch.no_grad():
            self.raw_outputs.append(model.logits(x))
        self.raw_inputs.append(x)

    def process_raw(self):
        """Joins what was fed since the last time to what was there."""
        if self.inputs is not None:
            self.raw_inputs.insert(0, self.inputs)
            self.raw_outputs.insert(0, self.outputs)
        if not self.raw_inputs:
            raise ValueError(
                "DatasetAttack: no images to choose from: call feed(model, images) first"
            )
        self.inputs, self.outputs = torch.cat(self.raw_inputs), torch.cat(self.raw_outputs)
        self.raw_inputs, self.raw_outputs = [], []

    def search(self, judge, x):
        self.process_raw()
        if self.inputs.shape[1:] != x.shape[1:]:
            raise ValueError(
                f"inputs: expected images of the shape fed, {tuple(self.inputs.shape[1:])}, got "
                f"{tuple(x.shape[1:])}"
            )
        taken_for = self.outputs.argmax(1)
        result, wrong = x.clone(), judge.adversarial(x)
        for row, label in enumerate(judge.classes):
            places = np.arange(len(self.inputs))
            if row < len(places) and torch.equal(self.inputs[row], x[row]):
                places = np.delete(places, row)
            order = torch.from_numpy(np.random.permutation(places)).to(x.device)
            fooling = (taken_for[order] != label) ^ judge.targeted
            if bool(fooling.any()) and not bool(wrong[row]):
                result[row] = self.inputs[order[fooling.int().argmax()]]
        return result

    def __repr__(self):
        fed = sum(map(len, [*self.raw_inputs, *([] if self.inputs is None else [self.inputs])]))
        return f"{type(self).__name__}(distance={self._distance}, images={fed})"
