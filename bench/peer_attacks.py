# SPDX-License-Identifier: Apache-2.0
"""Which attacks are compared, with which budgets, in which libraries."""

from peer_sides import (
    Attack,
    of_adv_lib,
    of_art,
    of_foolbox,
    of_namid,
    of_torchattacks,
    torchattacks_cw,
)


def fast():
    art = {"norm": "norm", "eps": "eps"}
    yield Attack(
        "fgsm",
        "linf",
        {},
        {
            "namid": of_namid("fgsm"),
            "torchattacks": of_torchattacks("FGSM", eps="eps"),
            "foolbox": of_foolbox("{norm}FastGradientAttack"),
            "art": of_art("FastGradientMethod", quiet=False, **art, eps_step="eps"),
        },
        draws=False,
    )
    yield Attack(
        "mi-fgsm-10",
        "linf",
        {"steps": 10, "decay": 1.0},
        {
            "namid": of_namid("mi_fgsm"),
            "torchattacks": of_torchattacks(
                "MIFGSM", eps="eps", alpha="step_size", steps="steps", decay="decay"
            ),
            "foolbox": of_foolbox(
                "{norm}MomentumIterativeFastGradientMethod",
                steps="steps",
                abs_stepsize="step_size",
                momentum="decay",
            ),
            "art": of_art(
                "MomentumIterativeMethod",
                **art,
                eps_step="step_size",
                decay="decay",
                max_iter="steps",
            ),
        },
        step=1 / 10,
        draws=False,
    )
    yield Attack(
        "pgd-40",
        "linf",
        {"steps": 40},
        {
            "namid": of_namid("pgd"),
            "torchattacks": of_torchattacks("PGD", eps="eps", alpha="step_size", steps="steps"),
            "foolbox": of_foolbox("{norm}PGD", steps="steps", abs_stepsize="step_size"),
            "adv-lib": of_adv_lib(
                "projected_gradient_descent",
                "pgd_linf",
                ε="eps",
                steps="steps",
                absolute_step_size="step_size",
            ),
            "art": of_art(
                "ProjectedGradientDescent",
                **art,
                eps_step="step_size",
                max_iter="steps",
                num_random_init=1,
            ),
        },
        step=1 / 30,
    )


def auto_pgd():
    of_art_apgd = of_art(
        "AutoProjectedGradientDescent",
        norm="norm",
        eps="eps",
        eps_step="twice_eps",
        max_iter="steps",
        nb_random_init=1,
        loss_type="cross_entropy",
    )
    for norm in ("linf", "l2"):
        yield Attack(
            "apgd-ce-100",
            norm,
            {"steps": 100},
            {
                "namid": of_namid("apgd_ce"),
                "torchattacks": of_torchattacks(
                    "APGD", norm="norm", eps="eps", steps="steps", seed="seed", loss="ce"
                ),
                "adv-lib": of_adv_lib(
                    "auto_pgd", "apgd", eps="eps", norm="norm", n_iter="steps", loss_function="ce"
                ),
                "art": of_art_apgd,
            },
        )
    for norm in ("linf", "l2"):
        yield Attack(
            "apgd-t-100",
            norm,
            {"steps": 100},
            {
                "namid": of_namid("apgd_t"),
                "torchattacks": of_torchattacks(
                    "APGDT", norm="norm", eps="eps", steps="steps", seed="seed"
                ),
                "adv-lib": of_adv_lib(
                    "auto_pgd",
                    "apgd_targeted",
                    eps="eps",
                    norm="norm",
                    n_iter="steps",
                    num_targets=9,
                ),
            },
        )
    # Onto the ball before the box, as AutoAttack projects.
    for name, function in (("apgd-ce", "apgd_ce"), ("apgd-t", "apgd_t")):
        published = {"namid": of_namid(function, l2_order="ball-first")}
        yield Attack(f"{name}-100-published", "l2", {"steps": 100}, published)


def square():
    for norm in ("linf", "l2"):
        yield Attack(
            "square-1000",
            norm,
            {"queries": 1000},
            {
                "namid": of_namid("square", rescale_schedule=True),
                "torchattacks": of_torchattacks(
                    "Square", norm="norm", eps="eps", n_queries="queries", seed="seed"
                ),
                "art": of_art("SquareAttack", norm="norm", eps="eps", max_iter="queries"),
            },
        )
    published = {"namid": of_namid("square", rescale_schedule=True, compat="autoattack")}
    yield Attack("square-1000-published", "l2", {"queries": 1000}, published)


