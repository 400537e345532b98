"""The summary of a report: one row per system, as Markdown and for the terminal."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping

from ss_tf.evaluation import results as results_lib
from ss_tf.evaluation import tables, verdict
from ss_tf.evaluation.results import NOT_EVALUATED

_TERMINAL_COLUMNS = 100
_HEADER = ("system", "top-1 %", "over flat %", "passes", "MACs/image", "files at once", "on disk")
# Rows of the summary after stage 1, in the order of the paper's tables.
_TITLES = {
    "flat": "flat",
    "flat_int8": "flat, int8",
    "flat_equal_compute": "flat, equal compute",
    "oracle": "oracle",
    "oracle_vanilla": "oracle, vanilla",
    "vanilla": "two-stage, vanilla",
    "hard": "two-stage, hard",
    "soft": "two-stage, soft",
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
    "soft": "two_stage_soft",
}
_NOTES = """\
*flat*: one float network over all labels; *equal compute* or *second flat*: another one, with its
compute over that of two stages. *vanilla*: two stages of float networks. *hard*: two stages in
int8, sub networks restored from the bank of deltas. *soft*: the same networks, routed by a policy
that was fitted on minival; *subs* is how many sub networks it runs for an image, on average.
*oracle*: the sub networks of *hard*, chosen by the true superclass; a bound, no system. *over flat*
is relative, as in the paper: +3 % of 70 % is 72.1 %.

*passes*: images shown in training to the networks behind a decision, over the number of training
images. For two stages that is the base, quantization-aware epochs included, and then the sub
networks: their images together are about one pass per epoch.

*on disk*: bytes of all network files needed; *files at once*: of those needed at the same time, for
*hard* and *soft* the int8 base, all deltas of the bank, and the largest int8 sub network, which a
call restores. Neither is measured memory: the router packs deltas otherwise than the bank, and a
call makes float32 of the kernels it uses. And they do not compare like with like: *hard* is int8,
*flat* fp32, and a flat network in int8 would take about a quarter of its fp32 size as well.

An *interval* is what a difference may be on other images of the same kind (paired, Agresti and Min
2005); training again with another seed can move it further."""


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
        f"fp16 + 7z {size_ratio['fp16_7z']} of the fp32 file (lossy)."
    )
    table = tables.text(_HEADER, _rows(results))
    return "\n".join([table, "", ratios, textwrap.fill(results["verdict"], _TERMINAL_COLUMNS)])


def _rows(results: Mapping[str, object]) -> list[list[str]]:
    """Returns one row per system."""
    rows = [_stage1_row(results)]
    for system, title in shown_systems(results).items():
        top1 = results["top1"][system]
        gain = results["relative_gain_percent"].get(system)
        rows.append(_row(results, system, title=title, top1=top1, gain=gain))
    return rows


def _stage1_row(results: Mapping[str, object]) -> list[str]:
    """Returns the row of the network that decides the superclass."""
    form, column = stage1_form(results)
    title = f"{results['stage1']} ({form}), superclass"
    top1 = results["super_top1"] if column == "super" else results["super_top1_float"]
    return _row(results, "stage1", title=title, top1=top1, gain=None)


def _row(results, system, *, title, top1, gain):
    """Returns the cells of a system.

    One that was not evaluated says so once; an oracle, which no one can run, has no costs.
    """
    if top1 == NOT_EVALUATED:
        return [title, NOT_EVALUATED, *[""] * (len(_HEADER) - 2)]
    accuracy = [tables.percent(top1), "" if gain is None else tables.gain(gain)]
    if system not in _MACS_OF_SYSTEM:
        return [title, *accuracy, *[""] * 4]
    sizes = results["sizes"]["systems"][system]
    return [
        title,
        *accuracy,
        tables.passes(results["training_passes"][system]),
        tables.millions(results["macs_per_image"][_MACS_OF_SYSTEM[system]]),
        tables.file_size(sizes["at_once"]),
        tables.file_size(sizes["on_disk"]),
    ]


def stage1_form(results: Mapping[str, object]) -> tuple[str, str]:
    """Returns the form of stage 1 to show, and its name per superclass: int8 if there is one."""
    is_float_only = results["super_top1"] == NOT_EVALUATED != results["super_top1_float"]
    return ("float", "super_float") if is_float_only else ("int8", "super")


def shown_systems(results: Mapping[str, object]) -> dict[str, str]:
    """Returns system -> title of the systems to show."""
    titles = {
        **_TITLES,
        "flat_equal_compute": _second_flat_title(results),
        "soft": _soft_title(results),
    }
    return {
        system: title
        for system, title in titles.items()
        if system not in _OPTIONAL_SYSTEMS or results["top1"][system] != NOT_EVALUATED
    }


def _second_flat_title(results: Mapping[str, object]) -> str:
    """Returns the title of the second flat network: equal in compute only if it is."""
    ratio = results["macs_per_image"]["flat_equal_compute_ratio"]
    if ratio == NOT_EVALUATED:
        return _TITLES["flat_equal_compute"]
    if verdict.is_equal_compute(ratio):
        return f"flat, equal compute, {ratio:.2f}x"
    return f"second flat, {ratio:.2f}x compute"


def _soft_title(results: Mapping[str, object]) -> str:
    """Returns the title of soft routing, with how many sub networks it runs for an image."""
    count = results["routing"]["soft"]["sub_networks_per_image"]
    return _TITLES["soft"] if count == NOT_EVALUATED else f"{_TITLES['soft']}, {count:.2f} subs"
