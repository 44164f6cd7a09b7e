# SPDX-License-Identifier: Apache-2.0
"""Prints tests/core/reference_statistics.csv: the statistics of namid/core by scipy, statsmodels.

    pip install scipy statsmodels
    cd tests/core && python reference_statistics.py > reference_statistics.csv

Written by scipy 1.17.1 and statsmodels 0.15.0. A line is the function's name, its arguments, and
the expected values. What neither library has (test inversion, the ends of a confidence sequence,
the power of the exact McNemar test) is computed from their distributions by brute force, never by
the formula that the C++ uses.
"""

import csv
import sys

import numpy as np
from scipy import optimize, stats
from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.power import TTestPower
from statsmodels.stats.proportion import proportion_confint

random = np.random.default_rng(20240607)
out = csv.writer(sys.stdout, lineterminator="\n")
ALPHAS = (0.01, 0.05, 0.1)


def row(name, *values):
    out.writerow([name, *(f"{v:.16g}" if isinstance(v, float) else int(v) for v in values)])


def clopper_pearson_cases(count=260):
    for i in range(count):
        n = int(10 ** random.uniform(0, 5))
        k = int(random.integers(0, n + 1)) if i % 3 else int(random.binomial(n, 0.02))
        alpha = float(random.choice([0.001, *ALPHAS]))
        low, high = proportion_confint(k, n, alpha=alpha, method="beta")
        exact = stats.binomtest(k, n).proportion_ci(1 - alpha, "exact")
        assert abs(exact.low - low) < 1e-9 and abs(exact.high - high) < 1e-9
        row("clopper_pearson", k, n, 1 - alpha, float(low), float(high))


