import json
import pathlib
import shutil

import numpy as np
import pytest
from PIL import Image

from ss_tf.data import catalog, examples, input_pipeline
from ss_tf.deltas import bank
from ss_tf.evaluation import predict, prediction_format
from ss_tf.routing import fitted_policy, int8_networks, loading
from ss_tf.routing.policy import RoutingPolicy


@pytest.fixture
def gray_folder(monkeypatch, dataset):
    """Gives the data set `folder` the format of the tests' networks: gray images."""
    monkeypatch.setattr(catalog, "image_format", lambda name: dataset)


@pytest.fixture
def photos(tmp_path):
    """Paths of ten gray images of 24x16 pixels, named with blanks and umlauts."""
    rng = np.random.default_rng(0)
    paths = [tmp_path / f"größe {index}.png" for index in range(10)]
    for path in paths:
        Image.fromarray(rng.integers(256, size=(16, 24)).astype(np.uint8)).save(path)
    return paths


@pytest.mark.slow
def test_predictions_are_those_of_the_router_in_the_order_of_the_paths(
    run_config,
    write_run,
    dataset,
    ready_qat_model,
    gray_folder,
    photos,
    capsys,
):
    run = write_run("super")
    torn, missing = photos[0].with_name("torn.png"), photos[0].with_name("missing.png")
    torn.write_bytes(photos[0].read_bytes()[:40])
    # The same image twice, and two bad ones in between; more than one batch of 8.
    paths = [*photos[:4], torn, photos[0], missing, *photos[4:]]
    outcomes = list(predict.predict_images(run_config(), run, paths))
    predictions = [o for o in outcomes if isinstance(o, prediction_format.Prediction)]
    good = [*photos[:4], photos[0], *photos[4:]]
    assert [prediction.path for prediction in predictions] == good
    assert [isinstance(o, prediction_format.Prediction) for o in outcomes] == [
        p in photos for p in paths
    ]
    assert predictions[4] == predictions[0]

    shown = examples.Examples(
        images=np.array([str(path) for path in good]),
        labels=np.zeros(len(good), np.int64),
        keys=np.array([str(index) for index in range(len(good))]),
    )
    (batch,) = input_pipeline.eval_batches(shown, dataset, image_size=16, batch_size=len(good))
    names = dataset.superclass_map
    routed = loading.load_router(run_config(), run, image_format=dataset)(batch["image"].numpy())
    for row, prediction in enumerate(predictions):
        assert prediction.superclass == names.superclass_names[routed["superclass"][row]]
        assert prediction.subclass == names.label_names[routed["label"][row]]
        for field in ("superclass_probability", "subclass_probability"):
            expected = pytest.approx(float(routed[field][row]), abs=1e-5)
            assert getattr(prediction, field) == expected

    assert predict.print_predictions(run_config(), run, [photos[0], torn]) == 1
    out, err = capsys.readouterr()
    assert out == f"{prediction_format.text_line(predictions[0])}\n"
    assert err.count("\n") == 1
    assert "torn.png" in err


def test_names_of_a_decision(superclass_map):
    routed = {
        "label": 4,
        "superclass": 1,
        "superclass_probability": np.float32(0.5),
        "subclass": 1,
        "subclass_probability": np.float32(0.75),
        # The car was opened, too, but has no sub network.
        "opened": np.array([True, True, True]),
        "scores": np.array([0.125, 0.125, 0, 0.0625, 0.375, 0.125], np.float32),
    }
    path = pathlib.Path("x.png")
    found = predict.named(path, routed, superclass_map, top_k=9)
    assert found.superclass == "boat"
    assert found.superclass_probability == 0.5
    assert found.subclass == "ferry"
    assert found.subclass_probability == 0.75
    assert found.opened == ("bird", "boat")
    # Equal ones by index, none of probability 0.
    assert [(scored.label, scored.superclass, scored.probability) for scored in found.top] == [
        ("ferry", "boat", 0.375),
        ("wren", "bird", 0.125),
        ("canoe", "boat", 0.125),
        ("gull", "bird", 0.125),
        ("taxi", "car", 0.0625),
    ]
    few = predict.named(path, routed, superclass_map, top_k=2)
    assert few.top == found.top[:2]

    # Where it abstains, the superclass is decided, and the scores are still there.
    routed |= {"label": -1, "subclass": -1, "subclass_probability": np.float32(0)}
    found = predict.named(path, routed, superclass_map, top_k=1)
    assert (found.superclass, found.subclass, found.subclass_probability) == ("boat", None, 0)
    assert found.top == few.top[:1]


