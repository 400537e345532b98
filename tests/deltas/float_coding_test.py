import hypothesis
import numpy as np
import pytest
from hypothesis import strategies as st

from ss_tf.deltas import float_coding, float_delta


def _delta(*, num_classes=7, sizes=(4, 8), seed=0):
    """Returns a base and a delta to it."""
    rng = np.random.default_rng(seed)

    def network(classes):
        return {
            "conv1/kernel": rng.normal(size=(3, 3, *sizes)).astype(np.float32),
            "bn1/gamma": rng.normal(size=sizes[-1]).astype(np.float32),
            "scalar": np.float32(rng.normal()).reshape(()),
            "fc/kernel": rng.normal(size=(4, classes)).astype(np.float32),
            "fc/bias": rng.normal(size=classes).astype(np.float32),
        }

    base = network(5)
    return base, float_delta.quantize(base, network(num_classes), relative_step=0.3)


def _assert_same(one, other):
    for group in ("steps", "exponents", "exact"):
        ones, others = getattr(one, group), getattr(other, group)
        assert ones.keys() == others.keys()
        for name in ones:
            np.testing.assert_array_equal(ones[name], others[name], strict=True)


@pytest.mark.parametrize("num_classes", [1, 5, 12])
@pytest.mark.parametrize("sizes", [(4, 8), (0, 2)])
def test_decode_restores_every_bit(num_classes, sizes):
    base, delta = _delta(num_classes=num_classes, sizes=sizes)
    _assert_same(float_coding.decode(float_coding.encode(delta), base=base), delta)


def test_a_delta_of_nothing_is_restored():
    delta = float_delta.quantize({}, {}, relative_step=1)
    _assert_same(float_coding.decode(float_coding.encode(delta), base={}), delta)


def test_few_kinds_of_steps_take_few_bytes():
    rng = np.random.default_rng(0)
    base = {"conv1/kernel": rng.normal(size=(3, 3, 64, 128)).astype(np.float32)}
    change = rng.laplace(scale=0.05, size=(3, 3, 64, 128)).astype(np.float32)
    sub = {"conv1/kernel": base["conv1/kernel"] + change}
    delta = float_delta.quantize(base, sub, relative_step=0.1)
    steps = delta.steps["conv1/kernel"]
    shares = np.unique(steps, return_counts=True)[1] / steps.size
    entropy_bytes = -np.sum(shares * np.log2(shares)) * steps.size / 8
    # The exponents of 128 channels, the header and what the code loses.
    assert entropy_bytes <= len(float_coding.encode(delta)) <= 1.1 * entropy_bytes + 200


@hypothesis.given(st.data())
@hypothesis.settings(max_examples=50, deadline=None)
def test_damage_is_refused_or_changes_nothing_but_values(data):
    """The bytes carry no digest: what is damaged must not crash, and keeps its shapes."""
    base, delta = _delta()
    whole = float_coding.encode(delta)
    place = data.draw(st.integers(0, len(whole) - 1))
    damaged = bytearray(whole)
    damaged[place] ^= data.draw(st.integers(1, 255))
    try:
        decoded = float_coding.decode(bytes(damaged), base=base)
    except ValueError:
        return
    assert decoded.steps["conv1/kernel"].shape == (3, 3, 4, 8)


@pytest.mark.parametrize("kept", [0, 7, 15, 40])
def test_truncated_bytes_are_refused(kept):
    base, delta = _delta()
    with pytest.raises(ValueError, match=r"A float delta .*bytes"):
        float_coding.decode(float_coding.encode(delta)[:kept], base=base)


def test_bytes_of_another_base_are_refused():
    _, delta = _delta()
    other, _ = _delta(sizes=(4, 9))
    with pytest.raises(ValueError, match="bytes, expected"):
        float_coding.decode(float_coding.encode(delta), base=other)
