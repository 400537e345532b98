"""Manifest: what a bundle says of itself, as JSON. Nothing in it is trusted."""

from __future__ import annotations

import collections
import dataclasses
import json
import pathlib
import re
import reprlib
from collections.abc import Callable, Mapping

from ss_tf import json_objects
from ss_tf.edge.delta_layout import LARGEST_NETWORK
from ss_tf.hierarchy.superclass_map import SuperclassMap
from ss_tf.routing.policy import RoutingPolicy

FORMAT, VERSION = "ss_tf edge bundle", 1
FILE_NAME = "manifest.json"
BASE_KINDS = ("super", "flat")
# Names in the signature of every network.
INPUT, OUTPUT = "image", "logits"
# Ten thousand labels take a tenth of it.
_LARGEST_BYTES = 1 << 24
_LARGEST_SIDE, _LARGEST_HEAD = 4096, 1 << 16
# It is in messages.
_LONGEST_SIGNATURE = 100
# Labels times superclasses: routing has tables of that size.
_LARGEST_MAP = 1 << 26
# What normalises images: pixels stay far from the ends of float32.
_SMALLEST_STD, _LARGEST_NUMBER = 1e-6, 1e6
_SHA256 = re.compile("[0-9a-f]{64}")


@dataclasses.dataclass(frozen=True)
class FileFacts:
    """Length and digest of a file.

    Attributes:
      num_bytes: its length.
      sha256: in hex.
    """

    num_bytes: int
    sha256: str


@dataclasses.dataclass(frozen=True)
class SubFacts:
    """What is known of a sub network: its delta file, and the .tflite file that this gives."""

    delta: FileFacts
    network: FileFacts


@dataclasses.dataclass(frozen=True, kw_only=True)
class Manifest:
    """What is in a bundle, and how to use it.

    Attributes:
      base_kind: "super" or "flat": what the base tells apart.
      superclass_map: the partition of the labels.
      policy: how to route.
      image_size: side of the square input, pixels.
      channels: 1 for grayscale, 3 for RGB.
      mean, std: per channel, of images in [0, 1]; a network sees `(image - mean) / std`.
      crop_fraction: side of the centre square that is shown, as a share of the short side.
      signature: of every network; it takes `image`, float32 `[1, size, size, channels]`, and gives
        `logits`, float32 `[1, head_width]`, of which the first ones count.
      head_width: of all networks.
      base: the base's .tflite file.
      subs: superclass name -> its sub network, where it has more than one label.
      source: SHA-256, in hex, of the run's int8 networks that the bundle was made of; what tells
        bundles of different trainings apart. The runtime makes no use of it.
    """

    base_kind: str
    superclass_map: SuperclassMap
    policy: RoutingPolicy
    image_size: int
    channels: int
    mean: tuple[float, ...]
    std: tuple[float, ...]
    crop_fraction: float
    signature: str
    head_width: int
    base: FileFacts
    subs: Mapping[str, SubFacts]
    source: str

    def __post_init__(self):
        _check(self.base_kind in BASE_KINDS, "base_kind", self.base_kind, " or ".join(BASE_KINDS))
        good = _is_whole(self.image_size, _LARGEST_SIDE)
        _check(good, "image_size", self.image_size, f"a whole number from 1 to {_LARGEST_SIDE}")
        good = type(self.channels) is int and self.channels in (1, 3)
        _check(good, "channels", self.channels, "1 or 3")
        for name, lowest in (("mean", -_LARGEST_NUMBER), ("std", _SMALLEST_STD)):
            values = getattr(self, name)
            good = len(values) == self.channels
            good = good and all(_is_number(value) and value >= lowest for value in values)
            expected = f"{self.channels} numbers from {lowest:g} to {_LARGEST_NUMBER:g}"
            _check(good, name, values, expected)
        good = _is_number(self.crop_fraction) and 0 < self.crop_fraction <= 1
        _check(good, "crop_fraction", self.crop_fraction, "a number in (0, 1]")
        good = isinstance(self.signature, str) and 1 <= len(self.signature) <= _LONGEST_SIGNATURE
        _check(good, "signature", self.signature, f"1 to {_LONGEST_SIGNATURE} characters")
        good = _is_whole(self.head_width, _LARGEST_HEAD) and self.head_width >= self._widest
        _check(good, "head_width", self.head_width, f"{self._widest} or more, to {_LARGEST_HEAD}")
        expected = {
            name
            for superclass, name in enumerate(self.superclass_map.superclass_names)
            if len(self.superclass_map.labels_in(superclass)) > 1
        }
        _check(set(self.subs) == expected, "subs", sorted(self.subs), sorted(expected))
        for name, sub in self.subs.items():
            good = sub.network.num_bytes == self.base.num_bytes
            _check(good, f"Size of {name}", sub.network.num_bytes, self.base.num_bytes)
        _check(_is_digest(self.source), "source", self.source, "64 digits of hex")
        self.policy.check_names(self.superclass_map.superclass_names)
        self.policy.check_base(is_flat=self.base_kind == "flat")

    @property
    def base_width(self) -> int:
        """Number of the base's logits that count."""
        labels_map = self.superclass_map
        is_flat = self.base_kind == "flat"
        return labels_map.num_labels if is_flat else labels_map.num_superclasses

    @property
    def _widest(self) -> int:
        """Number of logits that count of the network with the most."""
        of_superclasses = collections.Counter(self.superclass_map.superclass_of_label)
        return max(self.base_width, *of_superclasses.values())

    def to_json(self) -> str:
        """Returns the manifest as JSON text, with a line for each field."""
        fields = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        fields["superclass_map"] = json.loads(self.superclass_map.to_json())
        fields["policy"] = json.loads(self.policy.to_json())
        fields["base"] = dataclasses.asdict(self.base)
        fields["subs"] = {name: dataclasses.asdict(sub) for name, sub in self.subs.items()}
        head = {"format": FORMAT, "version": VERSION}
        lines = [
            f'"{name}": {json.dumps(value, ensure_ascii=False, separators=(",", ":"))}'
            for name, value in {**head, **fields}.items()
        ]
        return "{\n" + ",\n".join(lines) + "\n}\n"

    @classmethod
    def from_json(cls, text: str) -> Manifest:
        """Reads what `to_json` wrote.

        Raises:
          ValueError: if it is of another version, or a field is missing, unknown, there twice, or
            not what it should be; the message names it.
        """
        fields = json_objects.read(text, subject="It")
        if fields.pop("format", None) != FORMAT:
            raise ValueError(f"It is no manifest of an {FORMAT}.")
        version = fields.pop("version", None)
        good = type(version) is int and version == VERSION
        _check(good, "version", version, f"{VERSION}: update ss_tf, or export the run again")
        names = (field.name for field in dataclasses.fields(cls))
        json_objects.check_names(fields, names, subject="It")
        for name, read in _READERS.items():
            try:
                fields[name] = read(fields[name])
            except ValueError as error:
                raise ValueError(f"{name} is damaged: {error}") from error
        return cls(**fields)

    @classmethod
    def load(cls, path: pathlib.Path) -> Manifest:
        """Reads the JSON file `path`.

        Raises:
          ValueError: as `from_json`; the message names the file.
          OSError: if it cannot be opened.
        """
        with open(path, "rb") as file:
            data = file.read(_LARGEST_BYTES + 1)
        if len(data) > _LARGEST_BYTES:
            raise ValueError(f"{path} is over {_LARGEST_BYTES} bytes, too long for a manifest.")
        try:
            return cls.from_json(data.decode("utf-8"))
        except ValueError as error:
            raise ValueError(f"{path} cannot be used: {error}") from error


