import json

import numpy as np
import pytest

from ss_tf.evaluation import prediction_file, thumbnail_file
from ss_tf.evaluation.results import NOT_EVALUATED
from ss_tf.report import figure_set, folder, style


@pytest.fixture(autouse=True)
def without_figures(monkeypatch):
    """Figures take seconds, and have tests of their own."""
    monkeypatch.setattr(figure_set, "write", lambda *args: [])


@pytest.fixture
def path(tmp_path, predictions):
    path = tmp_path / "report" / "predictions.npz"
    prediction_file.write(predictions, path)
    return path


def test_the_report_is_written_beside_the_predictions(path, measured):
    told = folder.write(path)
    assert json.loads((path.parent / "results.json").read_text()) == json.loads(
        json.dumps(measured)
    )
    text = (path.parent / "report.md").read_text()
    assert text.startswith("# Two-stage classification of folder")
    assert "## Where errors come from" in text
    assert told.splitlines()[-2:] == [
        f"Report: {path.parent / 'report.md'}",
        f"Page: {path.parent / 'index.html'}",
    ]
    page = (path.parent / "index.html").read_text()
    assert "240 validation images" in page
    assert "data:image/png" not in page
    assert measured["verdict"].split()[0] in told


def test_a_report_that_is_computed_again_has_the_same_bytes(path):
    folder.write(path)
    before = {file.name: file.read_bytes() for file in path.parent.iterdir() if file.is_file()}
    assert set(before) == {"predictions.npz", "results.json", "report.md", "index.html"}
    folder.write(path)
    assert before == {f.name: f.read_bytes() for f in path.parent.iterdir() if f.is_file()}


def write_thumbnails(path, digest):
    png = b"\x89PNG\r\n\x1a\n"
    file = path.with_name(thumbnail_file.NAME)
    thumbnail_file.write(file, np.arange(240), [png] * 240, digest=digest)


def test_the_page_shows_the_thumbnails_beside_the_predictions(path, decisions):
    write_thumbnails(path, "0" * 64)
    folder.write(path)
    labels = [decisions.labels[name] for name in style.SHOWN]
    wrong = np.any([decided != decisions.true for decided in labels], axis=0)
    page = (path.parent / "index.html").read_text()
    assert page.count("data:image/png;base64,") == wrong.sum() > 0


def test_thumbnails_of_other_images_are_refused_and_the_old_report_stays(path):
    folder.write(path)
    before = (path.parent / "results.json").stat().st_mtime_ns
    write_thumbnails(path, "1" * 64)
    with pytest.raises(ValueError, match=r"thumbnails\.safetensors has thumbnails of the images 1"):
        folder.write(path)
    assert (path.parent / "results.json").stat().st_mtime_ns == before


def rewrite_facts(path, predictions, **changes):
    facts = {**predictions.facts, **changes}
    prediction_file.write(type(predictions)(**{**vars(predictions), "facts": facts}), path)


@pytest.mark.parametrize(
    "change",
    [{"sizes": {}}, {"network_macs": 7}, {"training": []}, {"versions": None}, {"minival": "x"}],
)
def test_facts_of_another_form_leave_the_old_report(path, predictions, change):
    folder.write(path)
    before = (path.parent / "results.json").read_bytes()
    rewrite_facts(path, predictions, **change)
    with pytest.raises(ValueError, match=r"facts that eval\.py did not write|results lack"):
        folder.write(path)
    assert (path.parent / "results.json").read_bytes() == before


def test_what_is_required_and_there_is_accepted(path):
    folder.write(path)
    folder.require(path.parent, ["hard", "oracle", "flat"])
    folder.require(path.parent, [])


def test_what_is_required_and_missing_is_named(path, predictions):
    without_flat = {k: v for k, v in predictions.logits.items() if k[0] != "flat_equal_compute"}
    kept = type(predictions)(**{**vars(predictions), "logits": without_flat})
    prediction_file.write(kept, path)
    folder.write(path)
    with pytest.raises(
        ValueError,
        match=rf"--require=flat_equal_compute,flat_int8 is {NOT_EVALUATED} in .*results\.json",
    ):
        folder.require(path.parent, ["hard", "flat_equal_compute", "flat_int8"])
