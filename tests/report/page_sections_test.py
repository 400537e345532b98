import pytest

from ss_tf.evaluation.results import NOT_EVALUATED
from ss_tf.report import page_sections

_ONLY_FLAT = "Two-stage beats flat, but was not compared at equal compute"


def _compared(results, flat, equal_compute):
    outcomes = {"flat": flat, "flat_equal_compute": equal_compute}
    results["comparisons"]["hard"] = {
        name: outcome if outcome == NOT_EVALUATED else {"outcome": outcome}
        for name, outcome in outcomes.items()
    }
    return page_sections.headline(results)


@pytest.mark.parametrize(
    ("flat", "equal_compute", "expected"),
    [
        ("better", "better", "Two-stage pays here"),
        ("better", NOT_EVALUATED, _ONLY_FLAT),
        (NOT_EVALUATED, "better", "Two-stage pays here"),
        ("better", "no clear difference", "Two-stage makes no clear difference here"),
        ("worse", "better", "Two-stage does not pay here"),
        ("worse", "no clear difference", "Two-stage does not pay here"),
        (NOT_EVALUATED, NOT_EVALUATED, "Two-stage was not compared"),
    ],
)
def test_two_stage_has_to_beat_every_flat_network(page_results, flat, equal_compute, expected):
    page_results["macs_per_image"] |= {"flat_equal_compute_ratio": 1.04}
    assert _compared(page_results, flat, equal_compute) == expected


@pytest.mark.parametrize("outcome", ["better", "no clear difference", "worse"])
def test_a_second_flat_network_of_other_compute_decides_no_headline(page_results, outcome):
    page_results["macs_per_image"] |= {"flat_equal_compute_ratio": 3.0}
    assert _compared(page_results, "better", outcome) == _ONLY_FLAT


def test_a_card_tells_that_compute_is_not_equal(page_results):
    page_results["top1"] |= {"flat_equal_compute": 0.7}
    notes = {}
    for ratio in (1.04, 3.0):
        page_results["macs_per_image"] |= {"flat_equal_compute_ratio": ratio}
        cards = {card.label: card for card in page_sections.cards(page_results)}
        notes[ratio] = cards["flat, equal compute"].note
    assert notes == {1.04: "", 3.0: "no: 3.00x that of two stages"}


def test_a_run_without_two_stages_has_no_verdict(page_results):
    page_results["top1"] |= {"hard": NOT_EVALUATED}
    assert page_sections.headline(page_results) == "Two-stage was not compared"


def test_cards_share_one_scale(page_results):
    cards = {card.label: card for card in page_sections.cards(page_results)}
    flat, hard = cards["flat"], cards["hard (efficient)"]
    assert flat.accuracy == "66.67"
    assert flat.interval == "95 %: 50.00 to 80.00"
    # From 0.5 to 0.9, with 8 % of that free at both ends.
    assert flat.low == pytest.approx(100 * 0.08 / 1.16)
    assert hard.high == pytest.approx(100 * 1.08 / 1.16)
    assert hard.middle == pytest.approx(100 * ((0.75 - 0.5) / 0.4 + 0.08) / 1.16)


def test_cards_tell_what_was_not_evaluated(page_results):
    del page_results["intervals"]["flat"]
    cards = {card.label: card for card in page_sections.cards(page_results)}
    assert cards["soft"].accuracy == NOT_EVALUATED
    assert cards["soft"].middle is None
    assert cards["flat"].interval == "interval: not evaluated"
    assert cards["flat"].low is None


def test_superclass_table_marks_the_best_system(page_results):
    table = page_sections.per_superclass(page_results)
    assert table.header[:4] == ["superclass", "subclasses", "images", "stage 1 (int8)"]
    assert table.header[4:] == ["flat", "hard (efficient)"]
    bird, boat, car = table.rows
    # Bird: flat errs on 4 of 12, hard on 4; boat: 3 and 2 of 8; car: 1 and 0 of 4.
    assert [cell.text for cell in bird] == ["bird", "3", "12", "91.67", "66.67", "66.67"]
    assert [cell.is_best for cell in bird[4:]] == [True, True]
    assert [cell.text for cell in boat[4:]] == ["62.50", "75.00"]
    assert [cell.is_best for cell in boat[4:]] == [False, True]
    assert [cell.value for cell in car[4:]] == [0.75, 1.0]


def test_an_oracle_is_never_the_best(page_results):
    page_results["top1"]["oracle"] = 1.0
    for row in page_results["per_superclass"].values():
        row["oracle"] = 1.0
    table = page_sections.per_superclass(page_results)
    assert table.header[-1] == "oracle"
    assert not any(row[-1].is_best for row in table.rows)


def test_cost_table_has_the_systems_that_can_be_run(page_results):
    page_results["top1"]["oracle"] = 0.9
    table = page_sections.costs(page_results)
    assert [row[0].text for row in table.rows] == ["flat", "hard (efficient)"]
    macs = page_results["macs_per_image"]
    assert [row[1].value for row in table.rows] == [macs["flat"], macs["two_stage"]]


def test_size_table_ends_with_the_mean(page_results):
    table = page_sections.sizes(page_results)
    assert [row[0].text for row in table.rows] == ["bird", "boat", "mean"]
    assert table.rows[-1][-1].value == page_results["sizes"]["size_ratio"]["int8_delta"]
    assert all(len(row) == len(table.header) for row in table.rows)
