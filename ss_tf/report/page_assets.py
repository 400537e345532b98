"""The parts that pages share: templates, style, scripts, Plotly, and images inside the page."""

from __future__ import annotations

import base64
import functools
import gzip
import hashlib
import importlib.resources
import pathlib

import jinja2
from plotly import offline

# How an encoded image begins -> its type. WebP has its length between the two parts.
_IMAGE_TYPES = ((b"\x89PNG\r\n\x1a\n", "png"), (b"\xff\xd8\xff", "jpeg"))
_SVG_BEGINNINGS = (b"<?xml", b"<svg")


@functools.cache
def environment() -> jinja2.Environment:
    """Returns the templates' environment: names of classes and files are escaped everywhere."""
    return jinja2.Environment(
        loader=jinja2.PackageLoader("ss_tf.report", "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def style() -> str:
    """Returns the style sheet of all pages."""
    return _text("page.css")


def script(*names: str) -> str:
    """Returns scripts of the templates folder, joined to one module."""
    return "\n".join(_text(name) for name in names)


def security_policy(script_text: str) -> str:
    """Returns a Content-Security-Policy under which a page runs one script and loads nothing.

    Plotly runs from a blob, which only that script can make.
    """
    digest = base64.b64encode(hashlib.sha256(script_text.encode()).digest()).decode()
    return (
        f"default-src 'none'; script-src 'sha256-{digest}' blob:; "
        "style-src 'unsafe-inline'; img-src data: blob:"
    )


@functools.cache
def plotly() -> str:
    """Returns plotly.js, gzip in base64: 2 MB in place of 5."""
    packed = gzip.compress(offline.get_plotlyjs().encode(), mtime=0)
    return base64.b64encode(packed).decode()


def file_as_uri(path: pathlib.Path) -> str:
    """Returns an image file as data URI.

    Raises:
      ValueError: naming the file, if it is no PNG, JPEG, WebP or SVG.
      OSError: if it cannot be read.
    """
    data = path.read_bytes()
    try:
        return image_as_uri(data)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error


def image_as_uri(data: bytes) -> str:
    """Returns an encoded image as data URI.

    Raises:
      ValueError: if it is no PNG, JPEG, WebP or SVG.
    """
    return f"data:image/{_image_type(data)};base64,{base64.b64encode(data).decode()}"


def _image_type(data: bytes) -> str:
    for beginning, name in _IMAGE_TYPES:
        if data.startswith(beginning):
            return name
    if data.startswith(b"RIFF") and data[8:12] == b"WEBP":
        return "webp"
    if data.startswith(_SVG_BEGINNINGS):
        return "svg+xml"
    raise ValueError(f"An image begins with {data[:8]!r}, expected PNG, JPEG, WebP or SVG.")


def _text(name: str) -> str:
    folder = importlib.resources.files("ss_tf.report").joinpath("templates")
    return folder.joinpath(name).read_text(encoding="utf-8")
