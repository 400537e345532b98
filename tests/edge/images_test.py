import dataclasses
import weakref

import numpy as np
import pytest

from ss_tf.edge import images as edge_images


@pytest.mark.parametrize("shape", [(40, 60), (61, 40), (7, 9), (16, 16), (300, 200)])
@pytest.mark.parametrize("crop_fraction", [1.0, 0.875])
def test_crop_is_that_of_evaluation(shape, crop_fraction):
    from ss_tf.data import preprocessing

    image = np.random.default_rng(0).integers(0, 256, (*shape, 3)).astype(np.uint8)
    settings = {"image_size": 16, "crop_fraction": crop_fraction}
    expected = preprocessing.centre_crop(image, **settings).numpy()
    found = edge_images.centre_crop(image, **settings)
    # Of 255.
    np.testing.assert_allclose(found, expected, atol=0.01)


def _resized_by_the_page(square, size):
    """Resizes the columns, then the rows, of float32 `[side, side]`: docs/edge_format.md."""
    scale = square.shape[0] / size
    centres = (np.arange(size)[:, np.newaxis] + 0.5) * scale
    distances = np.abs(np.arange(square.shape[0]) + 0.5 - centres)
    weights = np.maximum(0, 1 - distances / max(scale, 1))
    weights /= weights.sum(axis=1, keepdims=True)
    return weights @ square @ weights.T


@pytest.mark.parametrize("shape", [(40, 61), (7, 9), (17, 30), (95, 33)])
def test_crop_is_what_the_page_tells_other_languages(shape):
    image = np.random.default_rng(1).integers(0, 256, (*shape, 1)).astype(np.uint8)
    side = max(round(min(shape) * 0.75), 1)
    top, left = ((length - side) // 2 for length in shape)
    square = image[top : top + side, left : left + side, 0].astype(np.float64)
    found = edge_images.centre_crop(image, image_size=16, crop_fraction=0.75)
    np.testing.assert_allclose(found[..., 0], _resized_by_the_page(square, 16), atol=1e-3)


def test_side_of_decoding_is_that_of_evaluation():
    from ss_tf.data import preprocessing

    for size in (16, 32, 224, 225):
        assert edge_images.decoded_side(size) == preprocessing.decoded_side(size)


def test_inputs_are_normalised_per_channel(make_bundle):
    about = dataclasses.replace(
        make_bundle().about, channels=3, mean=(0.0, 0.5, 1.0), std=(1.0, 0.5, 0.25)
    )
    image = np.full((3, 3, 3), 255, np.uint8)
    inputs = edge_images.to_inputs([image, image[:, :, ::-1]], about)
    assert inputs.shape == (2, 3, 3, 3)
    np.testing.assert_array_equal(inputs[0, 1, 2], [1, 1, 0])


def test_images_of_a_generator_are_held_one_at_a_time(make_bundle):
    about, held = make_bundle().about, []

    def one_by_one():
        for value in range(4):
            image = np.full((3, 3, 1), value, np.uint8)
            held.append(weakref.ref(image))
            yield image
            del image
            assert sum(one() is not None for one in held) <= 1

    inputs = edge_images.to_inputs(one_by_one(), about)
    np.testing.assert_allclose(inputs[:, 0, 0, 0], (np.arange(4) / 255 - 0.5) / 0.25, rtol=1e-6)
    assert edge_images.to_inputs(iter(()), about).shape == (0, 3, 3, 1)
    assert inputs.dtype == np.float32


@pytest.mark.parametrize(
    "image", [np.zeros((3, 3, 1)), np.zeros((0, 3, 1), np.uint8), np.zeros((3, 3), np.uint8), "x"]
)
def test_other_images_are_refused(make_bundle, image):
    good = np.zeros((3, 3, 1), np.uint8)
    with pytest.raises(ValueError, match=r"Image 1 is .*, expected uint8 \[height, width, 1\]"):
        edge_images.to_inputs([good, image], make_bundle().about)
