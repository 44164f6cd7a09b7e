# SPDX-License-Identifier: Apache-2.0
"""torchattacks' interface: a few pixels changed or moved by chance, without gradients. Draws come
from NumPy's global generator in the library's order, image after image."""

import numpy
import torch

from namid.compat._shared import at_least
from namid.compat._torchattack_plain import Plain


class _ByChance(Plain):
    """`search(image, verdict)` for each image (1, C, H, W); verdict(images) gives what is to be
    small, the class's probability or 1 less that of the target, and which images are done."""

    supported_mode = ("default", "targeted")
    at_once = 128

    def climb(self, images, labels, targets):
        images = images[None] if images.dim() == 3 else images
        self.need_pixels(images)
        classes = (labels if targets is None else targets).reshape(-1)

        def verdict_of(class_):
            def verdict(batch):
                logits = torch.cat([self.logits(part) for part in batch.split(self.at_once)])
                share = logits.softmax(1)[:, class_].cpu().numpy()
                wins = (logits.argmax(1) == class_).cpu().numpy()
                return (share, ~wins) if targets is None else (1 - share, wins)

            return verdict

        found = [
            self.search(image[None], verdict_of(int(class_)))
            for image, class_ in zip(images, classes)
        ]
        return torch.cat(found) if found else images


