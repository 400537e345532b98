import json

import pytest

from ss_tf.report import scaling
from ss_tf.training.run_dir import RunDir


def _cells(text):
    """Returns the cells of all lines of a Markdown table, without its rule."""
    header, _, *rows = [line[2:-2].split(" | ") for line in text.splitlines()]
    return header, rows


def test_each_system_has_a_row_with_its_network_cost_and_interval(measured):
    _, rows = _cells(scaling.markdown({"this": measured}))
    low, high = (100 * end for end in measured["intervals"]["hard"])
    top1 = 100 * measured["top1"]["hard"]
    assert [
        "this",
        "hard (efficient)",
        "ResNet-18",
        f"{measured['macs_per_image']['two_stage'] / 1e6:.2f} M",
        "4.0 kB",
        f"{top1:.2f}",
        f"{low:.2f} to {high:.2f}",
    ] in rows
    assert [row[2] for row in rows if row[1] == "flat, equal compute"] == ["ResNet-34"]


def test_networks_that_no_run_has_are_not_evaluated(measured):
    text = scaling.markdown({"this": measured})
    for network in ("ResNet-152", "ResNet-455"):
        assert f"|  | flat | {network} |  |  | not evaluated |  |" in text.splitlines()
    assert "| flat | ResNet-18 |  |" not in text


def test_a_run_without_a_second_flat_network_has_no_row_for_it(measured):
    measured["flags"] = [
        flag.replace("=resnet34", "=none") if "flat_backbone" in flag else flag
        for flag in measured["flags"]
    ]
    assert "equal compute" not in scaling.markdown({"this": measured})


def test_smaller_networks_come_first(measured):
    large = {**measured, "macs_per_image": {**measured["macs_per_image"], "flat": 9_000_000}}
    _, rows = _cells(scaling.markdown({"large": large, "small": measured}))
    titles = [row[0] for row in rows]
    assert titles.index("small") < titles.index("large")


def test_the_papers_numbers_stand_beside_its_own_data_set(measured):
    measured["dataset"] = "superclass_imagenet"
    header, rows = _cells(scaling.markdown({"this": measured}))
    assert header[-1] == "paper"
    of_paper = {(row[1], row[2]): row[-1] for row in rows if len(row) == len(header)}
    assert of_paper["flat", "ResNet-18"] == "71.18"
    assert of_paper["vanilla", "ResNet-18"] == "73.53"
    assert of_paper["flat", "ResNet-455"] == "68.01"


def test_several_data_sets_do_not_compare(measured):
    with pytest.raises(ValueError, match=r"data sets \['folder', 'other'\], expected one"):
        scaling.markdown({"a": measured, "b": {**measured, "dataset": "other"}})


def test_the_command_prints_the_table_of_runs(measured, tmp_path, capsys):
    for name in ("first", "second"):
        folder = RunDir(tmp_path / name).report_dir
        folder.mkdir(parents=True)
        (folder / "results.json").write_text(json.dumps(measured))
    scaling.main([str(tmp_path / "first"), str(tmp_path / "second")])
    runs = {str(tmp_path / name): measured for name in ("first", "second")}
    assert capsys.readouterr().out == scaling.markdown(runs) + "\n"


def test_the_command_says_which_run_was_not_evaluated(tmp_path, capsys):
    with pytest.raises(SystemExit, match="2"):
        scaling.main([str(tmp_path)])
    assert f"run eval.py --run_dir={tmp_path} first" in capsys.readouterr().err


def test_the_command_refuses_what_is_no_result_of_an_evaluation(tmp_path, capsys):
    folder = RunDir(tmp_path).report_dir
    folder.mkdir(parents=True)
    (folder / "results.json").write_text('{"schema_version": 1}')
    with pytest.raises(SystemExit, match="2"):
        scaling.main([str(tmp_path)])
    assert "results.json is no results.json that eval.py wrote" in capsys.readouterr().err
