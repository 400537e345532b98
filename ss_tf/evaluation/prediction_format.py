"""What a run says about one image, and how it is shown: a line of text or of JSON."""

from __future__ import annotations

import dataclasses
import json
import pathlib

from ss_tf.data import image_files
from ss_tf.data.image_files import UnreadableImageError


@dataclasses.dataclass(frozen=True, kw_only=True)
class ScoredLabel:
    """A label that an image may have.

    Attributes:
      label: its name.
      superclass: name of its superclass.
      probability: of both together, p(superclass) * p(label | superclass), in (0, 1].
    """

    label: str
    superclass: str
    probability: float


@dataclasses.dataclass(frozen=True, kw_only=True)
class Prediction:
    """What a run says about one image.

    Attributes:
      path: the image.
      superclass: name of the superclass decided.
      superclass_probability: in [0, 1].
      subclass: name of the label decided, one of the superclass's; None where the policy abstains.
      subclass_probability: given the superclass, in [0, 1]; 0 without a subclass.
      opened: names of the superclasses whose sub networks were asked. Empty where there was none
        to ask: the base was sure enough, or the superclass has a single label.
      top: the most probable labels, most probable first, without those of probability 0; as many as
        were asked for, or fewer. An image that abstains has them, too.
    """

    path: pathlib.Path
    superclass: str
    superclass_probability: float
    subclass: str | None
    subclass_probability: float
    opened: tuple[str, ...]
    top: tuple[ScoredLabel, ...]


def text_line(prediction: Prediction) -> str:
    """Returns `path: superclass 98.1 %, subclass 74.0 %`; the second is given the first.

    More than one label in `top` follow as `; top: label 72.6 %, label 20.1 %`, of superclass and
    label together. Where the policy abstains, the superclass stands alone.
    """
    line = (
        f"{image_files.printable(prediction.path)}: "
        f"{prediction.superclass} {_percent(prediction.superclass_probability)}"
    )
    if prediction.subclass is None:
        return line
    line += f", {prediction.subclass} {_percent(prediction.subclass_probability)}"
    if len(prediction.top) < 2:
        return line
    top = (f"{scored.label} {_percent(scored.probability)}" for scored in prediction.top)
    return f"{line}; top: {', '.join(top)}"


def json_line(outcome: Prediction | UnreadableImageError) -> str:
    r"""Returns one JSON object in one line of ASCII.

    Of a prediction it has the fields of `Prediction`, None as null; of an image that cannot be
    read, its `path` and what is wrong with it as `error`. Bytes of a path that are no UTF-8 are
    shown as `\xff`.
    """
    if isinstance(outcome, UnreadableImageError):
        # Its path is printable already.
        return _one_line({"path": outcome.path, "error": outcome.reason})
    fields = dataclasses.asdict(outcome)
    return _one_line(fields | {"path": image_files.printable(outcome.path)})


def _one_line(fields: dict[str, object]) -> str:
    # ASCII, as the encoding of standard output may be any.
    return json.dumps(fields, ensure_ascii=True, allow_nan=False)


def _percent(probability: float) -> str:
    return f"{100 * probability:.1f} %"