class OnePixel(_ByChance):
    """Su et al. 2019 (arXiv:1710.08864): places and values of a few pixels by differential
    evolution."""

    def __init__(self, model, pixels=1, steps=10, popsize=10, inf_batch=128):
        super().__init__("OnePixel", model)
        at_least("OnePixel", 1, pixels=pixels, popsize=popsize, inf_batch=inf_batch)
        at_least("OnePixel", 0, steps=steps)
        self.pixels, self.steps, self.popsize, self.inf_batch = pixels, steps, popsize, inf_batch

    @property
    def at_once(self):
        return self.inf_batch

    def search(self, image, verdict):
        size = self.pixels * (2 + image.shape[1])
        members = max(5, size * max(1, self.popsize // size))
        best = evolve(
            lambda population: verdict(self._painted(image, population)), members, size, self.steps
        )
        return self._painted(image, best[None])

    def _painted(self, image, population):
        """An image per member: row, column and value of each channel of each pixel, all in [0,
        1]."""
        height, width = image.shape[2:]
        genes = torch.from_numpy(population.reshape(len(population), self.pixels, -1))
        rows = (genes[..., 0] * height).long().clamp(max=height - 1)
        columns = (genes[..., 1] * width).long().clamp(max=width - 1)
        adv, members = image.repeat(len(genes), 1, 1, 1), torch.arange(len(genes))
        for k in range(self.pixels):  # in turn: of two at one place the later stays
            adv[members, :, rows[:, k], columns[:, k]] = genes[:, k, 2:].to(adv)
        return adv


def evolve(verdict, members, size, generations):
    """Differential evolution, best/1 with a weight drawn per generation (Storn and Price 1997),
    over [0, 1]^size: the best member, as soon as it is done."""
    draw = numpy.random
    population = draw.random_sample((members, size))
    loss, done = (values.copy() for values in verdict(population))
    best = int(loss.argmin())
    for values in (population, loss, done):
        values[[0, best]] = values[[best, 0]]
    for _ in range(generations):
        weight = draw.rand() / 2 + 0.5
        trials = numpy.stack([_mutant(population, member, weight) for member in range(members)])
        outside = (trials < 0) | (trials > 1)
        trials[outside] = draw.rand(int(outside.sum()))
        trial_loss, trial_done = verdict(trials)
        better, best = trial_loss < loss, int(trial_loss.argmin())
        nearer = trial_loss[best] < loss[0]
        for values, new in ((population, trials), (loss, trial_loss), (done, trial_done)):
            values[better] = new[better]
            if nearer:
                values[0] = new[best]
        if done[0]:
            break
    return population[0]


def _mutant(population, member, weight):
    """The best member plus the weighted difference of two others."""
    draw, (members, size) = numpy.random, population.shape
    draw.randint(0, size)  # the library draws where to cross over, and crosses everywhere
    others = [other for other in range(members) if other != member]
    draw.shuffle(others)
    draw.rand(size)
    return population[0] + weight * (population[others[0]] - population[others[1]])


_MAPPINGS = ("random", "similarity", "similarity_random", "distance", "distance_random")


class Pixle(_ByChance):
    """Pomponi et al. 2022 (arXiv:2202.02236): a patch's pixels are copied over others, drawn or
    chosen by likeness. Unlike the library: rows and columns of the chosen are not exchanged, images
    need not be square, and update_each_iteration takes batches."""

    def __init__(
        self,
        model,
        x_dimensions=(2, 10),
        y_dimensions=(2, 10),
        pixel_mapping="random",
        restarts=20,
        max_iterations=10,
        update_each_iteration=False,
    ):
        super().__init__("Pixle", model)
        if not isinstance(restarts, int) or restarts < 0:
            raise ValueError(f"Pixle: restarts: expected an integer of at least 0, got {restarts}")
        at_least("Pixle", 0, max_iterations=max_iterations)
        self.update_each_iteration, self.max_patches = update_each_iteration, max_iterations
        self.restarts, self.pixel_mapping = restarts, pixel_mapping.lower()
        if self.pixel_mapping not in _MAPPINGS:
            known = ", ".join(_MAPPINGS)
            raise ValueError(f"Pixle: pixel_mapping: expected one of {known}, got {pixel_mapping}")
        self.p1_x_dimensions = self._dimensions("x_dimensions", x_dimensions)
        self.p1_y_dimensions = self._dimensions("y_dimensions", y_dimensions)

    def _dimensions(self, name, given):
        pair = [given, given] if isinstance(given, (int, float)) else given
        for each in pair:
            if not (each > 0 if isinstance(each, int) else 0 <= each <= 1):
                wanted = "expected integers of at least 1 or shares from 0 to 1"
                raise ValueError(f"Pixle: {name}: {wanted}, got {given}")
        return pair

    def search(self, image, verdict):
        """The image of each round starts from the best so far; the first round that gains nothing
        hands on its last."""
        rounds, patches = self.restarts, self.max_patches
        if self.update_each_iteration:
            rounds, patches = self.max_patches, 1
        start = moved = image
        best, least = None, verdict(image)[0][0]
        for _ in range(rounds):
            for _ in range(patches):
                moved = self._moved(image, start)
                (loss,), (done,) = verdict(moved)
                if done:
                    return moved
                if loss < least:
                    best, least = moved, loss
            if best is not None:
                start = best
            elif not self.update_each_iteration:
                start = moved
        return start

    def _moved(self, image, start):
        """`start` with the pixels of a patch of `image` written over others."""
        height, width = image.shape[2:]
        at = numpy.random.uniform(0, 1, 2)
        across = self._length(self.p1_x_dimensions, width)
        down = self._length(self.p1_y_dimensions, height)
        left, top = int(at[0] * (width - 1)), int(at[1] * (height - 1))
        across, down = min(across, width - left), min(down, height - top)
        patch = image[0, :, top : top + down, left : left + across].flatten(1)
        if self.pixel_mapping == "random":
            drawn = numpy.random.uniform(0, 1, (across * down, 2))
            rows, columns = (drawn * (height - 1, width - 1)).astype(int).T
        else:
            places = [(top + i) * width + left + j for i in range(down) for j in range(across)]
            chosen = [self._like(patch[:, [k]], start[0], own) for k, own in enumerate(places)]
            rows, columns = numpy.divmod(chosen, width)
        moved = start.clone()
        moved[0, :, torch.from_numpy(rows), torch.from_numpy(columns)] = patch
        return moved

    def _length(self, bounds, side):
        low, high = (max(1, d if isinstance(d, int) else round(side * d)) for d in bounds)
        if low > high:
            raise ValueError(f"Pixle: dimensions: expected (least, most), got {tuple(bounds)}")
        return numpy.random.randint(low, high + 1)

    def _like(self, pixel, start, own):
        """The place of a pixel that is like or unlike `pixel`, other than its own."""
        difference = (start.flatten(1) - pixel).abs().mean(0)
        if difference.numel() == 1:
            raise ValueError("Pixle: expected images of more than one pixel")
        if "similarity" in self.pixel_mapping:
            likeness = 1 / (1 + difference)
            difference = torch.where(likeness == 1, 0, likeness)
        shares = difference.softmax(0).cpu().numpy()
        if not self.pixel_mapping.endswith("random"):
            order = numpy.argsort(-shares, kind="stable")
            return int(order[0] if order[0] != own else order[1])
        while True:
            place = int(numpy.random.choice(len(shares), p=shares))
            if place != own:
                return place
