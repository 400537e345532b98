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


@pytest.mark.parametrize("form", [tables.markdown, tables.text])
def test_row_of_another_length_is_refused(form):
    with pytest.raises(ValueError, match=r"\['bird'\] has 1 cells, expected 2"):
        form(HEADER, [["bird"]])
