import dataclasses

import numpy as np
import pytest

from ss_tf import config
from ss_tf.models import heads, int8_grid, resnet, trunk, variables


@pytest.fixture
def base(qat_model):
    int8_grid.snap(qat_model)
    return int8_grid.to_integer(qat_model, {})


def _changed(network, *names):
    """Returns a network that differs in one number of each of some tensors, in its last bit."""
    groups = {group: dict(getattr(network, group)) for group in ("kernels", "scales", "floats")}
    for group, name in (name.split("/", 1) for name in names):
        tensor = np.array(groups[group][name])
        tensor.reshape(-1).view(np.uint8)[0] ^= 1
        groups[group][name] = tensor
    return dataclasses.replace(network, **groups)


@pytest.mark.parametrize(
    ("tensor", "stage"),
    [
        ("floats/image/output_max", None),
        ("kernels/conv1/kernel", None),
        ("scales/conv1/kernel", None),
        ("floats/bn1/moving_mean", None),
        ("floats/relu/output_max", None),
        ("kernels/layer1.0.conv2/kernel", "stem"),
        ("floats/layer1.0.bn1/beta", "stem"),
        ("scales/layer2.0.downsample.0/kernel", "layer1"),
        ("floats/layer3.0.downsample.1/gamma", "layer2"),
        ("floats/layer3.0.relu2/output_max", "layer2"),
        ("kernels/layer4.0.conv1/kernel", "layer3"),
        ("floats/avgpool/output_max", "layer4"),
        ("kernels/fc/kernel", "layer4"),
        ("scales/fc/kernel", "layer4"),
        ("floats/fc/bias", "layer4"),
    ],
)
def test_what_is_shared_ends_before_the_first_difference(base, tensor, stage):
    assert trunk.shared_stage(base, [_changed(base, tensor)]) == stage


def test_the_first_difference_of_all_networks_counts(base):
    late = _changed(base, "floats/layer4.0.bn1/beta", "kernels/fc/kernel")
    early = _changed(base, "scales/layer3.0.conv1/kernel", "kernels/layer4.0.conv2/kernel")
    assert trunk.shared_stage(base, [late]) == "layer3"
    assert trunk.shared_stage(base, [base, late, early, late]) == "layer2"


def test_networks_can_share_all_but_the_head(base):
    assert trunk.shared_stage(base, []) == "layer4"
    assert trunk.shared_stage(base, iter([base, heads.resize_network(base, 9)])) == "layer4"


def test_a_tensor_before_the_end_of_a_stage_that_differs_is_named(base):
    late = _changed(base, "floats/layer3.0.bn1/beta", "kernels/fc/kernel")
    for stage in (None, "stem", "layer2"):
        assert trunk.differing_tensor(base, late, stage=stage) is None
    for stage in ("layer3", "layer4"):
        assert trunk.differing_tensor(base, late, stage=stage) == "floats/layer3.0.bn1/beta"
    wide = heads.resize_network(base, 9)
    assert trunk.differing_tensor(base, wide, stage="layer4") is None


def test_zeros_of_another_sign_differ(base):
    zeros = np.zeros_like(base.floats["layer2.0.bn1/beta"])
    one, other = (
        dataclasses.replace(base, floats=base.floats | {"layer2.0.bn1/beta": beta})
        for beta in (zeros, -zeros)
    )
    assert trunk.shared_stage(one, [one]) == "layer4"
    assert trunk.shared_stage(one, [other]) == "layer1"


@pytest.fixture(params=["float_model", "qat_model"])
def model(request):
    """Each form of the small network."""
    return request.getfixturevalue(request.param)


def _assert_split(model, stage, images):
    first, second = trunk.split(model, stage)
    np.testing.assert_array_equal(
        second(first(images, training=False), training=False), model(images, training=False)
    )
    return first, second


@pytest.mark.parametrize("stage", config.STAGES)
def test_parts_one_after_the_other_compute_the_same(model, stage, images):
    first, second = _assert_split(model, stage, images)
    firsts, seconds = variables.by_name(first), variables.by_name(second)
    last = config.STAGES.index(stage)
    assert all(resnet.stage_of(name.split("/")[0]) <= last for name in firsts)
    assert all(resnet.stage_of(name.split("/")[0]) > last for name in seconds)
    whole = variables.by_name(model)
    assert firsts.keys() | seconds.keys() == whole.keys()
    assert all(variable is whole[name] for name, variable in {**firsts, **seconds}.items())


def test_no_stage_leaves_the_model_whole(model):
    assert trunk.split(model, None) == (None, model)


@pytest.mark.parametrize("stage", config.STAGES)
@pytest.mark.parametrize("backbone", ["resnet18", "resnet50"])
def test_other_geometries_are_split_too(backbone, stage):
    """With a pool in the stem, stages of several blocks, and bottlenecks."""
    geometry = config.ModelConfig(
        backbone=backbone, resnet_blocks=(2, 1, 2, 1), base_width=4, stem="imagenet"
    )
    model = resnet.build_resnet(geometry, num_classes=3, image_size=32, channels=1)
    images = np.random.default_rng(0).normal(size=(2, 32, 32, 1)).astype(np.float32)
    _assert_split(model, stage, images)
