import numpy as np
import pytest
from PIL import Image

from ss_tf.data import catalog, examples, input_pipeline
from ss_tf.deltas import bank
from ss_tf.evaluation import predict
from ss_tf.routing import loading


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
    predictions = [o for o in outcomes if isinstance(o, predict.Prediction)]
    good = [*photos[:4], photos[0], *photos[4:]]
    assert [prediction.path for prediction in predictions] == good
    assert [isinstance(o, predict.Prediction) for o in outcomes] == [p in photos for p in paths]
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
    assert out == f"{predict.format_line(predictions[0])}\n"
    assert err.count("\n") == 1
    assert "torn.png" in err


def test_line_names_path_superclass_and_subclass(tmp_path):
    prediction = predict.Prediction(
        path=tmp_path / "größe.png",
        superclass="bird",
        superclass_probability=0.9876,
        subclass="wren",
        subclass_probability=1.0,
    )
    line = predict.format_line(prediction)
    assert line == f"{tmp_path}/größe.png: bird 98.8 %, wren 100.0 %"


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
