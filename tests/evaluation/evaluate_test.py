import io
import json

import numpy as np
import pytest
from PIL import Image

from ss_tf import files
from ss_tf.data import catalog
from ss_tf.evaluation import (
    accuracy,
    evaluate,
    measure,
    results,
    stored_predictions,
    thumbnail_file,
)
from ss_tf.evaluation.results import NOT_EVALUATED
from ss_tf.models import integer_network
from ss_tf.report import folder
from ss_tf.routing import fit_policy, fitted_policy, loading
from ss_tf.routing.policy import RoutingPolicy
from ss_tf.training.run_dir import RunDir

SOFT = RoutingPolicy(top_k=2, tau=0.9, temperatures={"bird": 0.7})


def evaluate_and_measure(config, run, dataset):
    """Returns what results.json would hold, and the decisions."""
    predictions = evaluate.predict(config, run, dataset=dataset, command="eval.py --run_dir=x")
    return measure.measure(predictions)


def pixels_of(examples):
    return (examples.images / 127.5 - 1).astype(np.float32)


def decide_one_image_at_a_time(run, dataset, int8_logits, base):
    """Returns labels of hard routing, and superclasses, from the int8 files without the bank."""
    logits = {
        name: int8_logits(integer_network.load(run.int8_file(name)), pixels_of(dataset.validation))
        for name in (base, "sub/bird", "sub/boat")
    }
    labels, superclasses = [], []
    for index, scores in enumerate(logits[base]):
        if base == "flat":
            p = np.exp(scores)
            scores = [p[0] + p[2] + p[5], p[1] + p[4], p[3]]
        superclasses.append(np.argmax(scores))
        if superclasses[-1] == 0:
            labels.append([0, 2, 5][np.argmax(logits["sub/bird"][index])])
        elif superclasses[-1] == 1:
            labels.append([1, 4][np.argmax(logits["sub/boat"][index])])
        else:
            labels.append(3)
    return np.array(labels), np.array(superclasses)


@pytest.mark.slow
@pytest.mark.parametrize("base", ["super", "flat"])
def test_whole_run_is_measured_as_one_image_at_a_time_would(
    base,
    run_config,
    write_run,
    dataset,
    qat_model,
    ready_qat_model,
    int8_logits,
    tmp_path,
    monkeypatch,
):
    # What is fitted to 6 images of random networks would hardly be soft.
    monkeypatch.setattr(fit_policy, "FEWEST_IMAGES", 6)
    monkeypatch.setattr(fit_policy, "fit", lambda *args, **kwargs: SOFT)
    run = write_run(base)
    measured, decisions = evaluate_and_measure(run_config(sub_init=base), run, dataset)
    results.write(measured, tmp_path / "results.json")

    labels, superclasses = decide_one_image_at_a_time(run, dataset, int8_logits, base)
    np.testing.assert_array_equal(decisions.labels["hard"], labels)
    np.testing.assert_array_equal(decisions.stage1["int8"], superclasses)
    assert len(set(labels)) > 2, "these networks decide nothing that could be mixed up"
    assert measured["top1"]["hard"] == np.mean(labels == dataset.validation.labels)
    assert measured["stage1"] == base
    assert measured["num_examples"] == 19
    assert np.sum(measured["confusion"]["counts_by_true_then_decided"]) == 19
    evaluated = {name for name, top1 in measured["top1"].items() if top1 != NOT_EVALUATED}
    assert evaluated == set(accuracy.SYSTEMS) - ({"flat_int8"} if base == "super" else set())
    assert measured["sizes"]["int8_delta"] > 0
    assert measured["flags"] == ["--dataset=folder"]
    assert measured["training_passes"]["hard"] == 0, "nothing was trained"
    assert measured["verdict"].startswith("Two-stage (hard")

    # The bound of a superclass holds for every routing of the same sub networks.
    for row in measured["per_superclass"].values():
        assert row["hard"] <= row["oracle"]
        assert row["vanilla"] <= row["oracle_vanilla"]

    # The router, which serves predictions, decides the same labels.
    route = loading.load_router(run_config(sub_init=base), run, image_format=dataset)
    np.testing.assert_array_equal(route(pixels_of(dataset.validation))["label"], labels)
    route = loading.load_router(run_config(sub_init=base), run, image_format=dataset, policy=SOFT)
    routed = route(pixels_of(dataset.validation))
    np.testing.assert_array_equal(routed["label"], decisions.labels["soft"])
    np.testing.assert_array_equal(routed["opened"], decisions.opened["soft"])
    assert routed["opened"].numpy().sum() > 19


