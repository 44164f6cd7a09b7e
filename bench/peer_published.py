# SPDX-License-Identifier: Apache-2.0
"""The runs whose figures advertorch published for two of the MNIST networks (data/models), all
10,000 images (SPSA: the first 100): namid's beside them."""

import statistics

import peer_judge
from peer_sides import Attack, of_namid

from namid.compat import torchattacks

EPSILON = 0.3  # of PGD, DeepFool and SPSA, for both networks


def spsa(model, x, y, norm, epsilon, seed, steps, samples):
    attack = torchattacks.SPSA(model, eps=epsilon, nb_iter=steps, nb_sample=samples)
    return attack(x, y)


PUBLISHED = [
    Attack(
        "pgd-40-from-x",
        "linf",
        {"steps": 40, "start": "none", "judge": "last"},
        {"namid": of_namid("pgd")},
        step=1 / 30,
        draws=False,
    ),
    *(
        Attack(
            "fab-20",
            norm,
            {"steps": 20},
            {"namid": of_namid("fab")},
            bounded=False,
            draws=False,
        )
        for norm in ("linf", "l2", "l1")
    ),
    *(
        Attack(
            f"deepfool-{steps}",
            "linf",
            {"steps": steps, "overshoot": 0.02},
            {"namid": of_namid("deepfool")},
            draws=False,
        )
        for steps in (50, 150)
    ),
    Attack(
        "ddn-1000",
        "l2",
        {"steps": 1000},
        {"namid": of_namid("ddn")},
        bounded=False,
        draws=False,
    ),
    *(
        Attack(
            f"spsa-{steps}x128",
            "linf",
            {"steps": steps, "samples": 128},
            {"namid": spsa},
            most=100,
            batch=10,
        )
        for steps in (100, 1000)
    ),
]

# (success %, median norm, mean norm); success: wrong after the attack, clean errors included.
FIGURES = {
    ("lenet5_clntrained", "pgd-40-from-x", "linf"): (100, None, None),
    ("lenet5_advtrained", "pgd-40-from-x", "linf"): (6.8, None, None),
    ("lenet5_clntrained", "fab-20", "linf"): (100, 0.112, 0.1092),
    ("lenet5_clntrained", "fab-20", "l2"): (100, 1.423, 1.412),
    ("lenet5_clntrained", "fab-20", "l1"): (99.55, 7.61, 8.365),
    ("lenet5_advtrained", "fab-20", "linf"): (99.86, 0.3509, 0.3476),
    ("lenet5_advtrained", "fab-20", "l2"): (98.35, 3.04, 3.205),
    ("lenet5_advtrained", "fab-20", "l1"): (94.33, 112.8, 114.6),
    ("lenet5_clntrained", "deepfool-50", "linf"): (100, None, None),
    ("lenet5_clntrained", "deepfool-150", "linf"): (100, None, None),
    ("lenet5_advtrained", "deepfool-50", "linf"): (7.42, None, None),
    ("lenet5_advtrained", "deepfool-150", "linf"): (8.41, None, None),
    ("lenet5_clntrained", "spsa-100x128", "linf"): (100, None, None),  # that of 1,000 steps
    ("lenet5_clntrained", "spsa-1000x128", "linf"): (100, None, None),
    ("lenet5_advtrained", "spsa-1000x128", "linf"): (10, None, None),
    ("lenet5_clntrained", "ddn-1000", "l2"): (100, 1.388, 1.38),
    ("lenet5_advtrained", "ddn-1000", "l2"): (100, 1.872, 1.917),
}


def signed(model, x, y, adv):
    """Median and mean of max(x - adv), without absolute value, as those reports take the L-inf
    norm; over images that are right at x and then fooled."""
    right = peer_judge.predict(model, x) == y
    fooled = right & (peer_judge.predict(model, adv) != y)
    sizes = (x - adv).detach().flatten(1).amax(1)[fooled].tolist() or [float("nan")]
    return {"signed_median": statistics.median(sizes), "signed_mean": statistics.fmean(sizes)}


def cell(values):
    return " | ".join("" if value is None else f"{value:.4g}" for value in values)


def published_table(rows):
    text = [
        "| model | attack, norm | images | success %: published | median | mean | "
        "measured: success % | median | mean | max(x - adv): median | mean | s |",
        "|---|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        figures = FIGURES.get((row["model"], row["attack"], row["norm"]))
        if figures is None or row["side"] != "namid":
            continue
        norms = (None, None) if row["epsilon"] else (row["median"], row["mean"])
        measured = (
            100 * (1 - row["robust"]),
            *norms,
            row.get("signed_median"),
            row.get("signed_mean"),
        )
        text.append(
            f"| {row['model']} | {row['attack']}, {row['norm']} | {row['images']} | "
            f"{cell(figures)} | {cell(measured)} | {row['seconds']:.0f} |"
        )
    return "\n".join(text)
