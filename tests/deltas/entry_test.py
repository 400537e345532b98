import dataclasses

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from ss_tf.deltas import codecs
from ss_tf.deltas import entry as entries
from ss_tf.models import integer_network

CODEC = "zlib-huffman"


def _pack(base, sub, codec=CODEC):
    return entries.pack("bird", base=base, sub=sub, codec=codec)


def _changed(network, group, **tensors):
    """Returns the network with some tensors replaced."""
    renamed = {name.replace("__", "/"): tensor for name, tensor in tensors.items()}
    return dataclasses.replace(network, **{group: getattr(network, group) | renamed})


@pytest.mark.parametrize("codec", sorted(codecs.CODECS))
@pytest.mark.parametrize("num_classes", [1, 3, 7])
def test_unpack_restores_the_network_bit_for_bit(
    codec, num_classes, make_network, assert_same_network
):
    base = make_network(0, num_classes=3)
    sub = make_network(1, num_classes=num_classes)
    assert_same_network(entries.unpack(_pack(base, sub, codec), base=base), sub)


_FLOATS = st.floats(width=32)  # nan, -0 and infinities included
_KERNELS = st.integers(-127, 127)


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


def test_the_base_itself_is_restored_from_residuals_of_zero(make_network, assert_same_network):
    base = make_network(0, num_classes=3)
    entry = _pack(base, base)
    assert entry.own_scales == []
    # 36 + 288 weights of the two convolutions.
    assert codecs.decode(CODEC, entry.residuals, size=324) == bytes(324)
    assert_same_network(entries.unpack(entry, base=base), base)


def test_payloads_hold_what_the_base_does_not_tell(make_network):
    base = make_network(0, num_classes=3)
    sub = make_network(1, num_classes=5)
    entry = _pack(base, sub)
    assert entry.num_classes == 5
    # The convolutions' scales are equal in both; the head's is drawn.
    assert entry.own_scales == ["fc/kernel"]
    difference = [
        (sub.kernels[name].astype(int) - base.kernels[name].astype(int)) % 256
        for name in ("conv1/kernel", "layer1.0.conv1/kernel")
    ]
    assert codecs.decode(CODEC, entry.residuals, size=324) == bytes(
        np.concatenate([values.ravel() for values in difference]).tolist()
    )
    # Floats 4 + 5 + 1, int8 head 8 x 5, one scale.
    whole = codecs.decode(CODEC, entry.whole, size=4 * 10 + 40 + 4)
    assert whole == b"".join(
        tensor.tobytes()
        for tensor in (
            sub.floats["bn1/gamma"],
            sub.floats["fc/bias"],
            sub.floats["fc/output_max"],
            sub.kernels["fc/kernel"],
            sub.scales["fc/kernel"],
        )
    )


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
    with pytest.raises(ValueError, match=f"belongs to the base.*{entry.base_digest[:16]}"):
        entries.unpack(entry, base=other)


def test_a_wrong_result_is_refused(make_network):
    base = make_network(0, num_classes=3)
    one, other = _pack(base, make_network(1, num_classes=3)), _pack(base, base)
    mixed = dataclasses.replace(one, residuals=other.residuals)
    with pytest.raises(ValueError, match=f"gives network .* expected {one.network_digest[:16]}"):
        entries.unpack(mixed, base=base)


@pytest.mark.parametrize("num_classes", [-1, 0, 1 << 21])
def test_a_forged_width_is_refused_before_it_takes_memory(num_classes, make_network):
    base = make_network(0, num_classes=3)
    entry = dataclasses.replace(_pack(base, base), num_classes=num_classes)
    with pytest.raises(ValueError, match=f"{num_classes} classes, expected 1.."):
        entries.unpack(entry, base=base)


def test_networks_with_other_tensors_are_refused_by_name(make_network):
    base = make_network(0, num_classes=3)
    longer = _changed(base, "floats", bn2__gamma=np.zeros(4, np.float32))
    with pytest.raises(ValueError, match="'floats/bn2/gamma' is missing from the base"):
        _pack(base, longer)
    with pytest.raises(ValueError, match="'floats/bn2/gamma' is missing from the sub network"):
        _pack(longer, base)


def test_tensors_of_another_shape_are_refused_by_name(make_network):
    base = make_network(0, num_classes=3)
    wider = _changed(base, "floats", bn1__gamma=np.zeros(5, np.float32))
    with pytest.raises(ValueError, match=r"bn1/gamma'.*\(5,\).*\(4,\)"):
        _pack(base, wider)
    torn = _changed(base, "floats", fc__bias=np.zeros(2, np.float32))
    with pytest.raises(ValueError, match=r"fc/bias'.*\(2,\).*\(3,\)"):
        _pack(base, torn)
    deeper = _changed(base, "kernels", conv1__kernel=np.zeros((3, 3, 2, 4), np.int8))
    with pytest.raises(ValueError, match=r"conv1/kernel'.*\(3, 3, 2, 4\).*\(3, 3, 1, 4\)"):
        _pack(base, deeper)


def test_networks_without_a_head_are_refused():
    headless = integer_network.IntegerNetwork({}, {}, {}, {})
    with pytest.raises(ValueError, match="'fc/kernel' is missing"):
        _pack(headless, headless)


def test_unknown_codec_is_refused(make_network):
    base = make_network(0, num_classes=3)
    with pytest.raises(ValueError, match="Unknown codec 'lz4'"):
        _pack(base, base, codec="lz4")
