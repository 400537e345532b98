import dataclasses

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from ss_tf.deltas import entry as entries
from ss_tf.models import integer_network


def _pack(base, sub, *codec_names):
    return entries.pack(
        "bird", base=base, sub=sub, codec_names=codec_names or entries.DEFAULT_CODECS
    )


def _changed(network, group, **tensors):
    """Returns the network with some tensors replaced."""
    renamed = {name.replace("__", "/"): tensor for name, tensor in tensors.items()}
    return dataclasses.replace(network, **{group: getattr(network, group) | renamed})


@pytest.mark.parametrize("num_classes", [1, 3, 7])
def test_unpack_restores_the_network_bit_for_bit(
    codec, num_classes, make_network, make_near, assert_same_network
):
    base = make_network(0, num_classes=3)
    for sub in (
        make_network(1, num_classes=num_classes),
        make_near(base, 1, num_classes=num_classes),
    ):
        assert_same_network(entries.unpack(_pack(base, sub, codec), base=base), sub)


def test_several_codecs_share_an_entry_and_the_smallest_wins(make_network, make_near):
    base = make_network(0, num_classes=3)
    sub = make_near(base, 1, num_classes=3)
    entry = _pack(base, sub)
    assert set(entry.pools) <= set(entries.DEFAULT_CODECS)
    alone = [_pack(base, sub, name) for name in entries.DEFAULT_CODECS]
    sizes = [sum(map(len, one.pools.values())) for one in alone]
    assert sum(map(len, entry.pools.values())) <= min(sizes)


_FLOATS = st.floats(width=32, allow_nan=False, allow_infinity=False)  # -0 included
_KERNELS = st.integers(-127, 127)


@pytest.mark.filterwarnings("error")
@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_any_two_networks_of_one_geometry_are_restored(data, assert_same_network):
    shape = data.draw(hnp.array_shapes(min_dims=4, max_dims=4, min_side=0, max_side=3))

    def draw():
        classes = data.draw(st.integers(1, 4))
        return integer_network.IntegerNetwork(
            kernels={
                "conv1/kernel": data.draw(hnp.arrays(np.int8, shape, elements=_KERNELS)),
                "fc/kernel": data.draw(hnp.arrays(np.int8, (2, classes), elements=_KERNELS)),
            },
            scales={
                "conv1/kernel": data.draw(hnp.arrays(np.float32, shape[-1], elements=_FLOATS)),
                "fc/kernel": data.draw(hnp.arrays(np.float32, (), elements=_FLOATS)),
            },
            floats={
                "bn1/gamma": data.draw(hnp.arrays(np.float32, shape[-1], elements=_FLOATS)),
                "fc/bias": data.draw(hnp.arrays(np.float32, classes, elements=_FLOATS)),
                "image/output_max": data.draw(hnp.arrays(np.float32, (), elements=_FLOATS)),
            },
            metadata=data.draw(st.dictionaries(st.text(max_size=3), st.text(max_size=3))),
        )

    base, sub = draw(), draw()
    assert_same_network(entries.unpack(_pack(base, sub), base=base), sub)


def test_the_base_itself_takes_no_residuals(make_network, assert_same_network):
    base = make_network(0, num_classes=3)
    entry = _pack(base, base)
    assert entry.own_scales == []
    # Every byte of both convolutions' residuals is 0.
    assert entry.kernels == [(None, [1, [0]])] * 2
    assert_same_network(entries.unpack(entry, base=base), base)


def test_streams_hold_what_the_base_does_not_tell(make_network):
    base = make_network(0, num_classes=3)
    sub = make_network(1, num_classes=5)
    entry = _pack(base, sub, "raw")
    assert entry.num_classes == 5
    # The convolutions' scales are equal in both; the head's is drawn.
    assert entry.own_scales == ["fc/kernel"]
    # Uniform residuals and weights: there is nothing to gain.
    assert entry.kernels == [(None, 0)] * 2
    assert entry.head == 0
    differences = [
        (sub.kernels[name].astype(int) - base.kernels[name].astype(int)).ravel() % 256
        for name in ("conv1/kernel", "layer1.0.conv1/kernel")
    ]
    head = sub.kernels["fc/kernel"].tobytes()
    assert entry.pools["raw"].startswith(bytes(np.concatenate(differences).tolist()) + head)


def test_sequences_have_names_and_lengths(make_network, make_near):
    base = make_network(0, num_classes=3)
    entry = _pack(base, make_near(base, 1, num_classes=5))
    found = {name: length for name, _, length in entries.sequences(entry, base=base)}
    # 3 x 3 x 1 x 4, 3 x 3 x 4 x 8 and 8 x 5 weights; the first plane has the least significant
    # bytes, and 4 + 5 + 1 floats have a most significant one.
    expected = {"conv1/kernel": 36, "layer1.0.conv1/kernel": 288, "fc/kernel": 40, "floats:3": 10}
    assert expected.items() <= found.items()
    levels = {"conv1/kernel:levels", "layer1.0.conv1/kernel:levels"}
    assert found.keys() - expected.keys() - levels == {"floats:0", "floats:1", "floats:2"}


