# SPDX-License-Identifier: Apache-2.0
"""The verdict on the images that an attack returned, the same for every library, and the table."""

import math
import statistics

import torch

TOLERANCE = 1e-6  # of box and ball, for float32 arithmetic
HALF_A_PERCENT = 0.005


def norms(difference, norm):
    flat = difference.detach().double().flatten(1)
    return torch.linalg.vector_norm(flat, {"linf": math.inf, "l2": 2, "l1": 1}[norm], dim=1)


@torch.no_grad()
def predict(model, x, batch=250):
    return torch.cat([model(part).argmax(1) for part in x.split(batch)])


def blank(images):
    """Which are of one value alone."""
    return images.flatten(1).amax(1) == images.flatten(1).amin(1)


def judge(model, x, y, adv, norm, epsilon=None):
    """What `adv` achieves. An image that leaves [0,1] or, with an epsilon, the ball, that is not
    finite, or that is blank, as some searches return where they find nothing, counts as not attacked
    ("invalid"). robust: share of images still predicted right, an error on x itself is an error.
    Norms are those of images right at x: `median` over the fooled ones, `median_all` with infinity
    for the others; without an epsilon, `norms` of each, -1 where it is not fooled."""
    if adv.shape != x.shape:
        raise ValueError(f"images of shape {tuple(adv.shape)} returned for {tuple(x.shape)}")
    adv = adv.detach().to(x.dtype)
    size = norms(adv - x, norm)
    valid = torch.isfinite(adv).flatten(1).all(1)
    valid &= ((adv >= -TOLERANCE) & (adv <= 1 + TOLERANCE)).flatten(1).all(1)
    valid &= ~blank(adv) | (size == 0)
    if epsilon is not None:
        valid &= size <= epsilon * (1 + 1e-5) + TOLERANCE
    right = predict(model, x) == y
    kept = torch.where(valid.view(-1, *[1] * (x.dim() - 1)), adv.clamp(0, 1), x)
    fooled = right & (predict(model, kept) != y)
    found = size[fooled].tolist()
    each = torch.where(fooled, size, -1.0)[right].tolist() if epsilon is None else []
    every = found + [math.inf] * int(right.sum() - fooled.sum())
    return {
        "clean": right.float().mean().item(),
        "robust": (right & ~fooled).float().mean().item(),
        "fooled": (fooled.sum() / right.sum().clamp(min=1)).item(),
        "median": statistics.median(found) if found else math.inf,
        "median_all": statistics.median(every) if every else math.inf,
        "mean": statistics.fmean(found) if found else math.inf,
        "invalid": int((~valid).sum()),
        "norms": [float(f"{value:.6g}") for value in each],
    }


def spread(values):
    """Largest minus smallest; equal infinities do not differ."""
    return 0.0 if len(set(values)) == 1 else max(values) - min(values)


def excess(ours, theirs):
    """How much larger the mean of `ours` is than that of `theirs`, and the larger spread."""
    gap = statistics.fmean(ours) - statistics.fmean(theirs)
    return (0.0 if math.isnan(gap) else gap), max(spread(ours), spread(theirs))


def weaker(ours, theirs, bounded):
    """In words what namid's rows lose by more than the spread of the seeds, "" where nothing. Of an
    attack of a ball that is the robust accuracy; of a search of the smallest perturbation the share
    of fooled images and the median norm, a failed image counted as infinitely far. The spread is
    taken as at least one image and HALF_A_PERCENT of the median: without draws it is 0, and last
    bits decide."""

    def of(rows, key):
        return [row[key] for row in rows]

    losses = []
    gap, noise = excess(of(ours, "robust"), of(theirs, "robust"))
    if gap > max(noise, 1 / ours[0]["images"]) + 1e-9:
        losses.append(f"{100 * gap:.2f} points more robust")
    if not bounded:
        gap, noise = excess(of(ours, "median_all"), of(theirs, "median_all"))
        middle = statistics.fmean(of(theirs, "median_all"))
        if gap > noise and gap > HALF_A_PERCENT * middle:
            share = gap / middle
            larger = f"{100 * share:.2f} % larger" if math.isfinite(share) else "not reached"
            losses.append(f"median {larger}")
    return ", ".join(losses)


def by_image(ours, theirs):
    """On how many images namid's norm is smaller and larger by over 1 %, first seeds; a failed one
    counts as infinite."""
    pairs = zip(
        *([math.inf if v < 0 else v for v in rows[0].get("norms", ())] for rows in (ours, theirs))
    )
    pairs = list(pairs)
    nearer = sum(a < 0.99 * b for a, b in pairs)
    farther = sum(a > 1.01 * b for a, b in pairs)
    return f"{nearer} / {farther}" if pairs else ""


def percent(rows, key):
    values = [100 * row[key] for row in rows]
    text = f"{statistics.fmean(values):.2f}"
    return text if spread(values) == 0 else f"{text} [{min(values):.2f}, {max(values):.2f}]"


def number(rows, key):
    values = [row[key] for row in rows]
    if any(math.isinf(value) for value in values):
        return "none" if all(math.isinf(value) for value in values) else "none in some"
    text = f"{statistics.fmean(values):.4g}"
    return text if spread(values) == 0 else f"{text} [{min(values):.4g}, {max(values):.4g}]"


HEAD = (
    "| attack | norm, radius | images | library | robust % | median norm of the fooled | "
    "median, failures infinite | invalid | s | namid nearer / farther | "
    "namid not weaker by more than the spread |\n"
    "|---|---|---|---|---|---|---|---|---|---|---|"
)


def line(rows, images, answer):
    first = rows[0]
    radius = "none" if first["epsilon"] is None else f"{first['epsilon']:.4g}"
    seconds = statistics.fmean(row["seconds"] for row in rows)
    return (
        f"| {first['attack']} | {first['norm']}, {radius} | {first['images']} | {first['side']} | "
        f"{percent(rows, 'robust')} | {number(rows, 'median')} | {number(rows, 'median_all')} | "
        f"{max(row['invalid'] for row in rows)} | {seconds:.0f} | {images} | {answer} |"
    )


def group(rows, *keys):
    groups = {}
    for row in rows:
        groups.setdefault(tuple(row[key] for key in keys), []).append(row)
    return groups


def table(rows):
    """Markdown: per model a table of the attacks that two sides have, then the losing cells."""
    text = []
    for (model,), of_model in group(rows, "model").items():
        text += [f"### {model}: {100 * of_model[0]['clean']:.2f} % right\n", HEAD]
        losing = []
        for key, of_attack in group(of_model, "attack", "norm", "images").items():
            sides = {side: part for (side,), part in group(of_attack, "side").items()}
            if len(sides) == 1:
                continue
            for side in sorted(sides, key=lambda name: (name != "namid", name)):
                answer = images = ""
                if side != "namid" and "namid" in sides:
                    loss = weaker(
                        sides["namid"], sides[side], sides[side][0]["epsilon"] is not None
                    )
                    images = by_image(sides["namid"], sides[side])
                    answer = f"**no**: {loss}" if loss else "yes"
                    if loss:
                        name, norm, count = key
                        losing.append(f"- {name}, {norm}, {count} images, against {side}: {loss}")
                text.append(line(sides[side], images, answer))
        text += ["", "namid is weaker in:" if losing else "namid is weaker nowhere.", *losing, ""]
    return "\n".join(text)