def _superclass_map(value: object) -> SuperclassMap:
    fields = _own_fields(SuperclassMap, value, "superclass_map")
    for name in ("label_names", "superclass_names"):
        _check(isinstance(fields[name], list), name, fields[name], "a list")
    size = len(fields["label_names"]) * len(fields["superclass_names"])
    _check(size <= _LARGEST_MAP, "Labels times superclasses", size, f"at most {_LARGEST_MAP}")
    return SuperclassMap.from_fields(fields)


def _numbers(value: object) -> tuple:
    _check(isinstance(value, list), "It", value, "a list of numbers")
    return tuple(value)


def _file_facts(value: object, name: str = "base") -> FileFacts:
    facts = FileFacts(**_own_fields(FileFacts, value, name))
    good = _is_whole(facts.num_bytes, LARGEST_NETWORK)
    _check(good, f"num_bytes of {name}", facts.num_bytes, f"1 to {LARGEST_NETWORK}")
    _check(_is_digest(facts.sha256), f"sha256 of {name}", facts.sha256, "64 digits of hex")
    return facts


def _subs(value: object) -> dict[str, SubFacts]:
    _check(isinstance(value, dict), "It", value, "superclass name -> facts")
    found = {}
    for name, sub in value.items():
        shown = reprlib.repr(name)  # It may be a megabyte.
        parts = _own_fields(SubFacts, sub, shown).items()
        found[name] = SubFacts(
            **{part: _file_facts(facts, f"{part} of {shown}") for part, facts in parts}
        )
    return found


def _own_fields(kind: type, value: object, name: str) -> dict[str, object]:
    """Returns the fields of an object, which have to be those of a dataclass."""
    fields = (field.name for field in dataclasses.fields(kind))
    json_objects.check_names(value, fields, subject=name)
    return value


# How fields that are more than a number or a text are read.
_READERS: dict[str, Callable] = {
    "superclass_map": _superclass_map,
    "policy": RoutingPolicy.from_fields,
    "mean": _numbers,
    "std": _numbers,
    "base": _file_facts,
    "subs": _subs,
}


def _is_whole(value: object, largest: int) -> bool:
    return type(value) is int and 1 <= value <= largest


def _is_digest(value: object) -> bool:
    return isinstance(value, str) and _SHA256.fullmatch(value) is not None


def _is_number(value: object) -> bool:
    return type(value) in (int, float) and abs(value) <= _LARGEST_NUMBER


def _check(good: bool, name: str, got: object, expected: object) -> None:
    """Raises ValueError naming the field unless `good`."""
    if not good:
        raise ValueError(f"{name} is {reprlib.repr(got)}, expected {expected}.")