@pytest.mark.slow
def test_a_fitted_policy_lets_images_exit_or_abstain(
    run_config, write_run, ready_qat_model, gray_folder, photos
):
    run, config = write_run("flat"), run_config(sub_init="flat")
    with pytest.raises(ValueError, match=r"--routing=soft needs .*routing\.json, which is missing"):
        predict.predict_images(config, run, photos, routing="soft")
    digest = int8_networks.stored_digest(run, run.superclass_map(), base="flat")
    fitted_policy.store(RoutingPolicy(early_exit=0.0), run, networks=digest)
    for prediction in predict.predict_images(config, run, photos, routing="soft", top_k=6):
        assert prediction.opened == ()
        assert len(prediction.top) == 6
        assert prediction.top[0].label == prediction.subclass
        assert sum(scored.probability for scored in prediction.top) == pytest.approx(1, rel=1e-5)
    abstaining = RoutingPolicy(top_k=2, abstain_below=1.0)
    fitted_policy.store(abstaining, run, networks=digest)
    for prediction in predict.predict_images(config, run, photos, routing="soft", top_k=6):
        assert prediction.subclass is None
        of_two = {scored.superclass for scored in prediction.top}
        assert len(of_two) == 2
        assert of_two - {"car"} == set(prediction.opened)


@pytest.mark.slow
def test_a_folder_gives_one_line_of_json_per_image(
    run_config, write_run, ready_qat_model, gray_folder, photos, capsys
):
    run, config = write_run("super"), run_config()
    folder = photos[0].parent
    (folder / "deep").mkdir()
    (folder / "deep" / "torn.png").write_bytes(photos[0].read_bytes()[:40])
    shutil.copy(photos[0], folder / "deep" / "again.png")
    assert predict.print_predictions(config, run, [folder], top_k=2, as_json=True) == 1
    out, err = capsys.readouterr()
    assert err == ""
    lines = [json.loads(line) for line in out.splitlines()]
    again, torn, *others = lines
    assert [line["path"] for line in others] == [str(path) for path in photos]
    assert torn["path"] == str(folder / "deep" / "torn.png")
    assert set(torn) == {"path", "error"}
    assert again | {"path": str(photos[0])} == others[0]
    # Hard routing: labels of one superclass, of which the car has only one.
    for line in others:
        assert {scored["superclass"] for scored in line["top"]} == {line["superclass"]}
        assert line["opened"] == ([] if line["superclass"] == "car" else [line["superclass"]])
        assert len(line["top"]) == (1 if line["superclass"] == "car" else 2)
        joint = line["superclass_probability"] * line["subclass_probability"]
        assert line["top"][0]["label"] == line["subclass"]
        assert line["top"][0]["probability"] == pytest.approx(joint, rel=1e-5)

    assert predict.print_predictions(config, run, [folder / "deep" / "again.png"]) == 0
    (line,) = capsys.readouterr().out.splitlines()
    assert line.startswith(f"{folder}/deep/again.png: {again['superclass']} ")


def test_a_folder_without_images_is_refused_before_networks_are_loaded(
    run_config, empty_run, tmp_path
):
    (tmp_path / "photos").mkdir()
    with pytest.raises(ValueError, match="photos holds no image"):
        predict.print_predictions(run_config(), empty_run, [tmp_path / "photos"])


def test_no_label_at_all_is_refused(run_config, empty_run, photos):
    with pytest.raises(ValueError, match=r"top_k is 0, expected at least 1\."):
        predict.predict_images(run_config(), empty_run, photos, top_k=0)


def test_scratch_run_is_refused(run_config, empty_run, gray_folder, photos):
    with pytest.raises(ValueError, match=r"--sub_init=scratch, so it has no base to predict with"):
        predict.predict_images(run_config(sub_init="scratch"), empty_run, photos)


def test_run_without_base_is_refused_with_what_to_train(run_config, empty_run, gray_folder, photos):
    with pytest.raises(ValueError, match=r"no flat network: .* Run train\.py --stage=flat first"):
        predict.predict_images(run_config(sub_init="flat"), empty_run, photos)


@pytest.mark.slow
def test_run_with_a_sub_network_missing_is_refused_with_what_to_train(
    run_config, write_run, gray_folder, photos
):
    run = write_run("super")
    bank.entry_path(run.bank_dir, "boat").unlink()
    with pytest.raises(ValueError, match=r"no sub network of boat\. .*--superclass=boat first"):
        predict.predict_images(run_config(), run, photos)