@pytest.mark.slow
def test_scratch_run_has_vanilla_but_no_hard_and_the_same_results_twice(
    run_config, write_run, dataset
):
    config, run = run_config(sub_init="scratch"), write_run(None)
    measured, again = (evaluate_and_measure(config, run, dataset)[0] for _ in range(2))
    for system in ("flat", "flat_equal_compute", "vanilla", "oracle_vanilla"):
        assert 0 <= measured["top1"][system] <= 1
    for top1 in (measured["top1"]["hard"], measured["top1"]["oracle"], measured["super_top1"]):
        assert top1 == NOT_EVALUATED
    assert 0 <= measured["super_top1_float"] <= 1
    assert measured["verdict"].startswith("Two-stage (vanilla")
    seconds = measured.pop("seconds")
    assert set(seconds["networks"]) == {
        f"{name} float" for name in ("flat", "flat_equal_compute", "super", "sub/bird", "sub/boat")
    }
    assert seconds != again.pop("seconds")
    assert json.dumps(measured) == json.dumps(again)


def test_run_without_networks_is_not_evaluated_and_reported_so(
    run_config, empty_run, dataset, monkeypatch
):
    monkeypatch.setattr(catalog, "load", lambda config: dataset)
    fitted_policy.store(SOFT, empty_run, networks="other")  # Of networks that were here once.
    path = evaluate.evaluate_run(run_config(), empty_run, command="eval.py --run_dir=x")
    assert path == empty_run.path / "report" / "predictions.npz"
    assert not empty_run.routing_file.exists()
    told = folder.write(path)
    measured = json.loads((empty_run.report_dir / "results.json").read_text())
    assert set(measured["top1"].values()) == {NOT_EVALUATED}
    assert measured["command"] == "eval.py --run_dir=x"
    assert told.splitlines()[-3:] == [
        "Two-stage: not evaluated.",
        f"Report: {empty_run.report_dir / 'report.md'}",
        f"Page: {empty_run.report_dir / 'index.html'}",
    ]
    assert "Two-stage was not compared" in (empty_run.report_dir / "index.html").read_text()
    assert "not evaluated" in (empty_run.report_dir / "report.md").read_text()


def test_thumbnails_of_wrong_images_are_kept(run_config, empty_run, dataset, facts, monkeypatch):
    examples = dataset.validation
    decided = examples.labels.copy()
    decided[[3, 7]] = (decided[[3, 7]] + 1) % 6
    predictions = stored_predictions.StoredPredictions(
        superclass_map=dataset.superclass_map,
        base_kind="flat",
        labels=examples.labels,
        keys=examples.keys.tolist(),
        logits={("flat", "float"): np.eye(6, dtype=np.float32)[decided]},
        subs={},
        policy=None,
        facts=facts,
    )
    monkeypatch.setattr(catalog, "load", lambda config: dataset)
    monkeypatch.setattr(evaluate, "predict", lambda *_, **__: predictions)
    path = evaluate.evaluate_run(run_config(), empty_run, command="eval.py")
    thumbnails = path.with_name(thumbnail_file.NAME)
    kept = thumbnail_file.read(thumbnails, digest=facts["validation_digest"])
    assert set(kept) == {3, 7}
    shown = np.asarray(Image.open(io.BytesIO(kept[7])).convert("L")).astype(int)
    assert np.abs(shown - examples.images[7][..., 0]).mean() < 6


def test_damaged_network_leaves_the_old_predictions(run_config, empty_run, dataset, monkeypatch):
    monkeypatch.setattr(catalog, "load", lambda config: dataset)
    evaluate.evaluate_run(run_config(), empty_run, command="first")
    before = empty_run.predictions_file.read_bytes()
    files.write_atomically(empty_run.float_file("flat"), b"damaged")
    fitted_policy.store(SOFT, empty_run, networks="other")
    policy = empty_run.routing_file.read_bytes()
    with pytest.raises(ValueError, match=r"networks/flat/float\.safetensors is not a whole"):
        evaluate.evaluate_run(run_config(), empty_run, command="second")
    assert empty_run.predictions_file.read_bytes() == before
    assert empty_run.routing_file.read_bytes() == policy


def test_folder_that_is_no_run_is_refused_before_data_are_loaded(run_config, tmp_path, monkeypatch):
    monkeypatch.setattr(catalog, "load", lambda config: pytest.fail("data were loaded"))
    with pytest.raises(ValueError, match=r"is not a run: superclass_map\.json is missing"):
        evaluate.evaluate_run(run_config(), RunDir(tmp_path), command="eval.py")
