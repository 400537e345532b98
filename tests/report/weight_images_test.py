import numpy as np

from ss_tf.report import weight_images
from ss_tf.report.weights import Layer

BATCH_NORM = Layer("bn1", np.ones((2, 4)), np.zeros((2, 4)), row_names=("gamma", "moving_mean"))


def _images(figure):
    """Returns the images of the layers, base, sub and difference of each."""
    return [axes.images[0] for axes in figure.axes if axes.images]


def test_base_sub_and_difference_share_a_scale_around_zero():
    base, sub = np.array([[1.0, -2.0]]), np.array([[3.0, 2.0]])
    figure = weight_images.draw(
        Layer("conv1", base, sub), BATCH_NORM, base="super", superclass="bird"
    )
    images = _images(figure)
    assert len(images) == 6
    for image, values in zip(images, (base, sub, sub - base), strict=False):
        np.testing.assert_array_equal(image.get_array(), values)
        assert image.get_clim() == (-4, 4)


def test_networks_layers_and_rows_are_named():
    figure = weight_images.draw(
        Layer("conv1", np.ones((3, 3)), np.ones((3, 3))), BATCH_NORM, base="flat", superclass="cat"
    )
    titles = [axes.get_title(loc="left") for axes in figure.axes[:3]]
    assert titles == ["flat network", "sub network: cat", "difference"]
    assert [figure.axes[place].get_ylabel() for place in (0, 3)] == ["conv1", "bn1"]
    rows = [label.get_text() for label in figure.axes[3].get_yticklabels()]
    assert rows == ["gamma", "moving mean"]


def test_equal_networks_and_large_kernels_can_be_drawn():
    zeros = Layer("conv1", np.zeros((999, 500)), np.zeros((999, 500)))
    figure = weight_images.draw(zeros, zeros, base="super", superclass="bird")
    assert _images(figure)[0].get_array().shape == (192, 192)
    assert _images(figure)[0].get_clim() == (-1, 1)
