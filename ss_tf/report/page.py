"""The page of a report: one HTML file that opens from disk and loads nothing."""

from __future__ import annotations

import pathlib
from collections.abc import Mapping, Sequence

import numpy as np

from ss_tf import files
from ss_tf.evaluation import results as results_lib
from ss_tf.evaluation.accuracy import Decisions
from ss_tf.hierarchy.superclass_map import SuperclassMap
from ss_tf.report import page_assets, page_data, page_sections

DEFAULT_MAX_BYTES = 15_000_000
_SCRIPTS = ("theme.js", "sorting.js", "data.js", "gallery.js", "matrix.js", "pairs.js")


def write(
    path: pathlib.Path,
    results: Mapping[str, object],
    *,
    decisions: Decisions,
    keys: Sequence[str],
    superclass_map: SuperclassMap,
    figures: Sequence[tuple[str, str, pathlib.Path | None]] = (),
    thumbnails: Mapping[int, bytes] | None = None,
    max_bytes: int = DEFAULT_MAX_BYTES,
) -> None:
    """Writes the page; an older one is replaced whole.

    Args:
      path: of the page.
      results: what results.json holds.
      decisions: of all systems, about `n` images.
      keys: `n` names of these images.
      superclass_map: their partition.
      figures: title, caption and file (PNG or SVG) of each figure, in order; None for the file
        where a measurement is missing.
      thumbnails: image -> PNG, JPEG or WebP file. An image without one is shown by its key, and
        so are those the page has no room for: the images of the largest cells go first.
      max_bytes: of the page. What is no thumbnail is always written, so that a page of large
        figures may be larger.

    Raises:
      ValueError: if a required measurement is missing, keys and decisions do not pair up, or a
        figure or thumbnail is no image.
      OSError: if a figure cannot be read.
    """
    results_lib.check(results)
    data = page_data.build(decisions, keys, superclass_map)
    context = {
        "results": results,
        "headline": page_sections.headline(results),
        "cards": page_sections.cards(results),
        "superclasses": page_sections.per_superclass(results),
        "costs": page_sections.costs(results),
        "sizes": page_sections.sizes(results),
        "figures": [
            (title, caption, None if file is None else page_assets.file_as_uri(file))
            for title, caption, file in figures
        ],
        "data": data,
    }
    images = page_data.misclassified(decisions)
    shown = [""] * len(images)
    if thumbnails:
        room = max_bytes - len(_rendered(context, shown))
        shown = _within(room, images, thumbnails)
    files.write_atomically(path, _rendered(context, shown))


def _within(room: int, images: np.ndarray, thumbnails: Mapping[int, bytes]) -> list[str]:
    """Returns a data URI per image, as long as there is room in bytes; "" for the others."""
    uris = [""] * len(images)
    for place, image in enumerate(images.tolist()):
        if image not in thumbnails:
            continue
        uri = page_assets.image_as_uri(thumbnails[image])
        room -= len(uri)
        if room < 0:
            break
        uris[place] = uri
    return uris


def _rendered(context: Mapping[str, object], thumbnails: Sequence[str]) -> bytes:
    script = page_assets.script(*_SCRIPTS)
    template = page_assets.environment().get_template("report.html.j2")
    text = template.render(
        **context,
        thumbnails=thumbnails,
        style=page_assets.style(),
        script=script,
        plotly=page_assets.plotly(),
        policy=page_assets.security_policy(script),
    )
    # Names of files may hold what has no UTF-8.
    return text.encode("utf-8", "backslashreplace")
