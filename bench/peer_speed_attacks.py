# SPDX-License-Identifier: Apache-2.0
"""Which attacks are timed side by side, with which iterations."""

from peer_sides import Attack, Plain, of_adv_lib, of_art, of_foolbox, of_namid, of_torchattacks


def attacks(steps, queries):
    """From x itself where a library can; a fifth of the steps where each has K - 1 gradients."""
    few, start = max(1, steps // 5), {"n_iter": "steps", "eps": "eps", "norm": "norm"}
    table = {"eps": "eps", "steps": "steps", "norm": "norm"}
    art = {"norm": "norm", "eps": "eps"}
    step = {"steps": "steps", "abs_stepsize": "step_size"}
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
    )
    yield Attack(
        "pgd",
        "linf",
        {"steps": steps},
        {
            "namid": of_namid("pgd", start="none"),
            "torchattacks": of_torchattacks(
                "PGD", eps="eps", alpha="step_size", steps="steps", random_start=False
            ),
            "foolbox": of_foolbox("{norm}PGD", **step, random_start=False),
            "adv-lib": of_adv_lib(
                "projected_gradient_descent",
                "pgd_linf",
                ε="eps",
                steps="steps",
                absolute_step_size="step_size",
                random_init=False,
            ),
            "art": of_art(
                "ProjectedGradientDescentPyTorch",
                norm="norm",
                eps="eps",
                eps_step="step_size",
                max_iter="steps",
            ),
            "eager loop": Plain(best=False),
            "eager loop, channels-last": Plain(best=True),
        },
        step=1 / 4,
    )
    yield Attack(
        "mi-fgsm",
        "linf",
        {"steps": steps},
        {
            "namid": of_namid("mi_fgsm"),
            "torchattacks": of_torchattacks("MIFGSM", eps="eps", alpha="step_size", steps="steps"),
            "foolbox": of_foolbox("{norm}MomentumIterativeFastGradientMethod", **step),
            "art": of_art("MomentumIterativeMethod", **art, eps_step="step_size", max_iter="steps"),
        },
        step=1 / 10,
    )
    yield Attack(
        "apgd-ce",
        "linf",
        {"steps": steps},
        {
            "namid": of_namid("apgd_ce"),
            "torchattacks": of_torchattacks("APGD", **table, loss="ce"),
            "adv-lib": of_adv_lib("auto_pgd", "apgd", **start, loss_function="ce"),
            "art": of_art(
                "AutoProjectedGradientDescent",
                **art,
                eps_step="twice_eps",
                max_iter="steps",
                nb_random_init=1,
                loss_type="cross_entropy",
            ),
        },
    )
    yield Attack(
        "apgd-t, one target",
        "linf",
        {"steps": steps},
        {
            "namid": of_namid("apgd_t", targets=1),
            "torchattacks": of_torchattacks("APGDT", **table, n_classes=2),
            "adv-lib": of_adv_lib("auto_pgd", "apgd_targeted", **start, num_targets=1),
        },
    )
    yield Attack(
        "fab",
        "linf",
        {"steps": few},
        {
            "namid": of_namid("fab"),
            "torchattacks": of_torchattacks("FAB", **table),
            "adv-lib": of_adv_lib("fast_adaptive_boundary", "fab", norm="norm", n_iter="steps"),
        },
        bounded=False,
    )
    yield Attack(
        "fab-t, one target",
        "linf",
        {"steps": steps},
        {
            "namid": of_namid("fab_t", targets=1),
            "torchattacks": of_torchattacks("FAB", **table, multi_targeted=True, n_classes=2),
            "adv-lib": of_adv_lib(
                "fast_adaptive_boundary",
                "fab",
                norm="norm",
                n_iter="steps",
                targeted_restarts=True,
                restarts=1,
            ),
        },
        bounded=False,
    )
    yield Attack(
        "square",
        "linf",
        {"queries": queries},
        {
            "namid": of_namid("square", rescale_schedule=True),
            "torchattacks": of_torchattacks("Square", eps="eps", n_queries="queries"),
            "art": of_art("SquareAttack", **art, max_iter="queries"),
        },
    )
    yield Attack(
        "cw, one search",
        "l2",
        {"steps": steps},
        {
            "namid": of_namid("cw", searches=1, initial_const=1.0),
            "torchattacks": of_torchattacks("CW", steps="steps"),
            "foolbox": of_foolbox(
                "{norm}CarliniWagnerAttack",
                steps="steps",
                binary_search_steps=1,
                initial_const=1.0,
                abort_early=False,
            ),
            "adv-lib": of_adv_lib(
                "carlini_wagner",
                "carlini_wagner_l2",
                max_iterations="steps",
                binary_search_steps=1,
                initial_const=1.0,
                abort_early=False,
            ),
            "art": of_art(
                "CarliniL2Method", max_iter="steps", binary_search_steps=1, initial_const=1.0
            ),
        },
        bounded=False,
    )
    yield Attack(
        "ddn",
        "l2",
        {"steps": steps},
        {
            "namid": of_namid("ddn"),
            "foolbox": of_foolbox("DDNAttack", steps="steps"),
            "adv-lib": of_adv_lib("decoupled_direction_norm", "ddn", steps="steps"),
        },
        bounded=False,
    )
    for norm in ("linf", "l2"):
        yield Attack(
            f"fmn, {norm}",
            norm,
            {"steps": steps},
            {
                "namid": of_namid("fmn"),
                "foolbox": of_foolbox("{norm}FMNAttack", steps="steps"),
                "adv-lib": of_adv_lib("fast_minimum_norm", "fmn", norm="norm", steps="steps"),
            },
            bounded=False,
        )
    yield Attack(
        "deepfool",
        "l2",
        {"steps": few},
        {
            "namid": of_namid("deepfool"),
            "foolbox": of_foolbox("{norm}DeepFoolAttack", steps="steps"),
            "adv-lib": of_adv_lib("deepfool", "df", norm="norm", steps="steps"),
            "torchattacks": of_torchattacks("DeepFool", steps="steps"),
            "art": of_art("DeepFool", max_iter="steps"),
        },
        bounded=False,
    )
