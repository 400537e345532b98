import pytest

from ss_tf.evaluation import report, routing_section, summary


def section(text, title):
    return text.split(f"## {title}\n\n")[1].split("\n\n## ")[0]


def test_report_opens_with_the_verdict_and_the_summary(measured):
    text = report.markdown(measured)
    assert text.startswith(f"# Two-stage classification of folder\n\n{measured['verdict']}\n\n")
    assert summary.markdown(measured) in section(text, "Summary")
    assert "8 validation images, each counted once." in text


def test_superclasses_are_listed_with_hand_counted_accuracies(measured):
    table = section(report.markdown(measured), "Per superclass")
    # stage 1, flat, equal compute, oracle, vanilla, hard, soft
    expected = "| boat | 2 | 3 | 66.67 | 33.33 | not evaluated | 66.67 | 33.33 | 33.33 | 66.67 |"
    assert expected in table.splitlines()
    assert "Of the 4 errors of the flat network, 3 (75.00 %) stay inside" in table


def test_flat_without_errors_has_its_own_sentence(measured):
    measured["flat_errors"] = {
        "errors": 0,
        "inside_superclass": 0,
        "share_inside_superclass": "undefined",
    }
    table = section(report.markdown(measured), "Per superclass")
    assert table.endswith("The flat network makes no error on these images.")


def test_comparisons_have_difference_interval_and_outcome(measured):
    measured["macs_per_image"]["flat_equal_compute_ratio"] = 0.4
    lines = section(report.markdown(measured), "Comparisons").splitlines()
    # 2 against 0 discordant pairs of 8: centre 2 / 10, variance (3 / 10 - 0.04) / 10 = 0.0260.
    # Of 2 flips of a coin, both fall on one side in half of the cases.
    assert "| hard against flat | +25.00 | -11.60 to +51.60 | no clear difference | 0.5 |" in lines
    second = "the second flat network (0.40x the compute of two stages)"
    assert f"| vanilla against {second} | not evaluated |  |  |  |" in lines


def test_routing_has_its_section_after_the_comparisons(measured):
    text = report.markdown(measured)
    assert section(text, "Routing") == "\n\n".join(routing_section.markdown(measured))[12:]
    assert text.index("## Comparisons") < text.index("## Routing") < text.index("## Per superclass")


def test_confusion_has_a_row_per_true_superclass(measured):
    table = section(report.markdown(measured), "Confusion of stage 1")
    assert table.splitlines()[-3:] == [
        "| bird | 4 | 0 | 0 |",
        "| boat | 1 | 2 | 0 |",
        "| car | 0 | 0 | 1 |",
    ]


def test_sizes_end_with_the_mean(measured):
    lines = section(report.markdown(measured), "Sizes").splitlines()
    assert lines[-3] == "| bird | 4.0 kB | 1.0 kB | 1.6 kB | 0.400 | 0.2 kB | 0.200 | 0.1 kB |"
    assert lines[-1] == "| mean | 4.0 kB | 1.0 kB | 1.6 kB | 0.400 | 0.2 kB | 0.250 | 0.2 kB |"


def test_circumstances_name_command_seed_versions_and_images_left_out(measured):
    text = section(report.markdown(measured), "Circumstances")
    for part in ("`eval.py --run_dir=runs/test`", "seed: 3", "tf_keras 2.", "python 3."):
        assert part in text
    assert "```\n--dataset=folder\n--sub_init=super\n```" in text
    assert "unreadable images left out: 1\n  - boat/ferry/torn.jpg: the file is empty" in text


def test_training_lists_what_was_trained(measured):
    table = section(report.markdown(measured), "Training")
    assert "| super | qat | 1.0 | 600 |" in table
    assert "| sub | float | 1.8 | 1,100 |" in table
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


def test_gap_is_refused(measured):
    del measured["confusion"]
    with pytest.raises(ValueError, match="lack 'confusion'"):
        report.markdown(measured)
