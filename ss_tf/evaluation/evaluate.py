"""Evaluation of a run: every network that is on disk, once over the validation images."""

from __future__ import annotations

import time

from ss_tf.config import RunConfig
from ss_tf.data import catalog
from ss_tf.data.examples import Dataset
from ss_tf.evaluation import (
    accuracy,
    compute,
    effort,
    provenance,
    report,
    results,
    soft_routing,
    storage,
    summary,
    systems,
    verdict,
)
from ss_tf.evaluation.networks import Networks
from ss_tf.training import randomness
from ss_tf.training.run_dir import RunDir

RESULTS_FILE = "results.json"
REPORT_FILE = "report.md"


def evaluate_run(config: RunConfig, run: RunDir, *, command: str) -> str:
    """Evaluates a run, and writes results.json and report.md into its report folder.

    The routing policy that was fitted on minival goes into the run's folder itself.

    Args:
      config: the run's settings.
      run: its folder.
      command: what the user typed, kept in the results.

    Returns:
      The summary for the terminal: a table, the verdict and the path of the report.

    Raises:
      ValueError: if the folder is no run, if the data are not those it was trained with, or if one
        of its files is damaged; an older report and an older policy then stay.
    """
    run.superclass_map()  # Refuses a folder that is no run, before a data set is loaded for it.
    randomness.set_up(seed=config.seed, deterministic=config.deterministic)
    measured = evaluate(config, run, dataset=catalog.load(config.data), command=command)
    results.check(measured)
    # First, for a policy without its report is of use, one of other networks is not.
    soft_routing.store(measured["routing"]["policy"], run)
    results.write(measured, run.report_dir / RESULTS_FILE)
    report.write(measured, run.report_dir / REPORT_FILE)
    return f"{summary.text(measured)}\nReport: {run.report_dir / REPORT_FILE}"


def evaluate(
    config: RunConfig, run: RunDir, *, dataset: Dataset, command: str
) -> dict[str, object]:
    """Measures everything that results.json holds; writes nothing.

    A network that is not on disk leaves "not evaluated" wherever it is needed. All entries but
    `seconds` are the same when the same networks are evaluated again.

    Args:
      config: the run's settings.
      run: its folder.
      dataset: the data it was trained with; its validation images are evaluated. Its minival
        images are what the routing policy is fitted on.
      command: kept in the results.

    Returns:
      What `results.write` takes.

    Raises:
      ValueError: as `evaluate_run`.
    """
    began = time.monotonic()
    facts = provenance.data(run, dataset)
    networks = Networks(config, run, dataset)
    fitted = soft_routing.fit(config, dataset, networks=networks)
    policy = None if fitted is None else fitted.policy
    decisions = systems.decide(config, dataset, networks=networks, policy=policy)
    superclass_map = dataset.superclass_map
    measured = {
        **facts,
        **accuracy.summarize(decisions, superclass_map),
        "command": command,
        "flags": run.flags_file.read_text(encoding="utf-8").splitlines(),
        "macs_per_image": compute.macs_per_image(config, dataset, opened=decisions.opened),
        "routing": soft_routing.measure(fitted, decisions, superclass_map),
        "schema_version": results.SCHEMA_VERSION,
        "seed": config.seed,
        "sizes": storage.measure(config, run, superclass_map=superclass_map, base=networks.base),
        "stage1": systems.stage1_network(config),
        "starts_from": provenance.starts(run),
        "training": effort.by_kind(run, superclass_map, num_train=len(dataset.train)),
        "versions": provenance.versions(),
    }
    measured["training_passes"] = effort.passes_by_system(config, measured)
    measured["verdict"] = verdict.sentence(measured)
    measured["seconds"] = {
        "evaluation": time.monotonic() - began,
        "networks": networks.seconds,
        "training": effort.seconds_by_kind(run, superclass_map),
    }
    return measured
