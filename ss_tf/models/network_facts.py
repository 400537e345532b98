"""NetworkFacts: what an integer network's file says about it, so that it can be used alone."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Mapping
from typing import NamedTuple, NoReturn

from ss_tf.config import ModelConfig
from ss_tf.hierarchy.superclass_map import SuperclassMap

# The one network whose classes are superclasses; the others' are labels.
_SUPER = "super"
# No mean or scale is near it; NaN is not below it.
_LARGEST = 1e30


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _is_count(value: object) -> bool:
    return type(value) is int and value >= 0


def _is_number(value: object) -> bool:
    return type(value) in (int, float) and -_LARGEST <= value <= _LARGEST


def _is_list_of(is_item: Callable[[object], bool]) -> Callable[[object], bool]:
    return lambda value: isinstance(value, list) and all(map(is_item, value))


class _Kind(NamedTuple):
    """What a field may be."""

    expected: str
    accepts: Callable[[object], bool]


_TEXT = _Kind("text", _is_text)
_COUNT = _Kind("a whole number, at least 0", _is_count)
_POSITIVE = _Kind("a whole number, at least 1", lambda value: _is_count(value) and value > 0)
_SHARE = _Kind("a number in (0, 1]", lambda value: _is_number(value) and 0 < value <= 1)
_NUMBERS = _Kind("a list of numbers", _is_list_of(_is_number))
_SCALES = _Kind("numbers above 0", _is_list_of(lambda value: _is_number(value) and value > 0))
_BLOCKS = _Kind(
    "null or a list of counts", lambda value: value is None or _is_list_of(_is_count)(value)
)
# Entry of the metadata -> its fields, in JSON.
_SECTIONS = {
    "data": {"dataset": _TEXT, "train_digest": _TEXT},
    "model": {"backbone": _TEXT, "base_width": _COUNT, "resnet_blocks": _BLOCKS, "stem": _TEXT},
    "preprocessing": {
        "channels": _POSITIVE,
        "crop_fraction": _SHARE,
        "image_size": _POSITIVE,
        "mean": _NUMBERS,
        "std": _SCALES,
    },
    "training": {"float_epochs": _COUNT, "qat_epochs": _COUNT, "seed": _COUNT},
}


@dataclasses.dataclass(frozen=True, kw_only=True)
class NetworkFacts:
    """What a network is, what it takes and tells apart, and where it comes from.

    Attributes:
      network: its name in its run, such as "super" or "sub/bird".
      origin: what its training started from, such as "base DIGEST".
      version: of this package, as it was trained.
      superclass_map: the partition of the labels; None for a sub network.
      superclass: whose sub network it is; None for other networks.
      class_names: of its logits, in their order: of superclasses for the super network, else of
        labels.
      model: shape of the ResNet.
      image_size: side of the square input, pixels.
      channels, mean, std, crop_fraction: as in `ss_tf.data.examples.ImageFormat`.
      dataset: name of the data set.
      train_digest: SHA-256, in hex, of keys and labels of its training images.
      float_epochs, qat_epochs: epochs of each phase.
      seed: of the run.
    """

    network: str
    origin: str
    version: str
    superclass_map: SuperclassMap | None
    superclass: str | None
    class_names: tuple[str, ...]
    model: ModelConfig
    image_size: int
    channels: int
    mean: tuple[float, ...]
    std: tuple[float, ...]
    crop_fraction: float
    dataset: str
    train_digest: str
    float_epochs: int
    qat_epochs: int
    seed: int

    @property
    def num_classes(self) -> int:
        return len(self.class_names)

    def to_metadata(self) -> dict[str, str]:
        """Returns the facts as the metadata of a file."""
        values = {**vars(self.model), **vars(self)}
        sections = {
            section: {name: values[name] for name in fields}
            for section, fields in _SECTIONS.items()
        }
        if self.superclass_map is None:
            sections["classes"] = {"names": self.class_names, "superclass": self.superclass}
        else:
            sections["classes"] = dataclasses.asdict(self.superclass_map)
        return {
            "network": self.network,
            "origin": self.origin,
            "ss_tf": self.version,
            **{name: _json(section) for name, section in sections.items()},
        }

    @classmethod
    def from_metadata(cls, metadata: Mapping[str, str]) -> NetworkFacts:
        """Reads what `to_metadata` wrote.

        Raises:
          ValueError: naming the field that is missing, or is not what it should be.
        """
        fields = {name: _text(metadata, name) for name in ("network", "origin")}
        sections = {section: _section(metadata, section) for section in _SECTIONS}
        try:
            model = ModelConfig(**sections["model"])
        except ValueError as error:
            raise ValueError(f"The network's metadata have a bad model: {error}") from error
        preprocessing = sections["preprocessing"]
        for name in ("mean", "std"):
            if len(preprocessing[name]) != preprocessing["channels"]:
                _refuse(f"preprocessing.{name}", preprocessing[name], "one number per channel")
        return cls(
            **fields,
            **_classes(metadata),
            version=_text(metadata, "ss_tf"),
            model=model,
            **sections["data"],
            **preprocessing,
            **sections["training"],
        )


def relative_to_base(metadata: Mapping[str, str], base: Mapping[str, str]) -> dict[str, str]:
    """Returns what a sub network's metadata say that its base's do not.

    Args:
      metadata: of the sub network, as `to_metadata` gave it.
      base: of the network that it started from.
    """
    own = {name: text for name, text in metadata.items() if base.get(name) != text}
    if "classes" not in own or "classes" not in base:
        return own
    superclass, labels_map = _classes(own)["superclass"], _classes(base)["superclass_map"]
    is_known = labels_map is not None and superclass in labels_map.superclass_names
    if is_known and own["classes"] == _sub_classes(superclass, labels_map):
        own["classes"] = _json({"superclass": superclass})
    return own


def completed_by_base(metadata: Mapping[str, str], base: Mapping[str, str]) -> dict[str, str]:
    """Undoes `relative_to_base`.

    Raises:
      ValueError: naming the field, if the classes are not as said, or no superclass of the base.
    """
    own = dict(metadata)
    section = _object(own, "classes") if "classes" in own else {}
    if section.keys() == {"superclass"}:
        labels_map = _classes(base)["superclass_map"]
        if labels_map is None:
            _refuse("classes", base["classes"], "the superclass map of a base")
        if not _is_text(section["superclass"]):
            _refuse("classes.superclass", section["superclass"], "text")
        own["classes"] = _sub_classes(section["superclass"], labels_map)
    return {**base, **own}


def _sub_classes(superclass: str, labels_map: SuperclassMap) -> str:
    """Returns the entry `classes` of a superclass's sub network."""
    labels = labels_map.labels_in(labels_map.superclass_index(superclass))
    names = [labels_map.label_names[label] for label in labels]
    return _json({"names": names, "superclass": superclass})


