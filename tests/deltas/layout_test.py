import dataclasses

import numpy as np
import pytest

from ss_tf.deltas import layout
from ss_tf.models import integer_network


@pytest.fixture(scope="module")
def base(make_network):
    return make_network(0, num_classes=3)


def _changed(network, group, name, tensor):
    """Returns the network with one tensor replaced or, if it is None, taken away."""
    tensors = {**getattr(network, group), name: tensor}
    kept = {name: tensor for name, tensor in tensors.items() if tensor is not None}
    return dataclasses.replace(network, **{group: kept})


def test_body_kernels_are_all_but_the_head_in_order_of_names(base):
    backwards = dataclasses.replace(base, kernels=dict(reversed(base.kernels.items())))
    for network in (base, backwards):
        body = layout.body_kernels(network)
        assert list(body) == ["conv1/kernel", "layer1.0.conv1/kernel"]
        assert all(body[name] is base.kernels[name] for name in body)


def test_float_shapes_are_those_of_the_base_but_for_the_width_of_the_head(base):
    assert layout.float_shapes(base, num_classes=7, own_scales=["conv1/kernel", "fc/kernel"]) == {
        "floats/bn1/gamma": (4,),
        "floats/fc/bias": (7,),
        "floats/fc/output_max": (),
        "scales/conv1/kernel": (4,),
        "scales/fc/kernel": (),
    }


def test_a_scale_without_a_kernel_is_refused_by_name(base):
    with pytest.raises(ValueError, match="'x/kernel' is stored, but the base has no such kernel"):
        layout.float_shapes(base, num_classes=3, own_scales=["x/kernel"])


def test_the_head_is_as_wide_as_there_are_classes(base):
    assert layout.head_shape(base, num_classes=1) == (8, 1)
    assert layout.head_shape(base, num_classes=65536) == (8, 65536)


@pytest.mark.parametrize("num_classes", [-1, 0, 65537, 10**4000])
def test_impossible_widths_are_refused(num_classes, base):
    with pytest.raises(ValueError, match=r"classes, expected 1\.\.65536") as refusal:
        layout.head_shape(base, num_classes=num_classes)
    assert f" {num_classes} " in str(refusal.value)
    with pytest.raises(ValueError, match=r"classes, expected 1\.\.65536"):
        layout.float_shapes(base, num_classes=num_classes, own_scales=[])


def test_own_scales_are_those_that_differ_by_any_bit(base):
    assert layout.own_scales(base, base) == []
    for old, new in ((0.0, -0.0), (0.5, np.nextafter(np.float32(0.5), 1))):
        olds, news = np.full(4, old, np.float32), np.full(4, old, np.float32)
        news[3] = new
        one = _changed(base, "scales", "conv1/kernel", olds)
        assert layout.own_scales(one, _changed(base, "scales", "conv1/kernel", olds.copy())) == []
        other = _changed(one, "scales", "conv1/kernel", news)
        assert layout.own_scales(one, other) == ["conv1/kernel"]
    halves = {name: scale / 2 for name, scale in reversed(base.scales.items())}
    other = dataclasses.replace(base, scales=halves)
    assert layout.own_scales(base, other) == sorted(base.scales)


def test_networks_of_one_geometry_match(base, make_network):
    for num_classes in (1, 3, 9):
        layout.check_match(base, make_network(1, num_classes=num_classes))


def test_a_tensor_that_one_side_lacks_is_refused_by_name(base):
    longer = _changed(base, "floats", "bn2/gamma", np.zeros(4, np.float32))
    with pytest.raises(ValueError, match="'floats/bn2/gamma' is missing from the base"):
        layout.check_match(base, longer)
    with pytest.raises(ValueError, match="'floats/bn2/gamma' is missing from the sub network"):
        layout.check_match(longer, base)


@pytest.mark.parametrize(
    ("group", "name", "shape", "expected"),
    [
        ("floats", "bn1/gamma", (5,), (4,)),
        ("floats", "fc/bias", (2,), (3,)),
        ("floats", "fc/output_max", (1,), ()),
        ("kernels", "conv1/kernel", (3, 3, 2, 4), (3, 3, 1, 4)),
        ("kernels", "fc/kernel", (9, 3), (8, 3)),
    ],
)
def test_tensors_of_another_shape_are_refused_by_name(group, name, shape, expected, base):
    odd = np.zeros(shape, np.int8 if group == "kernels" else np.float32)
    with pytest.raises(ValueError) as refusal:  # noqa: PT011 - compared below, with its brackets
        layout.check_match(base, _changed(base, group, name, odd))
    assert f"'{group}/{name}' has shape {shape}, expected the base's {expected}." in str(
        refusal.value
    )


def test_networks_without_a_head_are_refused(base):
    headless = integer_network.IntegerNetwork({}, {}, {}, {})
    for call in (
        lambda: layout.check_match(headless, headless),
        lambda: layout.head_shape(headless, num_classes=3),
        lambda: layout.float_shapes(headless, num_classes=3, own_scales=[]),
    ):
        with pytest.raises(ValueError, match="'fc/kernel' is missing, expected networks with a"):
            call()


def test_a_sub_network_that_no_entry_can_tell_of_is_refused(base, make_network):
    with pytest.raises(ValueError, match=r"The head has 0 classes, expected 1\.\.65536"):
        layout.check_match(base, make_network(1, num_classes=0))


def test_no_kernel_is_left_out_whatever_its_name(base):
    more = dataclasses.replace(
        base,
        kernels={**base.kernels, "fc/more/kernel": np.zeros((2, 2), np.int8)},
        scales={**base.scales, "fc/more/kernel": np.array(1, np.float32)},
    )
    assert layout.body_kernels(more).keys() | {layout.HEAD_KERNEL} == more.kernels.keys()


def test_network_of_undoes_tensors_of(base, assert_same_network):
    tensors = layout.tensors_of(base)
    assert len(tensors) == 9
    assert tensors["scales/fc/kernel"] is base.scales["fc/kernel"]
    assert_same_network(layout.network_of(tensors, base.metadata), base)
