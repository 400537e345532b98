"""JSON objects from files that may come from anywhere, read strictly.

What readers of JSON may take in different ways is refused: a field that is there twice, and
numbers that are none.
"""

from __future__ import annotations

import collections
import json
import math
import reprlib
from collections.abc import Iterable


def read(text: str, *, subject: str) -> dict[str, object]:
    """Reads the text of one object, whatever its fields.

    Args:
      text: of a bounded length, which the caller sees to.
      subject: what the object is, for messages.

    Raises:
      ValueError: if it is no object, a field is there twice, or a number is not finite.
    """
    try:
        fields = json.loads(
            text, object_pairs_hook=_unique, parse_float=_finite, parse_constant=_refuse
        )
    except json.JSONDecodeError as error:
        raise ValueError(f"{subject} is no JSON: {error}.") from error
    except RecursionError as error:
        raise ValueError(f"{subject} is nested too deep, expected one object.") from error
    check_kind(fields, subject=subject)
    return fields


def check_kind(value: object, *, subject: str) -> None:
    """Raises ValueError if what was read is no object."""
    if not isinstance(value, dict):
        raise ValueError(f"{subject} is {reprlib.repr(value)}, expected an object.")


def check_names(fields: object, expected: Iterable[str], *, subject: str) -> None:
    """Raises ValueError if what was read is no object, or fields, named, are missing or unknown."""
    check_kind(fields, subject=subject)
    names = set(expected)
    if set(fields) != names:
        # Shortened, as they may be a megabyte.
        unknown = reprlib.repr(sorted(set(fields) - names))
        raise ValueError(
            f"{subject} lacks the fields {sorted(names - set(fields))} and has {unknown} beside "
            f"them, expected {sorted(names)}."
        )


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    """Returns the pairs of a JSON object, where json.loads would let the last of two win."""
    found = dict(pairs)
    if len(found) < len(pairs):
        names = (name for name, _ in pairs)
        twice, _ = collections.Counter(names).most_common(1)[0]
        raise ValueError(f"The field {reprlib.repr(twice)} is there twice, expected it once.")
    return found


def _finite(text: str) -> float:
    """Returns a number, where json.loads would take 1e999 for infinity."""
    number = float(text)
    if math.isinf(number):
        _refuse(reprlib.repr(text))
    return number


def _refuse(constant: str) -> None:
    raise ValueError(f"There is a {constant}, expected finite numbers.")