def _classes(metadata: Mapping[str, str]) -> dict[str, object]:
    """Returns the fields superclass_map, superclass and class_names."""
    section = _object(metadata, "classes")
    if section.keys() != {"names", "superclass"}:
        try:
            labels_map = SuperclassMap.from_json(metadata["classes"])
        except ValueError as error:
            raise ValueError(f"The network's metadata have bad classes: {error}") from error
        is_super = _text(metadata, "network") == _SUPER
        names = labels_map.superclass_names if is_super else labels_map.label_names
        return {"superclass_map": labels_map, "superclass": None, "class_names": names}
    names, superclass = section["names"], section["superclass"]
    if not _is_list_of(_is_text)(names):
        _refuse("classes.names", names, "a list of texts")
    if not _is_text(superclass):
        _refuse("classes.superclass", superclass, "text")
    return {"superclass_map": None, "superclass": superclass, "class_names": tuple(names)}


def _section(metadata: Mapping[str, str], name: str) -> dict[str, object]:
    """Returns the fields of one entry, checked; lists become tuples."""
    section, kinds = _object(metadata, name), _SECTIONS[name]
    for field, kind in kinds.items():
        if field not in section:
            raise ValueError(f"{name}.{field} is missing from the network's metadata.")
        if not kind.accepts(section[field]):
            _refuse(f"{name}.{field}", section[field], kind.expected)
    for field in section.keys() - kinds.keys():
        raise ValueError(f"{name}.{field} of the network's metadata is unknown.")
    return {k: tuple(v) if isinstance(v, list) else v for k, v in section.items()}


def _object(metadata: Mapping[str, str], name: str) -> dict[str, object]:
    """Returns an entry that is a JSON object."""
    try:
        value = json.loads(_text(metadata, name))
    except (json.JSONDecodeError, RecursionError) as error:
        raise ValueError(f"{name} of the network's metadata is no JSON ({error}).") from error
    if not isinstance(value, dict):
        _refuse(name, value, "a JSON object")
    return value


def _text(metadata: Mapping[str, str], name: str) -> str:
    """Returns an entry of the metadata."""
    if name not in metadata:
        raise ValueError(f"{name} is missing from the network's metadata.")
    if not isinstance(metadata[name], str):
        _refuse(name, metadata[name], "text")
    return metadata[name]


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), sort_keys=True)


def _refuse(field: str, got: object, expected: str) -> NoReturn:
    shown = repr(got)
    raise ValueError(f"{field} of the network's metadata is {shown[:60]}, expected {expected}.")
