"""Decisions of every system that stored predictions have the logits for; numpy only."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from concurrent import futures

import numpy as np

from ss_tf.evaluation import label_tree, ranking
from ss_tf.evaluation.accuracy import Decisions
from ss_tf.evaluation.label_tree import LabelTree
from ss_tf.evaluation.ranking import Ranking
from ss_tf.evaluation.stored_predictions import FORMS, StoredPredictions
from ss_tf.hierarchy.superclass_map import SuperclassMap
from ss_tf.routing import decisions as routing
from ss_tf.routing.probabilities import softmax, superclass_probabilities
from ss_tf.routing.sub_logits import SubLogits, rows_of
from ss_tf.training.run_dir import FLAT, FLAT_EQUAL_COMPUTE

# System that is one network over all labels -> its name and form.
_FLAT_SYSTEMS = {
    "flat": (FLAT, "float"),
    "flat_equal_compute": (FLAT_EQUAL_COMPUTE, "float"),
    "flat_int8": (FLAT, "int8"),
}
# Form of the sub networks -> system that picks them by the true superclass, and by stage 1.
_SUB_SYSTEMS = {"float": ("oracle_vanilla", "vanilla"), "int8": ("oracle", "hard")}
# Images at a time: probabilities are float64, of all images together they would take gigabytes.
_CHUNK = 2048
# Each takes some 0.1 GB at a thousand labels.
_THREADS = min(4, os.cpu_count() or 1)


def decide(predictions: StoredPredictions) -> Decisions:
    """Decides superclasses and labels in all ways that the logits allow.

    A system that lacks the logits of a network is left out.

    Raises:
      ValueError: if a sub network has no logits for an image that a system sends to it.
    """
    superclass_map = predictions.superclass_map
    trees = label_tree.trees(superclass_map)
    groups = np.asarray(superclass_map.superclass_of_label)
    stage1 = stage1_probabilities(predictions)
    rankings, opened = {}, {}
    for system, key in _FLAT_SYSTEMS.items():
        if key in predictions.logits:
            rankings[system] = _flat(predictions.logits[key], trees, groups)
    true = groups[predictions.labels]
    for form, (oracle, two_stage) in _SUB_SYSTEMS.items():
        if form not in predictions.subs:
            continue
        subs = predictions.subs[form]
        told = np.ones(len(true))
        rankings[oracle] = _two_stage(true, told, subs, superclass_map, trees)
        if form in stage1:
            decided, sure = stage1[form].argmax(axis=1), stage1[form].max(axis=1)
            rankings[two_stage] = _two_stage(decided, sure, subs, superclass_map, trees)
            opened[two_stage] = _one_hot(decided, superclass_map)
    if "int8" in predictions.subs and _soft_base(predictions) is not None:
        rankings["soft"], opened["soft"] = _soft(predictions, trees, groups)
    return Decisions(
        true=predictions.labels,
        stage1={form: p.argmax(axis=1) for form, p in stage1.items()},
        labels={system: found.top[:, 0] for system, found in rankings.items()},
        opened=opened,
        probabilities={system: found.probabilities for system, found in rankings.items()},
        top={system: found.top for system, found in rankings.items()},
        descended={system: found.descended for system, found in rankings.items()},
    )


def stage1_probabilities(predictions: StoredPredictions) -> dict[str, np.ndarray]:
    """Returns the forms that the base has -> float64 `[n, num_superclasses]`."""
    kind, superclass_map = predictions.base_kind, predictions.superclass_map
    found = {}
    for form in FORMS:
        logits = predictions.logits.get((kind, form))
        if logits is not None:
            found[form] = np.zeros((len(logits), superclass_map.num_superclasses))

            def fill(rows: slice, into=found[form], logits=logits) -> None:
                into[rows] = superclass_probabilities(logits[rows], superclass_map, base_kind=kind)

            _for_each_chunk(fill, len(logits))
    return found


def reached(predictions: StoredPredictions, form: str) -> np.ndarray:
    """Returns which images may reach which sub networks in some system.

    Those are the images of its superclass and those that stage 1, in either form, sends to it; in
    int8 also those that soft routing opens it for.

    Args:
      predictions: of the networks over all images; sub logits are not looked at.
      form: "float" or "int8", of the sub networks.

    Returns:
      bool `[n, num_superclasses]`.
    """
    superclass_map = predictions.superclass_map
    stage1 = stage1_probabilities(predictions)
    found = reached_by(predictions.labels, superclass_map)
    for probabilities in stage1.values():
        found |= _one_hot(probabilities.argmax(axis=1), superclass_map)
    base = _soft_base(predictions)
    if form == "int8" and base is not None:
        for rows in _chunks(len(base)):
            of_labels = softmax(base[rows]) if predictions.base_kind == FLAT else None
            found[rows] |= routing.opened(
                stage1["int8"][rows], predictions.policy, base_label_probabilities=of_labels
            )
    return found


def reached_by(labels: np.ndarray, superclass_map: SuperclassMap) -> np.ndarray:
    """Returns bool `[n, num_superclasses]`, true at the superclass of each of the labels `[n]`."""
    return _one_hot(np.asarray(superclass_map.superclass_of_label)[labels], superclass_map)


def _flat(logits: np.ndarray, trees: Mapping[str, LabelTree], groups: np.ndarray) -> Ranking:
    """Ranks the labels of a flat network."""
    found = Ranking.empty(len(logits), trees)

    def rank(rows: slice) -> None:
        found.put(rows, ranking.of_logits(logits[rows], trees, groups))

    _for_each_chunk(rank, len(logits))
    return found


def _two_stage(
    superclasses: np.ndarray,
    sure: np.ndarray,
    subs: Mapping[int, SubLogits],
    superclass_map: SuperclassMap,
    trees: Mapping[str, LabelTree],
) -> Ranking:
    """Ranks the labels inside superclasses `[n]` decided with probabilities `[n]`."""
    found = Ranking.empty(len(superclasses), trees)
    for superclass in np.unique(superclasses):
        rows = np.flatnonzero(superclasses == superclass)
        members = np.asarray(superclass_map.labels_in(superclass))
        logits = np.zeros((len(rows), 1), np.float32)  # Of a single label, which is certain.
        if len(members) > 1:
            logits = rows_of(superclass, rows, subs, superclass_map)
        part = ranking.of_sub_logits(logits, members, trees, superclass_probability=sure[rows])
        found.put(rows, part)
    return found


def _soft_base(predictions: StoredPredictions) -> np.ndarray | None:
    """Returns the logits that soft routing starts from; None without them or a policy."""
    if predictions.policy is None:
        return None
    return predictions.logits.get((predictions.base_kind, "int8"))


def _soft(
    predictions: StoredPredictions, trees: Mapping[str, LabelTree], groups: np.ndarray
) -> tuple[Ranking, np.ndarray]:
    """Ranks the labels of soft routing; also returns bool `[n, num_superclasses]`, opened."""
    superclass_map, base = predictions.superclass_map, _soft_base(predictions)
    found = Ranking.empty(len(base), trees)
    is_open = np.zeros((len(base), superclass_map.num_superclasses), bool)

    def rank(rows: slice) -> None:
        routed = routing.decide(
            base[rows],
            _within(predictions.subs["int8"], rows),
            superclass_map,
            base_kind=predictions.base_kind,
            policy=predictions.policy,
        )
        top = ranking.top_labels(
            np.where(routed.scores > 0, routed.scores, -np.inf), first=routed.label
        )
        scores = routed.scores.astype(np.float64)
        found.put(rows, ranking.of_scores(scores, trees, groups, top=top))
        is_open[rows] = routed.opened

    _for_each_chunk(rank, len(base))
    return found, is_open


def _within(subs: Mapping[int, SubLogits], rows: slice) -> dict[int, SubLogits]:
    """Returns the logits of some images, which count from 0 then."""
    found = {}
    for superclass, sub in subs.items():
        wanted = (sub.indices >= rows.start) & (sub.indices < rows.stop)
        found[superclass] = SubLogits(sub.indices[wanted] - rows.start, sub.logits[wanted])
    return found


def _for_each_chunk(work: Callable[[slice], None], num_images: int) -> None:
    """Works on chunks of images side by side, which numpy does on several cores."""
    with futures.ThreadPoolExecutor(max_workers=_THREADS) as pool:
        # Asking for the results raises what a chunk raised.
        for _ in pool.map(work, _chunks(num_images)):
            pass


def _chunks(num_images: int) -> Iterator[slice]:
    return (slice(start, start + _CHUNK) for start in range(0, num_images, _CHUNK))


def _one_hot(superclasses: np.ndarray, superclass_map: SuperclassMap) -> np.ndarray:
    return np.eye(superclass_map.num_superclasses, dtype=bool)[superclasses]
