import numpy as np
import pytest
import tf_keras as keras

from ss_tf.data import input_pipeline
from ss_tf.evaluation.predictions import Predictor


@pytest.fixture(scope="module")
def model():
    """One dense layer on the pixels: 5 logits of a 16x16 gray image."""
    inputs = keras.Input((16, 16, 1))
    logits = keras.layers.Dense(5)(keras.layers.Flatten()(inputs))
    return keras.Model(inputs, logits)


def predictor_of(model, dataset, batch_size):
    return Predictor(model, dataset, image_size=16, batch_size=batch_size)


@pytest.mark.parametrize("batch_size", [1, 8, 19, 50])
def test_every_example_has_its_own_row_once_for_any_batch_size(model, dataset, batch_size):
    logits = predictor_of(model, dataset, batch_size).logits(
        dataset.validation, num_classes=3, title="test"
    )
    kernel, bias = (weight.numpy() for weight in model.weights)
    pixels = dataset.validation.images.reshape(19, 256) / 127.5 - 1
    np.testing.assert_allclose(logits, (pixels @ kernel + bias)[:, :3], rtol=0, atol=1e-5)
    assert logits.dtype == np.float32


def test_no_example_gives_no_row(model, dataset):
    nothing = dataset.validation.select(np.zeros(0, int))
    logits = predictor_of(model, dataset, 8).logits(nothing, num_classes=3, title="test")
    assert logits.shape == (0, 3)


def test_weights_assigned_between_calls_are_used(model, dataset):
    predictor = predictor_of(model, dataset, 8)
    before = predictor.logits(dataset.validation, num_classes=5, title="test")
    bias = model.weights[1]
    bias.assign(bias + np.arange(1, 6))
    after = predictor.logits(dataset.validation, num_classes=5, title="test")
    np.testing.assert_allclose(after - before, np.tile(np.arange(1, 6), (19, 1)), atol=1e-5)


def test_progress_counts_images_not_padding(model, dataset, capfd):
    predictor_of(model, dataset, 8).logits(dataset.validation, num_classes=3, title="sub/x int8")
    shown = capfd.readouterr().err
    assert "sub/x int8: 100%" in shown
    assert "19/19" in shown
    assert "images/s" in shown


def test_batches_that_lose_an_example_are_refused(model, dataset, monkeypatch):
    whole = input_pipeline.eval_batches

    def without_last_batch(*args, **kwargs):
        return whole(*args, **kwargs).take(2)

    monkeypatch.setattr(input_pipeline, "eval_batches", without_last_batch)
    with pytest.raises(ValueError, match="test has logits of 16 images, expected 19"):
        predictor_of(model, dataset, 8).logits(dataset.validation, num_classes=3, title="test")
