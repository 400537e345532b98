"""The renderer's rules, checked on Pillow's built-in font: no Debian font is needed."""

import dataclasses
import random

import numpy as np
import pytest
import render_typefaces
from PIL import ImageFont
from typefaces import (
    faces,
    glyphs,
    licences,
    manifest,
    packages,
    sampling,
    scripts,
    selection,
    sheets,
    similarity,
    storage,
)

from tfds_superclass.superclass_typefaces import superclass_typefaces_dataset_builder as builder

_LETTERS = "ABDEFGHKMNPRS"
_ROW = manifest.Entry("thai", "thai/a", "A", "a.ttf", 2, "fonts-a", "1.0-1", "OFL-1.1")


@pytest.fixture(scope="module", name="font")
def _font():
    return ImageFont.load_default(120)


@pytest.fixture(scope="module", name="signature")
def _signature(font):
    return similarity.signature(font, _LETTERS)


def _face(**changes):
    face = faces.Face(
        package="fonts-example",
        path="/fonts/Example.ttf",
        index=0,
        family="Example",
        style="Regular",
        weight=400,
        code_points=frozenset(map(ord, _LETTERS)),
    )
    return dataclasses.replace(face, **changes)


def test_scripts_add_up_to_the_papers_253_subclasses():
    assert sum(script.num_typefaces for script in scripts.SCRIPTS) == 253
    assert [script.name for script in scripts.SCRIPTS] == sorted(
        script.name for script in scripts.SCRIPTS
    )


def test_no_character_belongs_to_two_scripts_or_repeats():
    characters = "".join(script.characters for script in scripts.SCRIPTS)
    assert len(set(characters)) == len(characters)


def test_unknown_script_is_refused_by_name():
    with pytest.raises(ValueError, match=r"script: got 'greek', expected one of arabic, .*thai"):
        scripts.script_by_name("greek")


def test_a_typeface_is_its_own_twin_at_any_size(signature):
    smaller = similarity.signature(ImageFont.load_default(100), _LETTERS)
    assert similarity.distance(signature, signature) == 0
    assert similarity.distance(signature, smaller) < selection.MIN_DISTANCE / 3


def test_bolder_strokes_make_another_typeface(font, signature):
    thick = []
    for letter in _LETTERS:
        ink = np.pad(glyphs.draw(font, letter), 8)
        moved = [np.roll(ink, step, axis) for axis in (0, 1) for step in (-8, 8)]
        thick.append(glyphs.canonical(glyphs.crop_to_ink(np.maximum.reduce([ink, *moved]))))
    assert similarity.distance(signature, np.stack(thick)) > selection.MIN_DISTANCE


def test_distance_is_the_share_of_ink_that_differs():
    first = np.array([[[1, 1], [0, 0]]], np.float32)
    second = np.array([[[1, 0], [1, 0]]], np.float32)
    # Two of four inked pixels differ.
    assert similarity.distance(first, second) == pytest.approx(0.5)


def test_distance_refuses_signatures_of_different_shape(signature):
    with pytest.raises(ValueError, match=r"got shapes \(13, 24, 24\) and \(12, 24, 24\)"):
        similarity.distance(signature, signature[:-1])


def test_nearest_names_the_most_similar_typeface(signature):
    taken = {"far": 1 - signature, "near": np.clip(signature + 0.01, 0, 1)}
    assert similarity.nearest(signature, taken)[0] == "near"


def test_missing_characters_are_found_by_their_looks(font):
    assert glyphs.missing_characters(font, "AB\u0e01 ") == "\u0e01 "


def test_same_seed_gives_the_same_images(font):
    draws = [
        sampling.distinct_images(random.Random("7"), font, _LETTERS, count=5, seen=set())
        for _ in range(2)
    ]
    np.testing.assert_array_equal(draws[0], draws[1], strict=True)


def test_images_seen_before_are_drawn_again(font):
    seen = set()
    first = sampling.distinct_images(random.Random(0), font, "AB", count=20, seen=seen)
    second = sampling.distinct_images(random.Random(0), font, "AB", count=20, seen=seen)
    pictures = {image.tobytes() for image in np.concatenate([first, second])}
    assert len(pictures) == len(seen) == 40


def test_running_out_of_different_images_is_reported(font):
    still = sampling.Jitter(scale=0, degrees=0, shift=0)
    with pytest.raises(ValueError, match=r"images: got 2 different ones in 1000 .* expected 3"):
        # Without jitter, A can only be shown as A or AA.
        sampling.distinct_images(random.Random(0), font, "A", count=3, seen=set(), jitter=still)


def test_images_have_sixteen_levels_and_a_free_border(font):
    images = sampling.distinct_images(random.Random(1), font, _LETTERS, count=50, seen=set())
    assert images.shape == (50, 32, 32)
    assert not np.any(images % 17)
    border = np.ones((32, 32), bool)
    border[1:-1, 1:-1] = False
    # Antialiasing may leave a faint rim outside the ink's box.
    assert images[:, border].max() <= 128


@pytest.mark.parametrize("angle", [0.0, 0.3, -0.3])
def test_large_ink_is_shrunk_until_it_fits(angle):
    scale = sampling.fitting_scale((100, 400), wanted=1.0, angle=angle)
    width = 400 * np.cos(angle) + 100 * abs(np.sin(angle))
    assert scale * width == pytest.approx(30)
    assert sampling.fitting_scale((10, 10), wanted=1.0, angle=angle) == 1.0


