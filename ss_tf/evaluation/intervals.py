"""Intervals of 95 % of accuracies: what they may be on other images of the same kind."""

from __future__ import annotations

import math

import numpy as np

# Quantile 0.975 of the normal distribution, for two-sided intervals.
Z_95 = 1.959964
_RESAMPLES = 1000


def wilson(right: int, total: int) -> tuple[float, float]:
    """Returns Wilson's score interval of a share (Journal of the ASA 22, 1927).

    Unlike the textbook's p +- 1.96 standard errors, it stays in [0, 1] and has a width even where
    all or none are right.

    Args:
      right: number of examples decided right.
      total: number of examples.

    Returns:
      low and high, in [0, 1]; (nan, nan) without examples.

    Raises:
      ValueError: unless 0 <= right <= total.
    """
    if not 0 <= right <= total:
        raise ValueError(f"{right} of {total} examples are right, expected 0 to {total}.")
    if not total:
        return math.nan, math.nan
    share, square = right / total, Z_95**2
    centre = (share + square / (2 * total)) / (1 + square / total)
    spread = share * (1 - share) / total + square / (4 * total**2)
    half_width = Z_95 * math.sqrt(spread) / (1 + square / total)
    return max(centre - half_width, 0.0), min(centre + half_width, 1.0)


def of_mean_share(right: np.ndarray, totals: np.ndarray) -> tuple[float, float]:
    """Returns a bootstrap interval of the mean of shares, such as balanced accuracy.

    The examples of each class are drawn again 1,000 times, with replacement and a fixed seed; low
    and high are the quantiles 0.025 and 0.975 of the means. To draw n of n examples of which k are
    right is to draw from the binomial distribution of n and k / n. A class whose examples are all
    right, or all wrong, then adds nothing to the width: with few examples per class it is narrow.

    Args:
      right: int `[num_classes]`, examples decided right.
      totals: int `[num_classes]`, examples; classes without any do not count.

    Returns:
      low and high, in [0, 1]; (nan, nan) without examples.
    """
    there = totals > 0
    if not there.any():
        return math.nan, math.nan
    right, totals = right[there], totals[there]
    drawn = np.random.default_rng(0).binomial(totals, right / totals, (_RESAMPLES, len(totals)))
    low, high = np.quantile((drawn / totals).mean(axis=1), (0.025, 0.975))
    return float(low), float(high)


def of_mean_difference(
    first: np.ndarray, second: np.ndarray, classes: np.ndarray
) -> tuple[float, float]:
    """Returns a bootstrap interval of the difference of two balanced accuracies, paired by example.

    As `of_mean_share`: the examples of each class are drawn again, each with what both systems say.

    Args:
      first, second: bool `[n]`, whether each system is right; first minus second.
      classes: int `[n]`, the class of each example, n at least 1.

    Returns:
      low and high, in [-1, 1].
    """
    generator = np.random.default_rng(0)
    sums = np.zeros(_RESAMPLES)
    numbers, totals = np.unique(classes, return_counts=True)
    for number, total in zip(numbers, totals, strict=True):
        of_class = classes == number
        won = int(np.sum(first[of_class] & ~second[of_class]))
        lost = int(np.sum(second[of_class] & ~first[of_class]))
        shares = np.array([won, lost, total - won - lost]) / total
        drawn = generator.multinomial(total, shares, _RESAMPLES)
        sums += (drawn[:, 0] - drawn[:, 1]) / total
    low, high = np.quantile(sums / len(numbers), (0.025, 0.975))
    return float(low), float(high)