@pytest.mark.parametrize("log_spread", [0, 2])
def test_channels_are_sorted_where_it_pays(log_spread, make_network, assert_same_network):
    network = make_network(0, num_classes=3)
    base = dataclasses.replace(
        network,
        kernels={**network.kernels, "conv1/kernel": np.zeros((3, 3, 64, 64), np.int8)},
        scales={**network.scales, "conv1/kernel": np.ones(64, np.float32)},
    )
    rng = np.random.default_rng(0)
    residuals = np.rint(rng.normal(size=(3, 3, 64, 64)) * rng.lognormal(0, log_spread, 64))
    sub = _changed(base, "kernels", conv1__kernel=residuals.clip(-127, 127).astype(np.int8))
    entry = _pack(base, sub)
    assert (entry.kernels[0][0] is not None) == (log_spread > 0)
    assert_same_network(entries.unpack(entry, base=base), sub)


def test_scales_that_differ_are_restored(make_network, assert_same_network):
    base = make_network(0, num_classes=3)
    sub = make_network(1, num_classes=3, scale=0.25)
    entry = _pack(base, sub)
    assert entry.own_scales == ["conv1/kernel", "fc/kernel", "layer1.0.conv1/kernel"]
    assert_same_network(entries.unpack(entry, base=base), sub)


@pytest.mark.parametrize(
    ("base_scales", "sub_scales"),
    [([1.0, 2.0, 3.0, 4.0], [4.0, 3.0, 2.0, 1.0]), ([0.0] * 4, [-0.0] * 4)],
)
def test_scales_that_differ_in_order_or_sign_of_zero_are_restored(
    base_scales, sub_scales, make_network, assert_same_network
):
    network = make_network(0, num_classes=3)
    base = _changed(network, "scales", conv1__kernel=np.array(base_scales, np.float32))
    sub = _changed(network, "scales", conv1__kernel=np.array(sub_scales, np.float32))
    assert_same_network(entries.unpack(_pack(base, sub), base=base), sub)


def test_restored_tensors_can_be_written_without_changing_the_base(make_network):
    base = make_network(0, num_classes=3)
    before = integer_network.digest(base)
    restored = entries.unpack(_pack(base, make_network(1, num_classes=3)), base=base)
    for tensor in (*restored.kernels.values(), *restored.floats.values()):
        tensor[...] = 1
    assert integer_network.digest(base) == before


def test_another_base_is_refused(make_network):
    entry = _pack(make_network(0, num_classes=3), make_network(1, num_classes=3))
    other = make_network(2, num_classes=3)
    with pytest.raises(ValueError, match=f"belongs to the base.*{entry.base[:16]}"):
        entries.unpack(entry, base=other)


def test_a_wrong_result_is_refused(make_network):
    base = make_network(0, num_classes=3)
    one, other = (_pack(base, make_network(seed, num_classes=3), "raw") for seed in (1, 2))
    mixed = dataclasses.replace(other, network=one.network)
    with pytest.raises(ValueError, match=f"gives network .* expected {one.network[:16]}"):
        entries.unpack(mixed, base=base)


_FORGED = {
    "kernels": ([], "holds 0 kernels, expected 2"),
    "forms": ([], "holds floats of 0 kinds"),
    "own_scales": (["x"], "'x' is stored, but the base has no such kernel"),
    "head": (7, "is in pool 7, expected one of 1"),
    "planes": ([[17, [0], 0]] * 4, "radix is 17, expected 2..16"),
    "pools": ({"later": b""}, "Unknown codec 'later'"),
}


@pytest.mark.parametrize("field", _FORGED)
def test_what_does_not_fit_the_base_is_refused(field, make_network):
    base = make_network(0, num_classes=3)
    entry = _pack(base, make_network(1, num_classes=3), "raw")
    value, match = _FORGED[field]
    with pytest.raises(ValueError, match=match):
        entries.unpack(dataclasses.replace(entry, **{field: value}), base=base)


@pytest.mark.parametrize(
    "tree",
    [
        -1,
        10**100,
        [],
        [1],
        [1, []],
        [1, [256]],
        [1, [-1]],
        [1, [True]],
        [1, [0, 1]],
        [2, [0]],
        [1.0, [0]],
        [2, [0, 1, 2], 0],
        [2, {}, 0],
        [2, [0], 0, -1, 0],
        [2, [0], 0, 289, 0],
        [2, [0], 0, 10**100, 0],
        [2, [0], [1, [255]], 5, [1, [9]]],
        [2, [0], None],
        [2, [0], [2, [0], [2, [0], [2, [0], [2, [0], [2, [0], 0]]]]]],
    ],
)
def test_hostile_trees_are_refused(tree, make_network):
    base = make_network(0, num_classes=3)
    entry = _pack(base, make_network(1, num_classes=3), "raw")
    forged = dataclasses.replace(entry, kernels=[entry.kernels[0], (None, tree)])
    expected = r"described by|radix is|alphabet is|escapes|in pool|follow"
    with pytest.raises(ValueError, match=expected) as refusal:
        entries.unpack(forged, base=base)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize("num_classes", [-1, 0, 1 << 21])
def test_a_forged_width_is_refused_before_it_takes_memory(num_classes, make_network):
    base = make_network(0, num_classes=3)
    entry = dataclasses.replace(_pack(base, base), num_classes=num_classes)
    with pytest.raises(ValueError, match=f"{num_classes} classes, expected 1.."):
        entries.unpack(entry, base=base)


def test_networks_that_do_not_match_are_refused_by_name(make_network):
    base = make_network(0, num_classes=3)
    longer = _changed(base, "floats", bn2__gamma=np.zeros(4, np.float32))
    with pytest.raises(ValueError, match="'floats/bn2/gamma' is missing from the base"):
        _pack(base, longer)


def test_unknown_codec_is_refused(make_network):
    base = make_network(0, num_classes=3)
    with pytest.raises(ValueError, match="Unknown codec 'lz4'"):
        _pack(base, base, "lz4")
