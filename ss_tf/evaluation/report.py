"""The report for people, report.md."""

from __future__ import annotations

from collections.abc import Mapping

from ss_tf.evaluation import (
    accuracy_section,
    errors_section,
    routing_section,
    summary,
    tables,
    verdict,
)
from ss_tf.evaluation import results as results_lib
from ss_tf.evaluation.results import NOT_EVALUATED


def markdown(results: Mapping[str, object]) -> str:
    """Returns the whole report as Markdown.

    Raises:
      ValueError: if a required measurement is missing; it names it.
    """
    results_lib.check(results)
    sections = [
        f"# Two-stage classification of {results['dataset']}",
        results["verdict"],
        _heading("Summary", f"{results['num_examples']:,} validation images, each counted once."),
        summary.markdown(results),
        *_comparisons(results),
        *accuracy_section.markdown(results),
        *errors_section.markdown(results),
        *routing_section.markdown(results),
        _heading("Per superclass", "Top-1 in %, on the images of each superclass."),
        tables.markdown(*_per_superclass(results)),
        _flat_errors(results),
        *_confusion(results),
        *_sizes(results),
        *_training(results),
        *_circumstances(results),
    ]
    return "\n\n".join(sections) + "\n"


def _comparisons(results: Mapping[str, object]) -> list[str]:
    """Returns the section on two-stage against the flat networks."""
    rows = []
    for system, comparisons in results["comparisons"].items():
        for reference, comparison in comparisons.items():
            title = f"{system} against {verdict.reference_name(reference, results)}"
            cells = [NOT_EVALUATED, "", "", ""]
            if comparison != NOT_EVALUATED:
                low, high = (tables.gain(comparison[end]) for end in ("low", "high"))
                cells = [
                    tables.gain(comparison["difference"]),
                    f"{low} to {high}",
                    comparison["outcome"],
                    f"{comparison['p_value']:.2g}",
                ]
            rows.append([title, *cells])
    told = (
        "Top-1 of two-stage minus that of a flat network on the same images, in points; *p* is of "
        "McNemar's exact test."
    )
    header = ["two-stage", "difference", "95 % interval", "outcome", "p"]
    return [_heading("Comparisons", told), tables.markdown(header, rows)]


def _per_superclass(results: Mapping[str, object]) -> tuple[list[str], list[list[str]]]:
    """Returns the header and the rows of the table of superclasses."""
    systems = summary.shown_systems(results)
    columns = [summary.stage1_form(results)[1], *systems]
    header = ["superclass", "subclasses", "images", "stage 1", *systems.values()]
    rows = [
        [
            name,
            str(row["num_subclasses"]),
            f"{row['num_examples']:,}",
            *(tables.percent(row[column]) for column in columns),
        ]
        for name, row in results["per_superclass"].items()
    ]
    return header, rows


def _flat_errors(results: Mapping[str, object]) -> str:
    """Says where the errors of the flat network fall."""
    errors = results["flat_errors"]
    if errors == NOT_EVALUATED:
        return f"Errors of the flat network: {NOT_EVALUATED}."
    if not errors["errors"]:
        return "The flat network makes no error on these images."
    return (
        f"Of the {errors['errors']:,} errors of the flat network, {errors['inside_superclass']:,} "
        f"({tables.percent(errors['share_inside_superclass'])} %) stay inside the true superclass."
    )


def _confusion(results: Mapping[str, object]) -> list[str]:
    """Returns the section on stage 1."""
    confusion = results["confusion"]
    if confusion == NOT_EVALUATED:
        return [_heading("Confusion of stage 1", f"{NOT_EVALUATED}.")]
    names = confusion["superclasses"]
    rows = [
        [name, *(f"{count:,}" for count in counts)]
        for name, counts in zip(names, confusion["counts_by_true_then_decided"], strict=True)
    ]
    form = confusion["stage1"]
    told = f"Images by true superclass (row) and decided superclass (column; {form} network)."
    return [_heading("Confusion of stage 1", told), tables.markdown(["true", *names], rows)]


def _sizes(results: Mapping[str, object]) -> list[str]:
    """Returns the section on the sizes of stored sub networks."""
    sizes = results["sizes"]
    header = [
        "sub network",
        "fp32",
        "int8",
        "fp16 + 7z",
        "of fp32",
        "int8 delta",
        "of int8",
        "entropy",
    ]
    rows = [
        [
            name,
            tables.file_size(row["fp32_network"]),
            tables.file_size(row["int8_network"]),
            tables.file_size(row["fp16_7z"]),
            tables.ratio(row["size_ratio"]["fp16_7z"]),
            tables.file_size(row["int8_delta"]),
            tables.ratio(row["size_ratio"]["int8_delta"]),
            tables.file_size(row["int8_delta_entropy"]),
        ]
        for name, row in [*sizes["per_superclass"].items(), ("mean", sizes)]
    ]
    told = (
        "Bytes of whole files, headers included, but for two columns. *fp16 + 7z*, the paper's "
        "delta, is measured for its size alone: it is lossy, its accuracy is not evaluated, and it "
        "is not written to disk. *entropy* is the order-0 entropy of the int8 delta's residuals; "
        "the file also holds the head, batch norm, ranges and a header. Ratios are compressed / "
        "original."
    )
    return [_heading("Sizes", told), tables.markdown(header, rows)]


def _training(results: Mapping[str, object]) -> list[str]:
    """Returns the section on how much the networks were trained."""
    told = (
        "Passes (images shown over the number of training images) of each kind of network; sub "
        "networks together."
    )
    rows = [
        [kind, phase, tables.passes(amount["passes"]), f"{amount['images']:,}"]
        for kind, phases in results["training"].items()
        if phases != NOT_EVALUATED
        for phase, amount in phases.items()
    ]
    starts = [list(pair) for pair in results["starts_from"].items() if pair[1] != NOT_EVALUATED]
    return [
        _heading("Training", told),
        tables.markdown(["networks", "phase", "passes", "images"], rows),
        tables.markdown(["network", "started from"], starts),
    ]


def _circumstances(results: Mapping[str, object]) -> list[str]:
    """Returns the section that tells how to get this report again."""
    versions = ", ".join(f"{name} {version}" for name, version in results["versions"].items())
    left_out = [f"- {path}: {reason}" for path, reason in results["unreadable"]]
    lines = [
        f"- command: `{results['command']}`",
        f"- seed: {results['seed']}",
        f"- versions: {versions}",
        f"- unreadable images left out: {len(left_out)}",
        *(f"  {line}" for line in left_out),
    ]
    flags = "\n".join(["```", *results["flags"], "```"])
    return [
        _heading("Circumstances", "\n".join(lines)),
        f"Flags of the run:\n\n{flags}",
    ]


def _heading(title: str, told: str) -> str:
    return f"## {title}\n\n{told}"
