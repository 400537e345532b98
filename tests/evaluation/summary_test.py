import pytest

from ss_tf.evaluation import accuracy, summary


def cells(table, separator):
    return [[cell.strip() for cell in line.split(separator)] for line in table.splitlines()]


def rows_of_text(measured):
    table = summary.text(measured).split("\n\n")[0]
    return {row[0]: row[1:] for row in cells(table, "   ")}


def test_markdown_has_one_row_per_system_with_its_numbers(measured):
    table = summary.markdown(measured).split("\n\n")[0]
    rows = [row[1:-1] for row in cells(table, "|")][2:]
    assert rows == [
        ["super (int8), superclass", "87.50", "", "2.0", "2.00 M", "1.0 kB", "1.0 kB"],
        ["flat", "50.00", "", "2.0", "2.10 M", "4.0 kB", "4.0 kB"],
        ["flat, equal compute", "not evaluated", "", "", "", "", ""],
        ["oracle", "87.50", "+75.00", "", "", "", ""],
        ["two-stage, vanilla", "62.50", "+25.00", "3.8", "3.90 M", "12.0 kB", "12.0 kB"],
        ["two-stage, hard", "75.00", "+50.00", "4.8", "3.90 M", "2.0 kB", "1.5 kB"],
        ["two-stage, soft, 1.12 subs", "87.50", "+75.00", "4.8", "4.20 M", "2.0 kB", "1.5 kB"],
    ]


def test_text_has_the_same_rows_then_ratios_and_verdict(measured):
    table, told = summary.text(measured).split("\n\n")
    markdown_rows = cells(summary.markdown(measured).split("\n\n")[0], "|")[2:]
    for line, row in zip(table.splitlines()[2:], markdown_rows, strict=True):
        assert line.split() == " ".join(row).split()
    ratios, *verdict = told.splitlines()
    assert "int8 delta 0.250 of the int8 file, fp16 + 7z 0.400 of the fp32 file" in ratios
    assert " ".join(verdict) == measured["verdict"]


@pytest.mark.parametrize(
    ("ratio", "title"),
    [(1.049, "flat, equal compute, 1.05x"), (0.4, "second flat, 0.40x compute")],
)
def test_second_flat_network_is_called_by_its_compute(measured, ratio, title):
    measured["macs_per_image"]["flat_equal_compute_ratio"] = ratio
    assert title in summary.text(measured)
    assert title in summary.markdown(measured)


@pytest.mark.parametrize("ratio", ["not evaluated", 1.049, 0.4])
def test_text_fits_a_terminal_of_100_columns(measured, ratio):
    measured["macs_per_image"]["flat_equal_compute_ratio"] = ratio
    assert max(map(len, summary.text(measured).splitlines())) <= 100


def test_float_stage_1_is_shown_where_there_is_no_int8(measured):
    measured["super_top1"] = "not evaluated"
    assert "super (float), superclass" in summary.text(measured)
    assert "75.00" in summary.text(measured).splitlines()[2]


def test_optional_systems_are_shown_once_they_are_measured(measured):
    assert "flat, int8" not in summary.text(measured)
    measured["top1"]["flat_int8"] = 0.4
    measured["training_passes"]["flat_int8"] = 3.0
    assert "flat, int8" in summary.text(measured)


def test_soft_routing_that_was_not_evaluated_says_so(measured):
    measured["top1"]["soft"] = "not evaluated"
    measured["routing"]["soft"]["sub_networks_per_image"] = "not evaluated"
    assert summary.text(measured).splitlines()[8].split("  ")[0] == "two-stage, soft"
    assert summary.text(measured).splitlines()[8].endswith("not evaluated")


def test_every_system_has_a_title(measured):
    measured["top1"] = {system: 0.5 for system in accuracy.SYSTEMS}
    assert set(summary.shown_systems(measured)) == set(accuracy.SYSTEMS)


@pytest.mark.parametrize("show", [summary.text, summary.markdown])
def test_gap_is_refused(measured, show):
    del measured["sizes"]["systems"]
    with pytest.raises(ValueError, match=r"lack 'sizes\.systems'"):
        show(measured)
