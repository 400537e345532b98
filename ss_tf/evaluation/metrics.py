"""Accuracies, confusion and paired comparisons of decisions; numpy only.

Every function takes one decision per example, so each example counts exactly once.
"""

from __future__ import annotations

import dataclasses
import math

import numpy as np

from ss_tf.evaluation.intervals import Z_95


def top1(decided: np.ndarray, true: np.ndarray) -> float:
    """Returns the share of examples decided right, in [0, 1].

    Args:
      decided: int `[n]`, labels or superclasses; n at least 1.
      true: int `[n]`, the same kind.

    Raises:
      ValueError: if shapes differ or there is no example.
    """
    _check_pairs(decided, true)
    return float(np.mean(decided == true))


def top1_by_group(
    decided: np.ndarray, true: np.ndarray, *, groups: np.ndarray, num_groups: int
) -> np.ndarray:
    """Returns the accuracy among the examples of each group.

    Args:
      decided: int `[n]`, decisions.
      true: int `[n]`, the same kind as `decided`.
      groups: int `[n]`, the group of each example, such as its true superclass.
      num_groups: number of groups.

    Returns:
      float64 `[num_groups]` in [0, 1]; nan for a group without examples.

    Raises:
      ValueError: if shapes differ, there is no example, or a group is out of range.
    """
    right, sizes = counts_by_group(decided, true, groups=groups, num_groups=num_groups)
    return np.where(sizes > 0, right / np.maximum(sizes, 1), np.nan)


def counts_by_group(
    decided: np.ndarray, true: np.ndarray, *, groups: np.ndarray, num_groups: int
) -> tuple[np.ndarray, np.ndarray]:
    """Counts right examples, and all, of each group.

    Args:
      decided, true, groups, num_groups: as for `top1_by_group`.

    Returns:
      Two int64 `[num_groups]`: decided right, and in the group.

    Raises:
      ValueError: as `top1_by_group`.
    """
    _check_pairs(decided, true)
    _check_pairs(groups, true)
    _check_range(groups, num_groups)
    return (
        np.bincount(groups[decided == true], minlength=num_groups),
        np.bincount(groups, minlength=num_groups),
    )


def balanced_top1(decided: np.ndarray, true: np.ndarray, *, num_classes: int) -> float:
    """Returns the mean over classes of the share decided right, in [0, 1].

    So each class counts the same, however many examples it has; one without examples does not.

    Args:
      decided: int `[n]`, n at least 1.
      true: int `[n]`.
      num_classes: number of classes.

    Raises:
      ValueError: if shapes differ, there is no example, or a truth is out of range.
    """
    right, totals = counts_by_group(decided, true, groups=true, num_groups=num_classes)
    return float(np.mean(right[totals > 0] / totals[totals > 0]))


def in_top(top: np.ndarray, true: np.ndarray) -> np.ndarray:
    """Returns bool `[n]`, whether the truth is among the labels `[n, k]`."""
    return (top == true[:, None]).any(axis=1)


def confusion(decided: np.ndarray, true: np.ndarray, *, num_classes: int) -> np.ndarray:
    """Counts examples by true class (rows) and decided class (columns).

    Args:
      decided: int `[n]`.
      true: int `[n]`.
      num_classes: number of rows and of columns.

    Returns:
      int64 `[num_classes, num_classes]`; the entries sum to n.

    Raises:
      ValueError: if shapes differ, there is no example, or a class is out of range.
    """
    _check_pairs(decided, true)
    _check_range(decided, num_classes)
    _check_range(true, num_classes)
    counts = np.zeros((num_classes, num_classes), np.int64)
    np.add.at(counts, (true, decided), 1)
    return counts


def errors_inside(
    decided: np.ndarray, true: np.ndarray, *, superclass_of_label: tuple[int, ...]
) -> tuple[int, int]:
    """Counts wrong labels, and those among them inside the true superclass.

    Args:
      decided: int `[n]`, labels.
      true: int `[n]`, labels.
      superclass_of_label: the superclass of each label.

    Returns:
      Number of errors, and number of errors whose decided label shares the true superclass.

    Raises:
      ValueError: if shapes differ or there is no example.
    """
    _check_pairs(decided, true)
    superclasses = np.asarray(superclass_of_label)
    wrong = decided != true
    inside = wrong & (superclasses[decided] == superclasses[true])
    return int(wrong.sum()), int(inside.sum())


