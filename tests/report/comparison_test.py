import json

import pytest

from ss_tf.evaluation import prediction_file
from ss_tf.report import comparison


@pytest.fixture
def runs(tmp_path, predictions):
    """Two runs of the same predictions, and a path that is none."""
    for name in ("first", "second"):
        prediction_file.write(predictions, tmp_path / name / "report" / "predictions.npz")
    return tmp_path / "first", tmp_path / "second", tmp_path / "third"


def test_the_comparison_is_told_and_written_into_the_first_run(runs):
    told = comparison.write(*runs[:2])
    markdown = runs[0] / "report" / "compared_with_second.md"
    page = markdown.with_suffix(".html")
    assert told.splitlines()[-2:] == [f"Comparison: {markdown}", f"Page: {page}"]
    assert "<h1>" in page.read_text()
    assert "top1.hard" in told
    assert markdown.read_text().startswith("# first and second\n")
    found = json.loads(markdown.with_suffix(".json").read_text())
    assert (found["a"], found["b"], found["num_images"], found["only_a"]) == (
        "first",
        "second",
        240,
        0,
    )
    (hard,) = (row for row in found["rows"] if row["metric"] == "top1.hard")
    assert (hard["difference"], hard["p_value"]) == (0, 1)
    assert not any((runs[1] / "report").glob("compared*"))


def test_runs_whose_folders_have_one_name_are_told_apart_by_their_paths(runs, predictions):
    other = runs[2] / "first"
    prediction_file.write(predictions, other / "report" / "predictions.npz")
    comparison.write(runs[0], other)
    path = runs[0] / "report" / "compared_with_first.json"
    found = json.loads(path.read_text())
    assert (found["a"], found["b"]) == (str(runs[0]), str(other))
    assert path.with_suffix(".md").read_text().startswith(f"# {runs[0]} and {other}\n")


def test_a_run_is_not_compared_with_itself(runs):
    with pytest.raises(ValueError, match="are the same run, expected two"):
        comparison.write(runs[0], runs[1] / ".." / "first")


def test_a_run_that_was_not_evaluated_is_named_with_what_to_do(runs):
    with pytest.raises(ValueError, match=r"third has no report/predictions\.npz, .*--run_dir="):
        comparison.write(runs[0], runs[2])


def test_facts_of_another_form_are_told_in_one_line(runs, predictions):
    odd = type(predictions)(**{**vars(predictions), "facts": {**predictions.facts, "sizes": 7}})
    prediction_file.write(odd, runs[1] / "report" / "predictions.npz")
    with pytest.raises(ValueError, match=r"facts that eval\.py did not write"):
        comparison.write(*runs[:2])
