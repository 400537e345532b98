"""RoutingPolicy: how many sub networks an image opens, and how their answers are weighed."""

from __future__ import annotations

import dataclasses
import json
import reprlib
import types
from collections.abc import Mapping, Sequence

from ss_tf import files, json_objects

_VERSION = 1
_SUBJECT = "A routing policy"
# The temperatures of a thousand superclasses take a tenth of it.
LARGEST_BYTES = 2**20
_LARGEST_TOP_K = 1000
# Logits divided by these are still numbers in float32.
_LOWEST_TEMPERATURE, _HIGHEST_TEMPERATURE = 1e-3, 1e3


@dataclasses.dataclass(frozen=True, kw_only=True)
class RoutingPolicy:
    """Settings of two-stage inference. The defaults are plain hard routing.

    Attributes:
      top_k: most superclasses opened per image, 1 to 1000.
      tau: a further superclass is opened, in order of probability, only while the probabilities of
        those already opened sum to less than this. In [0, 1].
      temperatures: superclass name -> what its sub network's logits are divided by, 0.001 to 1000;
        a missing one is 1.
      early_exit: an image whose most probable label, by the base, has at least this probability
        opens no sub network; None lets none exit. In [0, 1], with a flat base only.
      base_weight: weight of the base's own label probabilities in the average with those of two
        stages. In [0, 1]; with a super base 0.
      abstain_below: an answer whose joint probability (superclass and subclass) is below this is
        the superclass alone. In [0, 1].

    Raises:
      ValueError: if a setting has another type or is out of range; the message names it.
    """

    top_k: int = 1
    tau: float = 1.0
    temperatures: Mapping[str, float] = dataclasses.field(default_factory=dict, hash=False)
    early_exit: float | None = None
    base_weight: float = 0.0
    abstain_below: float = 0.0

    def __post_init__(self):
        good = type(self.top_k) is int and 1 <= self.top_k <= _LARGEST_TOP_K
        _check(good, "top_k", self.top_k, f"a whole number from 1 to {_LARGEST_TOP_K}")
        for name in ("tau", "base_weight", "abstain_below"):
            value = getattr(self, name)
            _check(_is_number(value, 0, 1), name, value, "a number in [0, 1]")
            self._set(name, float(value))
        good = self.early_exit is None or _is_number(self.early_exit, 0, 1)
        _check(good, "early_exit", self.early_exit, "null or a number in [0, 1]")
        if self.early_exit is not None:
            self._set("early_exit", float(self.early_exit))
        good = isinstance(self.temperatures, Mapping)
        _check(good, "temperatures", self.temperatures, "superclass name -> temperature")
        for name, value in self.temperatures.items():
            _check(type(name) is str, "A name in temperatures", name, "text")
            files.check_name(name, subject="Superclass")
            good = _is_number(value, _LOWEST_TEMPERATURE, _HIGHEST_TEMPERATURE)
            expected = f"a number from {_LOWEST_TEMPERATURE} to {_HIGHEST_TEMPERATURE:.0f}"
            _check(good, f"temperatures[{name!r}]", value, expected)
        # A copy that nobody can change, as the dataclass is frozen.
        own = {name: float(value) for name, value in self.temperatures.items()}
        self._set("temperatures", types.MappingProxyType(own))

    def check_base(self, *, is_flat: bool) -> None:
        """Raises ValueError if the policy needs probabilities of labels and the base gives none."""
        if not is_flat and (self.early_exit is not None or self.base_weight):
            raise ValueError(
                f"early_exit is {self.early_exit} and base_weight {self.base_weight}, expected "
                "None and 0: a super base gives no probabilities of labels."
            )

    def check_names(self, superclass_names: Sequence[str]) -> None:
        """Raises ValueError if there is a temperature of an unknown superclass."""
        unknown = sorted(set(self.temperatures) - set(superclass_names))
        if unknown:
            raise ValueError(
                f"temperatures has {unknown[0]!r}, expected names out of "
                f"{', '.join(superclass_names)}."
            )

    def to_json(self) -> str:
        """Returns the policy as JSON text, one entry per attribute, and the format's version."""
        fields = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        fields["temperatures"] = dict(self.temperatures)
        return json.dumps({"version": _VERSION, **fields}, ensure_ascii=False, indent=1)

    def _set(self, name: str, value: object) -> None:
        """Sets an attribute as the policy is made; whole numbers of JSON become floats here."""
        object.__setattr__(self, name, value)

    @classmethod
    def from_json(cls, text: str) -> RoutingPolicy:
        """Reads what `to_json` wrote.

        Raises:
          ValueError: if the text is too long or no JSON, is of another version, a field is missing,
            unknown or there twice, or a setting is not as `RoutingPolicy` wants it.
        """
        return cls.from_fields(read_object(text))

    @classmethod
    def from_fields(cls, fields: object) -> RoutingPolicy:
        """Does what `from_json` does, for JSON that was read."""
        json_objects.check_kind(fields, subject=_SUBJECT)
        fields = dict(fields)
        version = fields.pop("version", None)
        good = type(version) is int and version == _VERSION
        _check(good, "version of a routing policy", version, _VERSION)
        names = (field.name for field in dataclasses.fields(cls))
        json_objects.check_names(fields, names, subject=_SUBJECT)
        return cls(**fields)


def read_object(text: str) -> dict[str, object]:
    """Reads the JSON object that a policy is, and whatever fields it has.

    Raises:
      ValueError: if the text is too long or no object, or a field is there twice.
    """
    if len(text) > LARGEST_BYTES:
        raise ValueError(
            f"{_SUBJECT} has {len(text)} characters, expected at most {LARGEST_BYTES}."
        )
    return json_objects.read(text, subject=_SUBJECT)


def _is_number(value: object, lowest: float, highest: float) -> bool:
    # NaN is in no range, and bool is a kind of int.
    return type(value) in (int, float) and lowest <= value <= highest


def _check(good: bool, name: str, got: object, expected: object) -> None:
    """Raises ValueError naming the setting unless `good`."""
    if not good:
        # Shortened, as it may be a megabyte of lists in lists.
        raise ValueError(f"{name} is {reprlib.repr(got)}, expected {expected}.")


# Down here, as making it takes the checks above.
HARD = RoutingPolicy()
