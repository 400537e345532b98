import io
import itertools
import xml.etree.ElementTree

import matplotlib
import numpy as np
import pytest
from matplotlib import colors, image
from matplotlib.figure import Figure

from ss_tf.evaluation import accuracy
from ss_tf.report import style


@style.drawing
def _line(text="seven"):
    figure = Figure(figsize=(2, 1))
    figure.add_subplot().plot([1, 3, 2])
    figure.axes[0].set_title(text)
    return figure


def test_every_system_has_a_look_of_its_own():
    assert set(style.SYSTEMS) == set(accuracy.SYSTEMS)
    for attribute in ("label", "color", "marker"):
        values = [getattr(look, attribute) for look in style.SYSTEMS.values()]
        assert len(set(values)) == len(values), attribute
    assert set(style.SHOWN) <= set(style.SYSTEMS)


# A colour-blind eye of each kind as a matrix on linear RGB (Machado, Oliveira and Fernandes,
# "A physiologically-based model for simulation of color vision deficiency", 2009, severity 1).
_EYES = {
    "protanopia": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216],
                   [-0.003882, -0.048116, 1.051998]],
    "deuteranopia": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413],
                     [-0.011820, 0.042940, 0.968881]],
}  # fmt: skip


@pytest.mark.parametrize("eye", _EYES)
def test_the_colour_blind_tell_the_shown_systems_apart(eye):
    seen = {}
    for name in style.SHOWN:
        encoded = np.array(colors.to_rgb(style.SYSTEMS[name].color))
        linear = np.where(encoded <= 0.04045, encoded / 12.92, ((encoded + 0.055) / 1.055) ** 2.4)
        seen[name] = np.clip(_EYES[eye] @ linear, 0, 1) ** (1 / 2.2)
    for first, second in itertools.combinations(style.SHOWN, 2):
        assert np.linalg.norm(seen[first] - seen[second]) > 0.1, (first, second)


def test_a_figure_is_saved_twice_with_the_same_bytes(tmp_path):
    first = style.save(_line(), tmp_path / "first")
    second = style.save(_line(), tmp_path / "second")
    assert [path.name for path in first] == ["first.png", "first.svg"]
    for one, other in zip(first, second, strict=True):
        assert one.read_bytes() == other.read_bytes()


def test_a_png_has_200_dots_per_inch_and_an_svg_is_xml_without_a_date(tmp_path):
    png, svg = style.save(_line("<&>"), tmp_path / "figure 1.5")
    assert image.imread(io.BytesIO(png.read_bytes())).shape[:2] == (200, 400)
    assert xml.etree.ElementTree.fromstring(svg.read_text()).attrib["width"] == "144pt"
    assert "dc:date" not in svg.read_text()


def test_a_png_of_a_huge_figure_stays_within_4000_dots(tmp_path):
    png, _ = style.save(Figure(figsize=(10, 50)), tmp_path / "figure")
    assert image.imread(io.BytesIO(png.read_bytes())).shape[:2] == (4000, 800)


def test_settings_of_others_stay_as_they_were(tmp_path):
    before = dict(matplotlib.rcParams)
    style.save(_line(), tmp_path / "figure")
    assert dict(matplotlib.rcParams) == before


def test_no_text_is_smaller_than_8_points_and_dollars_are_no_formula(tmp_path):
    figure = _line("a $x_{")
    style.save(figure, tmp_path / "figure")
    texts = figure.findobj(lambda artist: hasattr(artist, "get_fontsize"))
    assert min(text.get_fontsize() for text in texts) >= 8
    assert figure.axes[0].get_title(loc="left") == "a $x_{"


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("husky", "husky"),
        ("twenty-two letters....", "twenty-two letters...."),
        ("a very long name of a superclass", "a very long…superclass"),
    ],
)
def test_long_names_keep_their_beginning_and_their_end(name, shown):
    assert style.short(name) == shown


def test_text_is_readable_on_every_colour():
    def luminance(color):
        linear = [
            x / 12.92 if x <= 0.04045 else ((x + 0.055) / 1.055) ** 2.4
            for x in colors.to_rgb(color)
        ]
        return np.dot((0.2126, 0.7152, 0.0722), linear)

    for background in (style.BLUE, style.VERMILLION, style.ORANGE, "#FCE5B0", "#FFFFFF"):
        pair = sorted(map(luminance, (background, style.text_color(background))))
        assert (pair[1] + 0.05) / (pair[0] + 0.05) >= 4.5, background
