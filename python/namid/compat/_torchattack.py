# SPDX-License-Identifier: Apache-2.0
"""The base class of torchattacks' interface."""

import torch

from namid import attacks
from namid._scope import frozen_eval
from namid.compat._shared import device_of, fresh_seed


class Attack:
    """`perturb(images, labels, targeted)` is what a class adds; images are in [0, 1] there."""

    supported_mode = ("default", "targeted")

    def __init__(self, name, model):
        self.attack, self.model = name, model
        self.attack_mode, self.targeted = "default", False
        self._target_map, self._mean_std, self._device = None, None, None

    @property
    def device(self):
        return self._device

    def set_device(self, device):
        self._device = torch.device(device)

    def set_model(self, model):
        self.model = model

    # Normalisation: the images handed over are normalised, namid's are in [0, 1].

    def set_normalization_used(self, mean, std):
        n = len(mean)
        self._mean_std = tuple(torch.tensor(list(v)).reshape(1, n, 1, 1) for v in (mean, std))

    def normalize(self, inputs):
        mean, std = (v.to(inputs) for v in self._mean_std)
        return (inputs - mean) / std

    def inverse_normalize(self, inputs):
        mean, std = (v.to(inputs) for v in self._mean_std)
        return inputs * std + mean

    def model01(self, images):
        """The model on images in [0, 1]."""
        return self.model(images if self._mean_std is None else self.normalize(images))

    # Modes: what labels mean.

    def get_mode(self):
        return self.attack_mode

    def set_mode_default(self):
        self.attack_mode, self.targeted, self._target_map = "default", False, None

    def _set_targeted(self, mode, target_map, quiet):
        if "targeted" not in self.supported_mode:
            raise ValueError(f"{self.attack}: cannot move towards a given class")
        self.attack_mode, self.targeted, self._target_map = mode, True, target_map
        if not quiet:
            print(f"attack mode: {mode}")

    def set_mode_targeted_by_function(self, target_map_function, quiet=False):
        self._set_targeted("targeted(custom)", target_map_function, quiet)

    def set_mode_targeted_by_label(self, quiet=False):
        self._set_targeted("targeted(label)", lambda images, labels: labels, quiet)

    def set_mode_targeted_random(self, quiet=False):
        self._set_targeted("targeted(random)", self._random_target, quiet)

    def set_mode_targeted_least_likely(self, kth_min=1, quiet=False):
        self._kth_min = kth_min
        self._set_targeted("targeted(least-likely)", self._least_likely, quiet)

    def set_model_training_mode(
        self, model_training=False, batchnorm_training=False, dropout_training=False
    ):
        if model_training or batchnorm_training or dropout_training:
            raise NotImplementedError(
                "set_model_training_mode: namid attacks models in eval mode; put what is to stay "
                "in train mode inside a function and attack that"
            )

    def _logits(self, images):
        with frozen_eval(self.model), torch.no_grad():
            return self.model01(images)

    def predict(self, images):
        return self._logits(images).argmax(1)

    def _random_target(self, images, labels):
        classes = self._logits(images[:1]).shape[1]
        labels = self.predict(images) if labels is None else labels
        step = torch.randint(1, classes, labels.shape, device=labels.device)
        return (labels + step) % classes

    def _least_likely(self, images, labels):
        logits = self._logits(images).clone()
        labels = logits.argmax(1) if labels is None else labels
        logits[torch.arange(len(logits)), labels] = float("inf")
        return logits.argsort(1)[:, self._kth_min - 1]

    # Attacking.

    def run(self, name, images, labels, targeted, **options):
        options.setdefault("seed", None)
        if options["seed"] is None:
            options["seed"] = fresh_seed()
        if targeted:
            options["targeted"] = True
        with frozen_eval(self.model):
            return attacks.run(name, self.model01, images, labels, **options).adv

    def inner(self, images, labels):
        """The attack on images in [0, 1]."""
        if self.targeted:
            return self.perturb(images, self._target_map(images, labels), True)
        return self.perturb(images, self.predict(images) if labels is None else labels, False)

    def forward(self, inputs, labels=None):
        return self(inputs, labels)

    def __call__(self, inputs, labels=None, *args, **kwargs):
        device = self._device or device_of(self.model, inputs)
        images = inputs.detach().to(device)
        labels = None if labels is None else labels.detach().to(device)
        if self._mean_std is None:
            return self.inner(images, labels)
        adv = self.inner(self.inverse_normalize(images).clamp(0, 1), labels)
        return self.normalize(adv)

    def save(self, data_loader, save_path=None, verbose=True, return_verbose=False,
             save_predictions=False, save_clean_inputs=False, save_type="float"):  # fmt: skip
        """Attacks a loader's batches; the file is read back by `load` or torch.load."""
        if save_type not in ("float", "int"):
            raise ValueError(f"save_type: expected float or int, got {save_type}")
        rows = {"adv_inputs": [], "labels": [], "preds": [], "clean_inputs": []}
        right, squares = 0, []
        for inputs, labels in data_loader:
            adv = self(inputs, labels).cpu()
            preds = self._predict_as_given(adv)
            right += int((preds == labels).sum())
            squares.append((adv - inputs)[preds != labels].flatten(1).norm(dim=1))
            for key, value in zip(rows, (adv, labels, preds, inputs)):
                rows[key].append(value)
        kept = {key: torch.cat(value) for key, value in rows.items()}
        accuracy = 100 * right / len(kept["labels"])
        l2 = float(torch.cat(squares).mean()) if len(torch.cat(squares)) else 0.0
        if verbose:
            print(f"robust accuracy {accuracy:.2f} %, mean L2 of what succeeded {l2:.5f}")
        if save_path is not None:
            self._write(save_path, kept, save_predictions, save_clean_inputs, save_type)
        return (accuracy, l2, 0.0) if return_verbose else None

    def _predict_as_given(self, inputs):
        with frozen_eval(self.model), torch.no_grad():
            return self.model(inputs.to(device_of(self.model, inputs))).argmax(1).cpu()

    def _write(self, path, kept, save_predictions, save_clean_inputs, save_type):
        def stored(inputs):
            images = inputs if self._mean_std is None else self.inverse_normalize(inputs)
            return (images * 255).round().to(torch.uint8) if save_type == "int" else images

        keys = ["adv_inputs", "labels"] + ["preds"] * save_predictions
        keys += ["clean_inputs"] * save_clean_inputs
        tensors = {k: stored(kept[k]) if k.endswith("inputs") else kept[k] for k in keys}
        torch.save({**tensors, "save_type": save_type}, path)

    def load(self, load_path, batch_size=128, shuffle=False, normalize=None,
             load_predictions=False, load_clean_inputs=False):  # fmt: skip
        """A loader over what `save` wrote."""
        saved = torch.load(load_path, weights_only=True)
        keys = ["adv_inputs"] + ["clean_inputs"] * load_clean_inputs
        inputs = [saved[k].float() / (255 if saved["save_type"] == "int" else 1) for k in keys]
        if normalize is not None:
            n = len(normalize["mean"])
            mean, std = (torch.tensor(normalize[k]).reshape(1, n, 1, 1) for k in ("mean", "std"))
            inputs = [(images - mean) / std for images in inputs]
        rest = ["labels"] + ["preds"] * load_predictions
        tensors = [inputs[0], *(saved[k] for k in rest), *inputs[1:]]
        dataset = torch.utils.data.TensorDataset(*tensors)
        return torch.utils.data.DataLoader(dataset, batch_size=batch_size, shuffle=shuffle)

    def __repr__(self):
        hidden = ("model", "attack")
        shown = {k: v for k, v in vars(self).items() if not k.startswith("_") and k not in hidden}
        return f"{self.attack}({', '.join(f'{k}={v}' for k, v in shown.items())})"