def mcnemar_cases(count=230):
    for i in range(count):
        n = int(10 ** random.uniform(0.5, 4))
        pairs = random.multinomial(n, random.dirichlet([1, 1, 6])) if i % 4 else [n // 9, n // 9]
        a, b = int(pairs[0]), int(pairs[1])
        p = mcnemar([[n - a - b, a], [b, 0]], exact=True).pvalue if a + b else 1.0
        confidence = 1 - float(random.choice(ALPHAS))
        low, high = 0.5, 0.5
        if a + b:
            low, high = stats.binomtest(a, a + b).proportion_ci(confidence, "exact")
        share = (a + b) / n
        row("mcnemar", a, b, n, confidence, float(p), (2 * low - 1) * share, (2 * high - 1) * share)


def sign_flip_p(differences, theta=0.0):
    test = stats.permutation_test((np.asarray(differences) - theta,), np.mean, vectorized=True,
                                  permutation_type="samples", n_resamples=np.inf)
    return float(test.pvalue)


def sign_flip_end(differences, alpha, direction):
    """Where the p-value of d - theta falls to alpha, going from the mean to `direction`."""
    inside, outside = np.mean(differences), np.mean(differences) + direction * np.ptp(differences)
    if sign_flip_p(differences, outside) > alpha:
        return direction * np.inf
    while abs(outside - inside) > 1e-11:
        middle = (inside + outside) / 2
        if sign_flip_p(differences, middle) > alpha:
            inside = middle
        else:
            outside = middle
    return float(inside)


def sign_flip_cases(count=160):
    for i in range(count):
        n = int(random.integers(2, 11))
        d = random.normal(random.uniform(-1.5, 1.5), 1, n).round(6)
        if i % 4 == 0:  # ties, and differences of 0
            d = random.integers(-3, 5, n) / 4
        alpha = float(random.choice(ALPHAS))
        ends = [sign_flip_end(d, alpha, -1), sign_flip_end(d, alpha, 1)] if i % 4 else []
        row("sign_flip" if ends else "sign_flip_p", n, *map(float, d), alpha, sign_flip_p(d), *ends)


def t_power_cases(count=120):
    for _ in range(count):
        n, alpha = int(random.integers(2, 60)), float(random.choice(ALPHAS))
        effect = float(random.uniform(0, 6) / np.sqrt(n))
        power = TTestPower().power(effect, n, alpha, alternative="two-sided")
        row("paired_power", effect, n, alpha, float(power))


def t_effect_cases(count=80):
    for _ in range(count):  # scipy's noncentral t is NaN for the shifts that under 5 pairs need
        n, alpha = int(random.integers(5, 60)), float(random.choice(ALPHAS))
        power, sd = float(random.choice([0.5, 0.8, 0.9])), float(10 ** random.uniform(-3, 1))
        reach = lambda effect: TTestPower().power(effect, n, alpha) - power
        high = 1 / np.sqrt(n)
        while reach(high) < 0:
            high *= 1.2
        effect = optimize.brentq(reach, 1e-9, high, xtol=1e-15, rtol=1e-14)
        if n > 5:
            solved = TTestPower().solve_power(nobs=n, alpha=alpha, power=power)
            assert abs(solved - effect) < 1e-5 * effect
        row("detectable_effect", sd, n, alpha, power, effect * sd)


def mcnemar_power(difference, discordance, n, alpha):
    m = np.arange(n + 1)
    critical = stats.binom.ppf(alpha / 2, m, 0.5)  # smallest c with cdf >= alpha / 2
    critical -= stats.binom.cdf(critical, m, 0.5) > alpha / 2
    theta = (1 + difference / discordance) / 2
    reject = stats.binom.cdf(critical, m, theta) + stats.binom.sf(m - critical - 1, m, theta)
    return float(np.sum(stats.binom.pmf(m, n, discordance) * reject))


def mcnemar_power_cases(count=60):
    for i in range(count):
        n, alpha = int(10 ** random.uniform(1, 3.7)), float(random.choice(ALPHAS))
        discordance = float(random.uniform(0.02, 0.6))
        difference = float(discordance * random.uniform(-1, 1))
        row("mcnemar_power", difference, discordance, n, alpha,
            mcnemar_power(difference, discordance, n, alpha))
        if mcnemar_power(discordance, discordance, n, alpha) > 0.8 and i % 2:
            reach = lambda d: mcnemar_power(d, discordance, n, alpha) - 0.8
            row("detectable_difference", discordance, n, alpha, 0.8,
                optimize.brentq(reach, 0, discordance, xtol=1e-15, rtol=1e-14))


def log_ratios(population, a, b, t, k):
    """log prior(K) / posterior(K) for K = 0..N, by normalising prior times likelihood."""
    every = np.arange(population + 1)
    prior = stats.betabinom.logpmf(every, population, a, b)
    joint = prior + stats.hypergeom.logpmf(k, population, every, t)
    top = joint.max()
    return prior - (joint - top - np.log(np.exp(joint - top).sum()))


def confidence_sequence_cases(count=170):
    for _ in range(count):
        n = int(10 ** random.uniform(0.3, 3.6))
        a, b = (1.0, 1.0) if random.random() < 0.5 else map(float, random.uniform(0.3, 9, 2))
        truth, t = int(random.integers(0, n + 1)), int(random.integers(1, n + 1))
        k = int(random.hypergeometric(truth, n - truth, t))
        alpha = float(random.choice([0.001, *ALPHAS]))
        with np.errstate(all="ignore"):
            ratios = log_ratios(n, a, b, t, k)
        kept = np.flatnonzero(ratios < -np.log(alpha))
        assert len(kept) == kept[-1] - kept[0] + 1
        at = int(np.clip(truth + random.integers(-2, 3), k, n - t + k))
        row("confidence_sequence", n, a, b, t, k, alpha, at, kept[0], kept[-1], float(ratios[at]))


def distribution_cases():
    for freedom in (1, 2, 3, 4, 7, 9, 30, 199, 1e5):
        for alpha in (1e-4, 0.01, 0.05, 0.2, 0.5):
            row("student_critical", alpha, float(freedom), float(stats.t.isf(alpha / 2, freedom)))
        for shift in (-2.0, 0.0, 0.3, 2.8, 12.0):
            t = float(shift + random.normal())
            expected = float(stats.nct.cdf(t, freedom, shift))
            row("noncentral_student", t, float(freedom), shift, expected)


for cases in (clopper_pearson_cases, mcnemar_cases, sign_flip_cases, t_power_cases, t_effect_cases,
              mcnemar_power_cases, confidence_sequence_cases, distribution_cases):
    cases()
