"""SuperclassMap: the partition of labels into superclasses."""

from __future__ import annotations

import dataclasses
import difflib
import json
import pathlib
import reprlib
from collections.abc import Mapping, Sequence

from ss_tf import files, json_objects

_SUBJECT = "A superclass map"


@dataclasses.dataclass(frozen=True)
class SuperclassMap:
    """A partition of the labels `0..num_labels-1` into superclasses.

    Subclass indices count the labels of one superclass in ascending order of label.

    Attributes:
      superclass_names: one unique name per superclass; sub networks are stored under it.
      label_names: one unique name per label.
      superclass_of_label: for each label, the index of its superclass.
    """

    superclass_names: tuple[str, ...]
    label_names: tuple[str, ...]
    superclass_of_label: tuple[int, ...]

    def __post_init__(self):
        _check_unique("superclass", self.superclass_names)
        _check_unique("label", self.label_names)
        for name in self.superclass_names:
            files.check_name(name, subject="Superclass")
        if len(self.superclass_of_label) != len(self.label_names):
            raise ValueError(
                f"superclass_of_label has {len(self.superclass_of_label)} entries, "
                f"expected one per label: {len(self.label_names)}."
            )
        for label, superclass in enumerate(self.superclass_of_label):
            if not 0 <= superclass < len(self.superclass_names):
                raise ValueError(
                    f"Label {self.label_names[label]!r} has superclass {superclass}, "
                    f"expected 0..{len(self.superclass_names) - 1}."
                )
        for superclass, name in enumerate(self.superclass_names):
            if superclass not in self.superclass_of_label:
                raise ValueError(f"Superclass {name!r} has no label, expected at least one.")

    @classmethod
    def from_groups(cls, groups: Mapping[str, Sequence[str]]) -> SuperclassMap:
        """Builds the map from superclass name -> names of its labels, in the order given."""
        pairs = [(index, name) for index, names in enumerate(groups.values()) for name in names]
        return cls(
            superclass_names=tuple(groups),
            label_names=tuple(name for _, name in pairs),
            superclass_of_label=tuple(index for index, _ in pairs),
        )

    @property
    def num_labels(self) -> int:
        return len(self.label_names)

    @property
    def num_superclasses(self) -> int:
        return len(self.superclass_names)

    def labels_in(self, superclass: int) -> tuple[int, ...]:
        """Returns the labels of a superclass, ascending; position is the subclass index."""
        return tuple(
            label for label, group in enumerate(self.superclass_of_label) if group == superclass
        )

    def subclass_of_label(self) -> tuple[int, ...]:
        """Returns, for each label, its index within its superclass."""
        seen = [0] * self.num_superclasses
        subclasses = []
        for superclass in self.superclass_of_label:
            subclasses.append(seen[superclass])
            seen[superclass] += 1
        return tuple(subclasses)

    def superclass_index(self, name: str) -> int:
        """Returns the index of a superclass.

        Raises:
          ValueError: if there is no such superclass; the message lists what there is.
        """
        if name in self.superclass_names:
            return self.superclass_names.index(name)
        close = difflib.get_close_matches(name, self.superclass_names, n=1)
        hint = f" Did you mean {close[0]!r}?" if close else ""
        known = ", ".join(self.superclass_names)
        raise ValueError(f"Unknown superclass {name!r}, expected one of {known}.{hint}")

    def to_json(self) -> str:
        """Returns the map as JSON text, one entry per attribute."""
        return json.dumps(dataclasses.asdict(self), ensure_ascii=False, indent=1)

    @classmethod
    def from_json(cls, text: str) -> SuperclassMap:
        """Reads what `to_json` wrote.

        Raises:
          ValueError: if it is no JSON object, or as `from_fields`.
        """
        return cls.from_fields(json_objects.read(text, subject=_SUBJECT))

    @classmethod
    def from_fields(cls, fields: object) -> SuperclassMap:
        """Does what `from_json` does, for JSON that was read.

        Raises:
          ValueError: naming the field, if one is missing, unknown or of another type, or the map is
            not a partition.
        """
        names = (field.name for field in dataclasses.fields(cls))
        json_objects.check_names(fields, names, subject=_SUBJECT)
        for name, values in fields.items():
            kind = int if name == "superclass_of_label" else str
            # `type`, as true and false are whole numbers otherwise.
            if not isinstance(values, list) or not all(type(value) is kind for value in values):
                got = reprlib.repr(values)
                raise ValueError(f"{name} is {got}, expected a list of {kind.__name__}.")
        return cls(**{name: tuple(values) for name, values in fields.items()})

    @classmethod
    def load(cls, path: pathlib.Path) -> SuperclassMap:
        """Reads the JSON file `path`."""
        return cls.from_json(pathlib.Path(path).read_text(encoding="utf-8"))


def _check_unique(kind: str, names: Sequence[str]) -> None:
    """Raises ValueError, naming the name, if one occurs twice."""
    seen = set()
    for name in names:
        if name in seen:
            raise ValueError(f"The {kind} name {name!r} occurs twice, expected unique names.")
        seen.add(name)
