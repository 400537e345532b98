import base64
import gzip
import hashlib
import re

import pytest
from plotly import offline

from ss_tf.report import page_assets


def test_plotly_is_packed_whole():
    packed = page_assets.plotly()
    assert gzip.decompress(base64.b64decode(packed)).decode() == offline.get_plotlyjs()
    assert len(packed) < 2_500_000


def test_policy_allows_the_script_by_its_digest_and_no_network():
    policy = page_assets.security_policy("let a = 1;")
    digest = base64.b64encode(hashlib.sha256(b"let a = 1;").digest()).decode()
    assert f"script-src 'sha256-{digest}' blob:" in policy
    assert policy.startswith("default-src 'none'")
    assert "http" not in policy


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (b"\x89PNG\r\n\x1a\n...", "png"),
        (b"\xff\xd8\xff\xe0", "jpeg"),
        (b"RIFF\x10\x00\x00\x00WEBPVP8 ", "webp"),
        (b"<?xml version='1.0'?><svg/>", "svg+xml"),
        (b"<svg/>", "svg+xml"),
    ],
)
def test_images_are_known_by_content(data, kind):
    encoded = base64.b64encode(data).decode()
    assert page_assets.image_as_uri(data) == f"data:image/{kind};base64,{encoded}"


def test_what_is_no_image_is_refused(tmp_path):
    path = tmp_path / "figure.png"
    path.write_bytes(b"<html><script>")
    with pytest.raises(ValueError, match=r"figure\.png: .* b'<html><s', expected PNG, JPEG"):
        page_assets.file_as_uri(path)


def test_scripts_and_style_load_nothing():
    names = ("theme.js", "sorting.js", "data.js", "gallery.js", "matrix.js", "pairs.js")
    text = page_assets.script(*names) + page_assets.style()
    assert not re.findall(r"https?:|\bimport\b|@import|url\(", text)
    # It stands inside a script element.
    assert "</script" not in text
    assert "<!--" not in text


def test_templates_escape_and_refuse_gaps():
    environment = page_assets.environment()
    assert environment.from_string("{{ x }}").render(x="<b>&") == "&lt;b&gt;&amp;"
    with pytest.raises(Exception, match="'x' is undefined"):
        environment.from_string("{{ x }}").render()