def minimum():
    for norm in ("linf", "l2", "l1"):
        yield Attack(
            "fab-20",
            norm,
            {"steps": 20},
            {
                "namid": of_namid("fab"),
                "torchattacks": of_torchattacks("FAB", norm="norm", eps="eps", steps="steps"),
                "adv-lib": of_adv_lib("fast_adaptive_boundary", "fab", norm="norm", n_iter="steps"),
            },
            bounded=False,
            draws=False,
        )
        yield Attack(
            "fab-t-20",
            norm,
            {"steps": 20},
            {
                "namid": of_namid("fab_t", smallest=True),
                "torchattacks": of_torchattacks(
                    "FAB", norm="norm", eps="eps", steps="steps", multi_targeted=True
                ),
                "adv-lib": of_adv_lib(
                    "fast_adaptive_boundary",
                    "fab",
                    norm="norm",
                    n_iter="steps",
                    targeted_restarts=True,
                ),
            },
            bounded=False,
            draws=False,
        )
        yield Attack(
            "fmn-100",
            norm,
            {"steps": 100},
            {
                "namid": of_namid("fmn"),
                "foolbox": of_foolbox("{norm}FMNAttack", steps="steps"),
                "adv-lib": of_adv_lib("fast_minimum_norm", "fmn", norm="norm", steps="steps"),
            },
            bounded=False,
            draws=False,
        )
        published = {"namid": of_namid("fmn", compat="reference")}
        yield Attack(
            "fmn-100-published", norm, {"steps": 100}, published, bounded=False, draws=False
        )


def decoupled():
    """levels 0: images are not rounded on the way; foolbox's DDN never does."""
    for name, steps, levels in (
        ("ddn-100", 100, 256),
        ("ddn-100-free", 100, 0),
        ("ddn-1000", 1000, 256),
    ):
        sides = {
            "namid": of_namid("ddn", levels=levels),
            "adv-lib": of_adv_lib(
                "decoupled_direction_norm", "ddn", steps="steps", levels=levels or None
            ),
        }
        if not levels:
            sides["foolbox"] = of_foolbox("DDNAttack", steps="steps")
        yield Attack(name, "l2", {"steps": steps}, sides, bounded=False, draws=False)


def classic():
    search = {"steps": 100, "searches": 9, "step_size": 0.01, "initial_const": 1e-3}
    yield Attack(
        "cw-9x100",
        "l2",
        search,
        {
            "namid": of_namid("cw"),
            "torchattacks": torchattacks_cw,
            "foolbox": of_foolbox(
                "{norm}CarliniWagnerAttack",
                binary_search_steps="searches",
                steps="steps",
                stepsize="step_size",
                initial_const="initial_const",
            ),
            "adv-lib": of_adv_lib(
                "carlini_wagner",
                "carlini_wagner_l2",
                learning_rate="step_size",
                initial_const="initial_const",
                binary_search_steps="searches",
                max_iterations="steps",
            ),
            "art": of_art(
                "CarliniL2Method",
                learning_rate="step_size",
                binary_search_steps="searches",
                max_iter="steps",
                initial_const="initial_const",
            ),
        },
        bounded=False,
        draws=False,
    )
    published = {"namid": of_namid("cw", warm_start=False)}
    yield Attack("cw-9x100-published", "l2", search, published, bounded=False, draws=False)
    for norm in ("l2", "linf"):
        sides = {
            "namid": of_namid("deepfool"),
            "foolbox": of_foolbox("{norm}DeepFoolAttack", steps="steps", overshoot="overshoot"),
            "adv-lib": of_adv_lib(
                "deepfool", "df", norm="norm", steps="steps", overshoot="overshoot"
            ),
        }
        if norm == "l2":
            sides["torchattacks"] = of_torchattacks(
                "DeepFool", steps="steps", overshoot="overshoot"
            )
            sides["art"] = of_art("DeepFool", max_iter="steps", epsilon="overshoot")
        settings = {"steps": 50, "overshoot": 0.02}
        yield Attack("deepfool-50", norm, settings, sides, bounded=False, draws=False)
        published = {"namid": of_namid("deepfool", compat="foolbox")}
        yield Attack("deepfool-50-published", norm, settings, published, bounded=False, draws=False)


# Cheap ones first.
ATTACKS = [*fast(), *classic(), *decoupled(), *auto_pgd(), *minimum(), *square()]
ATTACKS.sort(key=lambda attack: attack.name in ("ddn-1000", "apgd-t-100", "square-1000"))
