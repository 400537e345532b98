"""Evaluation of a run: every network that is on disk, once over the validation images."""

from __future__ import annotations

import dataclasses
import pathlib
import time

from ss_tf.config import RunConfig
from ss_tf.data import catalog, thumbnails
from ss_tf.data.examples import Dataset
from ss_tf.evaluation import (
    effort,
    gather,
    network_macs,
    prediction_file,
    provenance,
    soft_routing,
    storage,
    systems,
    thumbnail_file,
    wrong_images,
)
from ss_tf.evaluation.networks import Networks
from ss_tf.evaluation.results import NOT_EVALUATED
from ss_tf.evaluation.stored_predictions import StoredPredictions
from ss_tf.routing import fitted_policy, int8_networks
from ss_tf.training import randomness
from ss_tf.training.run_dir import RunDir


def evaluate_run(config: RunConfig, run: RunDir, *, command: str) -> pathlib.Path:
    """Runs the networks of a run, and writes what they say as predictions.npz.

    Beside it goes thumbnails.safetensors, the images for the page.
    The routing policy that was fitted on minival goes into the run's folder itself.

    Args:
      config: the run's settings.
      run: its folder.
      command: what the user typed, kept in the results.

    Returns:
      The path of the predictions, in the run's report folder.

    Raises:
      ValueError: if the folder is no run, if the data are not those it was trained with, or if one
        of its files is damaged; older predictions and an older policy then stay.
    """
    run.superclass_map()  # Refuses a folder that is no run, before a data set is loaded for it.
    randomness.set_up(seed=config.seed, deterministic=config.deterministic)
    dataset = catalog.load(config.data)
    # Before they are run: what replaces one meanwhile was not fitted to.
    networks = int8_networks.stored_digest(run, run.superclass_map(), base=config.base)
    predictions = predict(config, run, dataset=dataset, command=command)
    # First, for a policy without predictions is of use, one of other networks is not.
    fitted_policy.store(predictions.policy, run, networks=networks)
    prediction_file.write(predictions, run.predictions_file)
    _keep_thumbnails(predictions, dataset, run.predictions_file.with_name(thumbnail_file.NAME))
    return run.predictions_file


def _keep_thumbnails(predictions: StoredPredictions, dataset: Dataset, path: pathlib.Path) -> None:
    """Writes thumbnails of what the systems get wrong, as many as a page has room for."""
    decisions = systems.decide(predictions)
    positions = wrong_images.largest_cells_first(decisions.labels, decisions.true)
    images = thumbnails.make(dataset.validation.select(positions), channels=dataset.channels)
    digest = predictions.facts["validation_digest"]
    thumbnail_file.write(path, positions, images, digest=digest)


def predict(config: RunConfig, run: RunDir, *, dataset: Dataset, command: str) -> StoredPredictions:
    """Runs every network that is on disk, and measures what only the run itself can tell.

    All but the fact `seconds` is the same when the same networks are run again. It writes nothing.

    Args:
      config: the run's settings.
      run: its folder.
      dataset: the data it was trained with; its validation images are evaluated. Its minival
        images are what the routing policy is fitted on.
      command: kept in the results.

    Raises:
      ValueError: as `evaluate_run`.
    """
    began = time.monotonic()
    superclass_map = dataset.superclass_map
    facts = {
        **provenance.data(run, dataset),
        "command": command,
        "flags": run.flags_file.read_text(encoding="utf-8").splitlines(),
        "network_macs": network_macs.count(config, dataset),
        "seed": config.seed,
        "starts_from": provenance.starts(run),
        "training": effort.by_kind(run, superclass_map, num_train=len(dataset.train)),
        "versions": provenance.versions(),
    }
    networks = Networks(config, run, dataset)
    fitted = soft_routing.fit(config, dataset, networks=networks)
    facts |= {
        "minival": NOT_EVALUATED if fitted is None else fitted.on_minival(),
        "seconds": {},
        "sizes": storage.measure(config, run, superclass_map=superclass_map, base=networks.base),
    }
    policy = None if fitted is None else fitted.policy
    predictions = gather.predictions(config, dataset, networks=networks, policy=policy, facts=facts)
    seconds = {
        "evaluation": time.monotonic() - began,
        "networks": networks.seconds,
        "training": effort.seconds_by_kind(run, superclass_map),
    }
    return dataclasses.replace(predictions, facts={**facts, "seconds": seconds})
