import pytest

from ss_tf.evaluation import report, summary


def section(text, title):
    return text.split(f"## {title}\n\n")[1].split("\n\n## ")[0]


def test_report_opens_with_the_verdict_and_the_summary(measured):
    text = report.markdown(measured)
    assert text.startswith(f"# Two-stage classification of folder\n\n{measured['verdict']}\n\n")
    assert summary.markdown(measured) in section(text, "Summary")
    assert "8 validation images, each counted once." in text


def test_superclasses_are_listed_with_hand_counted_accuracies(measured):
    table = section(report.markdown(measured), "Per superclass")
    # stage 1, flat, equal compute, oracle, vanilla, hard
    expected = "| boat | 2 | 3 | 66.67 | 33.33 | not evaluated | 66.67 | 33.33 | 33.33 |"
    assert expected in table.splitlines()
    assert "Of the 4 errors of the flat network, 3 (75.00 %) stay inside" in table


def test_confusion_has_a_row_per_true_superclass(measured):
    table = section(report.markdown(measured), "Confusion of stage 1")
    assert table.splitlines()[-3:] == [
        "| bird | 4 | 0 | 0 |",
        "| boat | 1 | 2 | 0 |",
        "| car | 0 | 0 | 1 |",
    ]


def test_sizes_end_with_the_mean(measured):
    lines = section(report.markdown(measured), "Sizes").splitlines()
    assert lines[-3] == "| bird | 4.0 kB | 1.0 kB | 1.6 kB | 0.400 | 0.2 kB | 0.200 |"
    assert lines[-1] == "| mean | 4.0 kB | 1.0 kB | 1.6 kB | 0.400 | 0.2 kB | 0.250 |"


def test_circumstances_name_command_seed_versions_and_images_left_out(measured):
    text = section(report.markdown(measured), "Circumstances")
    for part in ("`eval.py --run_dir=runs/test`", "seed: 3", "tf_keras 2.", "python 3."):
        assert part in text
    assert "unreadable images left out: 1\n  - boat/ferry/torn.jpg: the file is empty" in text


def test_training_lists_what_was_trained(measured):
    table = section(report.markdown(measured), "Training")
    assert "| super | qat | 1 | 600 |" in table
    assert "flat_equal_compute" not in table


def test_report_does_not_depend_on_time(measured):
    before = report.markdown(measured)
    measured["seconds"] = {"evaluation": 99.0}
    assert report.markdown(measured) == before


def test_run_without_networks_has_a_report_of_what_was_not_evaluated(measured):
    for entry in ("confusion", "flat_errors", "super_top1"):
        measured[entry] = "not evaluated"
    text = report.markdown(measured)
    assert section(text, "Confusion of stage 1") == "not evaluated."
    assert "Errors of the flat network: not evaluated." in text


def test_gap_is_refused_and_the_old_report_stays(measured, tmp_path):
    path = tmp_path / "report.md"
    report.write(measured, path)
    before = path.read_bytes()
    del measured["confusion"]
    with pytest.raises(ValueError, match="lack 'confusion'"):
        report.write(measured, path)
    assert path.read_bytes() == before
