import pytest

from ss_tf.evaluation import tables

HEADER = ("name", "count")
ROWS = [["bird", "2,600"], ["car", "7"]]


def test_markdown_aligns_numbers_to_the_right():
    expected = "| name | count |\n| --- | ---: |\n| bird | 2,600 |\n| car | 7 |"
    assert tables.markdown(HEADER, ROWS) == expected


def test_markdown_cells_cannot_break_out_of_the_table():
    table = tables.markdown(HEADER, [["a|b\\\nc", "1"]])
    assert table.splitlines()[2:] == [r"| a\|b\\ c | 1 |"]


def test_text_pads_columns_to_one_width():
    expected = "name  count\n----  -----\nbird  2,600\ncar       7"
    assert tables.text(HEADER, ROWS) == expected


def test_text_counts_wide_letters_as_two_columns():
    lines = tables.text(HEADER, [["犬猫鳥", "1"], ["dog", "2"]]).splitlines()
    assert lines[2] == "犬猫鳥      1"
    assert lines[3] == "dog         2"


@pytest.mark.parametrize(
    ("show", "number", "shown"),
    [
        (tables.percent, 0.66666, "66.67"),
        (tables.gain, 3.304, "+3.30"),
        (tables.gain, -0.5, "-0.50"),
        (tables.passes, 8.5, "8.5"),
        (tables.passes, 1200, "1,200.0"),
        (tables.ratio, 0.25, "0.250"),
        (tables.millions, 1_234_567_890, "1,234.57 M"),
        (tables.file_size, 999, "1.0 kB"),
        (tables.file_size, 44_794_000, "44.79 MB"),
    ],
)
def test_numbers_have_fixed_decimals_and_text_stays(show, number, shown):
    assert show(number) == shown
    assert show("not evaluated") == "not evaluated"


@pytest.mark.parametrize("form", [tables.markdown, tables.text])
def test_row_of_another_length_is_refused(form):
    with pytest.raises(ValueError, match=r"\['bird'\] has 1 cells, expected 2"):
        form(HEADER, [["bird"]])
