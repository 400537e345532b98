import base64
import html.parser
import json
import re

import numpy as np
import pytest

from ss_tf.hierarchy.superclass_map import SuperclassMap
from ss_tf.report import page

_PNG = b"\x89PNG\r\n\x1a\n"
_HOSTILE = '</script><img src=x onerror="hacked=1">{{ 7*7 }}&amp;<!--'


@pytest.fixture
def write(tmp_path, page_results, page_decisions, page_keys, page_map):
    """Returns a function that writes the page and returns its text."""

    def write(**changes):
        arguments = {
            "decisions": page_decisions,
            "keys": page_keys,
            "superclass_map": page_map,
            **changes,
        }
        page.write(tmp_path / "index.html", page_results, **arguments)
        return (tmp_path / "index.html").read_text(encoding="utf-8")

    return write


class _Elements(html.parser.HTMLParser):
    """Collects the start tags, and the text of elements with an id."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.texts, self._id = [], {}, None
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        self._id = dict(attrs).get("id")

    def handle_data(self, data):
        if self._id:
            self.texts[self._id] = self.texts.get(self._id, "") + data


def _embedded(text, name):
    return json.loads(_Elements(text).texts[name])


def test_the_page_is_one_file_that_loads_nothing(write):
    text = write(thumbnails={0: _PNG})
    assert "Content-Security-Policy" in text
    for tag, attributes in _Elements(text).tags:
        assert tag not in ("link", "iframe", "object", "embed", "base")
        for name in ("src", "href"):
            assert re.match(r"data:|#", attributes.get(name, "#")), (tag, attributes)
    assert text.count('id="plotly"') == 1


def test_verdict_and_numbers_stand_in_the_page_without_any_script(write, page_results):
    text = re.sub(r"<script.*?</script>", "", write(), flags=re.DOTALL)
    assert page_results["verdict"] in text
    for told in ("66.67", "75.00", "95 %: 60.00 to 90.00", "not evaluated", "bird"):
        assert told in text


def test_embedded_counts_are_those_of_the_decisions(write, page_decisions):
    data = _embedded(write(), "data")
    wrong = int(np.sum(page_decisions.labels["hard"] != page_decisions.true))
    decided = np.array(data["decided"]["hard"]["label"])
    assert np.sum(decided != data["images"]["true"]) == wrong == 6
    assert sum(data["right"]["hard"]) == 24 - wrong


def test_hostile_names_stay_text(write, page_keys, page_results):
    hostile_map = SuperclassMap(
        superclass_names=("bird", "boat", 'car"><b>'),
        label_names=("wren", "canoe", _HOSTILE, "taxi", "ferry", "\u2028gull"),
        superclass_of_label=(0, 1, 0, 2, 1, 0),
    )
    rows = page_results["per_superclass"]
    rows['car"><b>'] = rows.pop("car")
    page_results["command"] = _HOSTILE
    calm, text = write(), write(superclass_map=hostile_map, keys=[_HOSTILE, *page_keys[1:]])
    assert _embedded(text, "data")["labels"][2] == _HOSTILE
    assert _HOSTILE in _embedded(text, "data")["images"]["key"]
    # Not one element more than with harmless names.
    tags = [[tag for tag, _ in _Elements(part).tags] for part in (calm, text)]
    assert tags[0] == tags[1]


def test_names_without_utf_8_do_not_stop_the_page(write, page_keys):
    odd = "caf\udce9.png"
    data = _embedded(write(keys=[odd, *page_keys[1:]]), "data")
    assert odd in data["images"]["key"]


def test_thumbnails_belong_to_their_images(write, page_keys):
    thumbnails = {index: _PNG + bytes([index]) for index in range(24) if index != 2}
    text = write(thumbnails=thumbnails)
    shown = _embedded(text, "thumbnails")
    for key, uri in zip(_embedded(text, "data")["images"]["key"], shown, strict=True):
        index = page_keys.index(key)
        if index == 2:
            assert uri == ""
        else:
            assert base64.b64decode(uri.partition(",")[2]) == thumbnails[index]


def test_thumbnails_stop_at_the_budget_and_the_largest_cells_go_first(write, tmp_path):
    bare = len(write())
    thumbnails = {index: _PNG + bytes(3000) for index in range(24)}
    size = len(base64.b64encode(thumbnails[0])) + len("data:image/png;base64,")
    budget = bare + 3 * size + size // 2
    shown = _embedded(write(thumbnails=thumbnails, max_bytes=budget), "thumbnails")
    assert [bool(uri) for uri in shown] == [True] * 3 + [False] * 7
    assert (tmp_path / "index.html").stat().st_size <= budget


def test_figures_are_embedded_and_missing_ones_told(write, tmp_path):
    figure = tmp_path / "figure.svg"
    figure.write_text("<svg xmlns='http://www.w3.org/2000/svg'/>")
    text = write(figures=[("A <b>", "How to read", figure), ("Gone", "Not seen", None)])
    images = [attributes for tag, attributes in _Elements(text).tags if tag == "img"]
    assert [image["alt"] for image in images] == ["A <b>. How to read"]
    assert base64.b64decode(images[0]["src"].partition(",")[2]) == figure.read_bytes()
    assert "Not seen" not in text


def test_equal_reports_give_equal_bytes(write):
    assert write(thumbnails={0: _PNG}) == write(thumbnails={0: _PNG})


def test_gaps_and_foreign_keys_are_refused_and_an_older_page_stays(write, page_results):
    before = write()
    with pytest.raises(ValueError, match="1 keys, expected one for each of the 24"):
        write(keys=["a"])
    verdict = page_results.pop("verdict")
    with pytest.raises(ValueError, match="lack 'verdict'"):
        write()
    page_results["verdict"] = verdict
    assert write() == before
