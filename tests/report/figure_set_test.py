import dataclasses

import pytest

from ss_tf.evaluation.results import NOT_EVALUATED
from ss_tf.report import figure_set, style

OF_WEIGHTS = {"weights", "deltas"}
ALL = {
    "accuracy",
    "confusion_flat",
    "confusion_stage1",
    "error_budget",
    "reliability",
    "size_ratios",
    *OF_WEIGHTS,
}


def _files(folder):
    return {path.name for path in (folder / "figures").iterdir()}


def _names(*suffixes, of):
    return {f"{name}{suffix}" for name in of for suffix in suffixes}


def test_all_figures_are_drawn_as_png_and_svg(measured, decisions, predictions, run, tmp_path):
    superclass_map = predictions.superclass_map
    written = figure_set.write(measured, decisions, superclass_map, run, tmp_path)
    assert _files(tmp_path) == _names(".png", ".svg", of=ALL)
    assert {figure.path for figure in written} == {
        tmp_path / "figures" / name for name in _names(".svg", of=ALL)
    }
    assert len({figure.title for figure in written}) == len(ALL)
    assert all(figure.caption for figure in written)


@pytest.fixture
def empty(measured, decisions):
    """Results and decisions of a run without networks."""
    for entry in ("top1", "calibration", "error_budget"):
        measured[entry] = dict.fromkeys(measured[entry], NOT_EVALUATED)
    measured |= {"flat_errors": NOT_EVALUATED, "confusion": NOT_EVALUATED}
    measured["sizes"] = {"per_superclass": {}}
    return measured, dataclasses.replace(decisions, labels={}, opened={})


def test_what_cannot_be_drawn_is_named_and_no_older_file_stays(empty, predictions, tmp_path):
    folder = tmp_path / "figures"
    folder.mkdir()
    for name in ("weights.png", "weights.svg", "accuracy.svg", "my own.png"):
        (folder / name).write_bytes(b"old")
    written = figure_set.write(*empty, predictions.superclass_map, None, tmp_path)
    assert [figure.path for figure in written] == [None] * len(ALL)
    assert _files(tmp_path) == {"my own.png"}


def test_predictions_alone_leave_the_weights_out(
    measured, decisions, predictions, tmp_path, monkeypatch
):
    # To write the files takes a second, and what they hold is tested above.
    monkeypatch.setattr(style, "save", lambda figure, path: [path.with_suffix(".svg")])
    written = figure_set.write(measured, decisions, predictions.superclass_map, None, tmp_path)
    assert [figure.title for figure in written if figure.path is None] == [
        "Weights of the base and of a sub network",
        "What the bank stores: deltas of each sub network",
    ]


def test_a_damaged_bank_is_named_before_any_file_changes(
    measured, decisions, predictions, run, tmp_path
):
    path = run.bank_dir / "boat <&>.safetensors"
    path.write_bytes(b"")
    with pytest.raises(ValueError, match=r"boat <&>\.safetensors"):
        figure_set.write(measured, decisions, predictions.superclass_map, run, tmp_path)
    assert not (tmp_path / "figures").exists()