def test_place_puts_the_middle_of_the_ink_where_asked():
    image = sampling.place(np.full((40, 40), 255, np.uint8), scale=0.1, angle=0, centre=(10, 20))
    rows, columns = np.nonzero(image == 255)
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (18, 21, 8, 11)


def test_packing_restores_every_pixel():
    images = 17 * np.random.default_rng(0).integers(0, 16, (3, 4, 32), dtype=np.uint8)
    packed = storage.pack(images)
    np.testing.assert_array_equal(storage.unpack(packed), images, strict=True)
    # The data set's builder, which must not depend on the tools, has its own copy.
    np.testing.assert_array_equal(builder.unpack(packed), images, strict=True)


def test_packing_refuses_other_levels():
    with pytest.raises(ValueError, match=r"images: got intensity 18, expected multiples of 17"):
        storage.pack(np.array([[17, 18]], np.uint8))


@pytest.mark.parametrize(
    ("family", "expected"),
    [("Lato Light", "lato"), ("Noto Sans CJK JP", "noto sans cjk"), ("Noto Sans Mono", None)],
)
def test_family_without_weight_and_region(family, expected):
    assert faces.base_family(family) == (expected or family.lower())


def test_most_regular_face_of_a_family_is_taken():
    members = [
        _face(style="Bold", weight=700),
        _face(style="Italic"),
        _face(family="Example Light", style="Regular", weight=300),
        _face(style="Regular"),
        _face(family="Other", style="Bold", weight=700),
        _face(family="Lacks letters", code_points=frozenset(map(ord, "ABC"))),
    ]
    regular = selection.regular_faces(members, _LETTERS)
    assert [(face.family, face.style) for face in regular] == [
        ("Example", "Regular"),
        ("Other", "Bold"),
    ]


def test_slug_is_ascii_and_drops_licence_words():
    assert selection.slug("BPG Algeti GPL&GNU") == "bpg-algeti"
    assert selection.slug("It Wasn't Me") == "it-wasn-t-me"


def test_package_list_is_read_in_order(tmp_path):
    path = tmp_path / "packages.txt"
    path.write_text("# head\n[thai]\nfonts-b\nfonts-a = One; Two\n! Odd: a dingbat\n")
    section = packages.read_sections(path)["thai"]
    assert section.packages == [("fonts-b", ()), ("fonts-a", ("One", "Two"))]
    assert section.excluded == {"odd": "a dingbat"}


def test_package_before_any_section_is_refused(tmp_path):
    path = tmp_path / "packages.txt"
    path.write_text("fonts-a\n")
    with pytest.raises(ValueError, match=r"packages.txt:1: got 'fonts-a', expected a \[script\]"):
        packages.read_sections(path)


def test_manifest_survives_writing_and_reading(tmp_path):
    manifest.write(tmp_path / "manifest.tsv", [_ROW])
    assert manifest.read(tmp_path / "manifest.tsv") == [_ROW]


def test_licences_are_rewritten_and_nothing_else(tmp_path, monkeypatch):
    monkeypatch.setattr(licences, "licence", lambda package, file: f"{package} {file}")
    manifest.write(tmp_path / "manifest.tsv", [_ROW])
    render_typefaces.write_licences(tmp_path)
    changed = dataclasses.replace(_ROW, licence="fonts-a a.ttf")
    assert manifest.read(tmp_path / "manifest.tsv") == [changed]


def test_packages_of_another_version_are_named(monkeypatch):
    other = dataclasses.replace(_ROW, package="fonts-b", version="2.0-1")
    monkeypatch.setattr(manifest, "package_version", {"fonts-a": "1.0-1", "fonts-b": "3.0-1"}.get)
    assert manifest.version_changes([_ROW, other, other]) == [
        "package fonts-b: installed 3.0-1, recorded 2.0-1"
    ]


def test_everything_is_written_to_the_output_folder(tmp_path, monkeypatch):
    rejection = selection.Rejection("thai", "B", "fonts-b", "too few characters")
    monkeypatch.setattr(
        render_typefaces, "choose_faces", lambda: ({"thai": [_face()]}, [rejection])
    )
    monkeypatch.setattr(render_typefaces, "render", lambda *_, **__: np.zeros((1, 5, 32, 32), "u1"))
    monkeypatch.setattr(manifest, "entry", lambda script, face: _ROW)
    render_typefaces.write_data(
        render_typefaces.parse_arguments([f"--output={tmp_path}", "--train=3", "--validation=2"])
    )
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        *("dummy_data", "labels.txt", "manifest.tsv"),
        *("rejected.tsv", "sha256.txt", "typefaces.npz"),
    ]
    assert storage.read(tmp_path / "typefaces.npz")["validation"].shape == (1, 2, 32, 32)


def test_grid_has_a_row_for_each_name():
    images = np.zeros((2, 3, 32, 32), np.uint8)
    assert sheets.grid(images, ["a", "b"], zoom=1, text_size=10).height == 2 * 34 + 2
    with pytest.raises(ValueError, match="names: got 1, expected 2"):
        sheets.grid(images, ["a"], zoom=1, text_size=10)