def relative_gain_percent(accuracy: float, reference: float) -> float | None:
    """Returns how much larger `accuracy` is than `reference`, in percent of `reference`.

    The paper's "+3.30 %" over the flat network is this number. None for a reference of 0.
    """
    return None if reference == 0 else 100 * (accuracy / reference - 1)


@dataclasses.dataclass(frozen=True)
class PairedDifference:
    """Accuracy of one system minus that of another on the same examples, in [-1, 1].

    Attributes:
      only_first, only_second: number of examples that one of the two alone decides right.
      difference: the measured difference.
      low, high: its interval of 95 %.
      standard_error: of the difference, in [0, 1]; 0 where both are right on the same examples.
      p_value: of McNemar's exact test, in [0, 1]: how often chance alone, where both systems are
        equally good, tells them apart by as many examples or more.
    """

    only_first: int
    only_second: int
    difference: float
    low: float
    high: float
    standard_error: float
    p_value: float

    @property
    def outcome(self) -> str:
        """Says "better", "worse" or, where the interval holds 0, "no clear difference"."""
        if self.low > 0:
            return "better"
        return "worse" if self.high < 0 else "no clear difference"


def paired_difference(
    first: np.ndarray, second: np.ndarray, *, true: np.ndarray
) -> PairedDifference:
    """Compares two systems on the same examples, first minus second.

    Only examples that exactly one system decides right tell the two apart. The interval is the
    adjusted Wald interval for paired proportions (Agresti and Min, Statistics in Medicine 24,
    2005): half an example is added to each of the four cells right/wrong x right/wrong, so that
    few examples never give an interval of width zero. It speaks of other images of the same kind,
    not of training again with another seed.

    With b examples that the first alone decides right and c that the second alone does, the
    standard error is sqrt(b + c - (b - c)^2 / n) / n. The p-value is exact: b is binomial of b + c
    and 1/2 where the systems are equally good.

    Args:
      first: int `[n]`, decisions of one system.
      second: int `[n]`, decisions of the other.
      true: int `[n]`.

    Raises:
      ValueError: if shapes differ or there is no example.
    """
    _check_pairs(first, true)
    _check_pairs(second, true)
    only_first = int(np.sum((first == true) & (second != true)))
    only_second = int(np.sum((first != true) & (second == true)))
    total = len(true) + 2
    centre = (only_first - only_second) / total
    variance = (only_first + only_second + 1) / total - centre**2
    half_width = Z_95 * math.sqrt(variance / total)
    return PairedDifference(
        only_first=only_first,
        only_second=only_second,
        difference=(only_first - only_second) / len(true),
        low=max(centre - half_width, -1.0),
        high=min(centre + half_width, 1.0),
        standard_error=_standard_error(only_first, only_second, len(true)),
        p_value=_mcnemar(only_first, only_second),
    )


def _standard_error(only_first: int, only_second: int, num_examples: int) -> float:
    """Returns the standard error of the difference of two shares of the same examples."""
    squares = only_first + only_second - (only_first - only_second) ** 2 / num_examples
    return math.sqrt(squares) / num_examples


def _mcnemar(only_first: int, only_second: int) -> float:
    """Returns the two-sided p-value of McNemar's exact test."""
    total, fewer = only_first + only_second, min(only_first, only_second)
    # In whole numbers: 2**total is no float from 1024 examples on.
    ways, tail = 1, 1
    for count in range(1, fewer + 1):
        ways = ways * (total - count + 1) // count
        tail += ways
    return min(1.0, 2 * tail / 2**total)


def _check_pairs(decided: np.ndarray, true: np.ndarray) -> None:
    """Raises ValueError unless both are `[n]` with n at least 1."""
    if decided.shape != true.shape or true.ndim != 1:
        raise ValueError(
            f"Decisions have shape {decided.shape} and truths {true.shape}, "
            "expected one decision per example."
        )
    if not true.size:
        raise ValueError("There are 0 examples, expected at least 1.")


def _check_range(values: np.ndarray, size: int) -> None:
    """Raises ValueError unless all values are in `0..size-1`."""
    bad = values[(values < 0) | (values >= size)]
    if bad.size:
        raise ValueError(f"Class {bad[0]} is out of range, expected 0..{size - 1}.")
