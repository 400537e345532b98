from ss_tf.evaluation import errors_section
from ss_tf.evaluation.results import NOT_EVALUATED


def lines_of(measured):
    return "\n\n".join(errors_section.markdown(measured)).splitlines()


def test_budgets_pairs_and_the_tree_are_shown_as_measured(measured):
    lines = lines_of(measured)
    assert "| hard | 6 | 1 | 1 | 0 | 1 |" in lines
    assert "| vanilla | not evaluated |  |  |  |  |" in lines
    assert "Most frequent mistakes of hard:" in lines
    assert "| canoe | wren | 1 | 1 |" in lines
    # 13 / 16 of the nodes are right, and 7 of 8 labels are what the tree says.
    expected = "| two-stage, hard | 1.500 | 0.375 | 0.625 | 81.25 | 81.25 | 81.25 | 87.50 |"
    assert expected in lines
    assert "In the tree of WordNet: not evaluated." in lines


def test_without_mistakes_there_are_no_frequent_ones(measured):
    measured["worst_pairs"] = {system: [] for system in measured["worst_pairs"]}
    assert not any("frequent" in line for line in lines_of(measured))


def test_without_two_stages_the_mistakes_are_those_of_flat(measured):
    for system in ("hard", "soft", "vanilla"):
        measured["worst_pairs"][system] = NOT_EVALUATED
    lines = lines_of(measured)
    assert "Most frequent mistakes of flat:" in lines
    assert "| wren | owl | 2 | 2 |" in lines
