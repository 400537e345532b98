"""The summary of a report: one row per system, as Markdown and for the terminal."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping

from ss_tf.evaluation import results as results_lib
from ss_tf.evaluation import tables
from ss_tf.evaluation.results import NOT_EVALUATED

_TERMINAL_COLUMNS = 100
_HEADER = ("system", "top-1 %", "over flat %", "MACs/image", "in memory", "on disk")
# Rows of the summary after stage 1, in the order of the paper's tables.
_TITLES = {
    "flat": "flat",
    "flat_int8": "flat, int8",
    "flat_equal_compute": "flat, equal compute",
    "oracle": "oracle",
    "oracle_vanilla": "oracle, vanilla",
    "vanilla": "two-stage, vanilla",
    "hard": "two-stage, hard",
}
# Variants of other rows: shown only where they were measured.
_OPTIONAL_SYSTEMS = ("flat_int8", "oracle_vanilla")
_MACS_OF_SYSTEM = {
    "stage1": "stage1",
    "flat": "flat",
    "flat_int8": "flat",
    "flat_equal_compute": "flat_equal_compute",
    "vanilla": "two_stage",
    "hard": "two_stage",
}
_NOTES = """\
*flat*: one float network over all labels; *equal compute*: a second one, with about the compute of
two stages. *vanilla*: float networks, all in memory. *hard*: int8, one network in memory, sub
networks restored from the bank of deltas. *oracle*: the sub networks of *hard*, chosen by the true
superclass; a bound, no system. *over flat* is relative, as in the paper: +3 % of 70 % is 72.1 %.
*on disk* is the size of all files needed; *in memory* that of those needed at once. An *interval*
is what the difference may be on other images of the same kind (paired, Agresti and Min 2005);
training again with another seed can move it further."""


def markdown(results: Mapping[str, object]) -> str:
    """Returns the summary as a Markdown table with notes.

    Raises:
      ValueError: if a required measurement is missing; it names it.
    """
    results_lib.check(results)
    return f"{tables.markdown(_HEADER, _rows(results))}\n\n{_NOTES}"


def text(results: Mapping[str, object]) -> str:
    """Returns the summary and the verdict as plain text for a terminal.

    Raises:
      ValueError: if a required measurement is missing; it names it.
    """
    results_lib.check(results)
    size_ratio = {form: tables.ratio(x) for form, x in results["sizes"]["size_ratio"].items()}
    ratios = (
        f"Mean sub network: int8 delta {size_ratio['int8_delta']} of the int8 file, "
        f"fp16 + 7z {size_ratio['fp16_7z']} of the fp32 file."
    )
    table = tables.text(_HEADER, _rows(results))
    return "\n".join([table, "", ratios, textwrap.fill(results["verdict"], _TERMINAL_COLUMNS)])


def _rows(results: Mapping[str, object]) -> list[list[str]]:
    """Returns one row per system."""
    rows = [_stage1_row(results)]
    for system, title in shown_systems(results).items():
        gain = results["relative_gain_percent"].get(system)
        rows.append(
            [
                title,
                tables.percent(results["top1"][system]),
                "" if gain is None else tables.gain(gain),
                *_cost(results, system),
            ]
        )
    return rows


def _stage1_row(results: Mapping[str, object]) -> list[str]:
    """Returns the row of the network that decides the superclass."""
    form, column = stage1_form(results)
    title = f"{results['stage1']} ({form}), superclass"
    top1 = results["super_top1"] if column == "super" else results["super_top1_float"]
    return [title, tables.percent(top1), "", *_cost(results, "stage1")]


def stage1_form(results: Mapping[str, object]) -> tuple[str, str]:
    """Returns the form of stage 1 to show, and its name per superclass: int8 if there is one."""
    is_float_only = results["super_top1"] == NOT_EVALUATED != results["super_top1_float"]
    return ("float", "super_float") if is_float_only else ("int8", "super")


def shown_systems(results: Mapping[str, object]) -> dict[str, str]:
    """Returns system -> title of the systems to show."""
    return {
        system: title
        for system, title in _TITLES.items()
        if system not in _OPTIONAL_SYSTEMS or results["top1"][system] != NOT_EVALUATED
    }


def _cost(results: Mapping[str, object], system: str) -> list[str]:
    """Returns the cells of compute and sizes; empty for an oracle, which no one can run."""
    if system not in results["sizes"]["systems"]:
        return ["", "", ""]
    sizes = results["sizes"]["systems"][system]
    macs = results["macs_per_image"][_MACS_OF_SYSTEM[system]]
    return [
        tables.millions(macs),
        tables.file_size(sizes["in_memory"]),
        tables.file_size(sizes["on_disk"]),
    ]
