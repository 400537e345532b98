import fractions

import hypothesis
import hypothesis.extra.numpy as hypothesis_numpy
import numpy as np
import pytest
from hypothesis import strategies as st

from ss_tf.deltas import float_delta

_KERNEL = "conv1/kernel"
_SHAPES = st.sampled_from([(3, 3, 2, 2), (1, 1, 3, 2), (7, 1, 1, 1), (3, 3, 0, 2), (0, 3, 2, 2)])
_FINITE = st.floats(width=32, allow_nan=False, allow_infinity=False)


def _networks(shape=(3, 3, 4, 8), *, spread=0.1, seed=0):
    """Returns base and sub network: a kernel, batch norm, and heads of 5 and 7 classes."""
    rng = np.random.default_rng(seed)
    base = {
        _KERNEL: rng.normal(size=shape).astype(np.float32),
        "bn1/gamma": rng.normal(size=shape[-1]).astype(np.float32),
        "fc/kernel": rng.normal(size=(4, 5)).astype(np.float32),
        "fc/bias": rng.normal(size=5).astype(np.float32),
    }
    change = rng.normal(scale=spread, size=shape).astype(np.float32)
    sub = {
        _KERNEL: base[_KERNEL] + change,
        "bn1/gamma": base["bn1/gamma"] + np.float32(1e-6),
        "fc/kernel": rng.normal(size=(4, 7)).astype(np.float32),
        "fc/bias": rng.normal(size=7).astype(np.float32),
    }
    return base, sub


def _of_kernel(kernel):
    return {_KERNEL: np.asarray(kernel, np.float32)}


@st.composite
def _any_networks(draw):
    shape = draw(_SHAPES)
    arrays = hypothesis_numpy.arrays(np.float32, shape, elements=_FINITE)
    return _of_kernel(draw(arrays)), _of_kernel(draw(arrays))


@hypothesis.given(_any_networks(), st.sampled_from([1e-30, 0.01, 0.3, 1.0, 1e30]))
@hypothesis.settings(max_examples=40, deadline=None)
def test_no_weight_is_further_off_than_stated(networks, relative_step):
    base, sub = networks
    delta = float_delta.quantize(base, sub, relative_step=relative_step)
    restored = float_delta.restore(base, delta)[_KERNEL]
    for index, value in np.ndenumerate(restored):
        # Fractions: the oracle rounds nothing.
        got, wanted = (
            fractions.Fraction(float(value)),
            fractions.Fraction(float(sub[_KERNEL][index])),
        )
        step = fractions.Fraction(2) ** int(delta.exponents[_KERNEL][index[-1]])
        rounding = abs(got) / 2**24 + fractions.Fraction(1, 2**150)
        assert abs(got - wanted) <= step * (1 + fractions.Fraction(1, 2**30)) + rounding


@pytest.mark.parametrize("relative_step", [2, 0.5, 0.1])
def test_errors_of_each_plane_cancel(relative_step):
    base, sub = _networks()
    delta = float_delta.quantize(base, sub, relative_step=relative_step)
    error = float_delta.restore(base, delta)[_KERNEL].astype(np.float64) - sub[_KERNEL]
    step = np.ldexp(1.0, delta.exponents[_KERNEL].astype(int))
    assert np.all(np.abs(error.sum((0, 1))) <= step * 0.5 + 1e-5)
    # Were they independent, they would sum up to 1.2 steps, root mean square, over nine weights.
    assert np.abs(error.sum((0, 1)) / step).max() > 0.3


def test_weights_are_rounded_as_by_hand():
    # Differences of 0.6, 0.6, 0.6, -1.4 steps of 1; sums 0.6, 1.2, 1.8, 0.4 round to 1, 1, 2, 0.
    sub = _of_kernel(np.reshape([0.6, 0.6, 0.6, -1.4], (2, 2, 1, 1)))
    base = _of_kernel(np.zeros((2, 2, 1, 1)))
    # Standard deviation sqrt(0.75) = 0.866: 1.2 times it is 1.04, and 1 the power of two below.
    delta = float_delta.quantize(base, sub, relative_step=1.2)
    assert delta.exponents[_KERNEL] == [0]
    assert delta.steps[_KERNEL].ravel().tolist() == [1, 0, 1, -2]
    assert float_delta.restore(base, delta)[_KERNEL].ravel().tolist() == [1, 0, 1, -2]


def test_a_kernel_of_a_quarter_of_the_size_has_half_the_step():
    rng = np.random.default_rng(0)
    signs = {"large/kernel": (2, 2, 4, 4), "small/kernel": (2, 2, 4, 1)}
    sub = {n: np.sign(rng.normal(size=shape)).astype(np.float32) for n, shape in signs.items()}
    base = {name: np.zeros_like(kernel) for name, kernel in sub.items()}
    # Each channel has as many weights of 1 as of -1, so a standard deviation of 1.
    for kernel in sub.values():
        kernel[0], kernel[1] = 1, -1
    delta = float_delta.quantize(base, sub, relative_step=0.5)
    assert delta.exponents["large/kernel"].tolist() == [-1] * 4
    assert delta.exponents["small/kernel"].tolist() == [-2]


def test_a_large_difference_widens_the_step_until_it_fits():
    base, sub = _networks(spread=0)
    sub[_KERNEL][0, 0, 0, 3] += 1000
    delta = float_delta.quantize(base, sub, relative_step=1e-3)
    # 1000 / 126 = 7.94, and 8 is the power of two above.
    assert delta.exponents[_KERNEL][3] == 3
    assert abs(delta.steps[_KERNEL][0, 0, 0, 3]) == 125
    assert delta.exponents[_KERNEL][2] < 0


def test_no_difference_is_no_step_and_gives_the_base():
    base, _ = _networks()
    delta = float_delta.quantize(base, base, relative_step=0.3)
    assert not delta.steps[_KERNEL].any()
    np.testing.assert_array_equal(float_delta.restore(base, delta)[_KERNEL], base[_KERNEL])


def test_channels_of_equal_weights_are_restored():
    base = _of_kernel(np.full((3, 3, 2, 2), 0.25))
    sub = _of_kernel(np.full((3, 3, 2, 2), 0.75))
    restored = float_delta.restore(base, float_delta.quantize(base, sub, relative_step=0.3))
    # Without a spread, 126 steps reach the difference.
    np.testing.assert_allclose(restored[_KERNEL], 0.75, atol=2**-7)


def test_all_but_convolutions_comes_back_exactly_and_nothing_is_modified():
    base, sub = _networks()
    before = {name: tensor.copy() for name, tensor in {**base, **sub}.items()}
    restored = float_delta.restore(base, float_delta.quantize(base, sub, relative_step=0.3))
    assert restored.keys() == sub.keys()
    for name in ("bn1/gamma", "fc/kernel", "fc/bias"):
        np.testing.assert_array_equal(restored[name], sub[name], strict=True)
    for name, tensor in {**base, **sub}.items():
        np.testing.assert_array_equal(tensor, before[name])


def test_smaller_steps_are_nearer_and_use_more_values():
    base, sub = _networks((3, 3, 16, 32))
    errors, kinds = [], []
    for relative_step in (0.4, 0.1, 0.025):
        delta = float_delta.quantize(base, sub, relative_step=relative_step)
        errors.append(np.abs(float_delta.restore(base, delta)[_KERNEL] - sub[_KERNEL]).max())
        kinds.append(len(np.unique(delta.steps[_KERNEL])))
    assert errors == sorted(errors, reverse=True)
    assert kinds == sorted(kinds)


def test_networks_without_tensors_have_an_empty_delta():
    delta = float_delta.quantize({}, {}, relative_step=1)
    assert float_delta.restore({}, delta) == {}


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("owner", ["base", "sub network"])
@pytest.mark.parametrize("name", [_KERNEL, "fc/bias"])
def test_numbers_that_are_not_finite_are_refused_by_name(owner, name, value):
    base, sub = _networks()
    (base if owner == "base" else sub)[name].flat[1] = value
    with pytest.raises(ValueError, match=rf"'{name}' of the {owner} holds {value}, expected"):
        float_delta.quantize(base, sub, relative_step=0.3)


@pytest.mark.parametrize(
    ("name", "tensor", "message"),
    [
        (_KERNEL, np.zeros((3, 3, 4, 8)), "of the sub network is float64, expected float32"),
        (_KERNEL, np.zeros((3, 3, 4, 9), np.float32), r"shape \(3, 3, 4, 9\), expected the base's"),
        ("fc/kernel", np.zeros((5, 7), np.float32), r"has shape \(5, 7\), expected .*classes"),
        ("fc/bias", np.zeros(6, np.float32), "'fc/bias': 6} classes, expected one number"),
        ("new", np.zeros(2, np.float32), "'new' of the sub network is missing from the base"),
    ],
)
def test_networks_that_do_not_match_are_refused_by_name(name, tensor, message):
    base, sub = _networks()
    with pytest.raises(ValueError, match=message):
        float_delta.quantize(base, {**sub, name: tensor}, relative_step=0.3)


def test_a_missing_tensor_is_refused_by_name():
    base, sub = _networks()
    del sub["bn1/gamma"]
    with pytest.raises(ValueError, match="'bn1/gamma' of the base is missing from the sub network"):
        float_delta.quantize(base, sub, relative_step=0.3)


def test_a_delta_to_another_shape_is_refused_by_name():
    base, sub = _networks()
    delta = float_delta.quantize(base, sub, relative_step=0.3)
    other, _ = _networks((3, 3, 4, 9))
    with pytest.raises(ValueError, match=r"conv1/kernel' has shape \(3, 3, 4, 8\), expected"):
        float_delta.restore(other, delta)
    del other[_KERNEL]
    with pytest.raises(ValueError, match="'conv1/kernel' of the delta is missing from the base"):
        float_delta.restore(other, delta)


@pytest.mark.parametrize("relative_step", [0, -1, np.inf, np.nan])
def test_a_step_that_is_no_positive_number_is_refused(relative_step):
    with pytest.raises(ValueError, match=rf"relative_step is {relative_step}, expected a positive"):
        float_delta.quantize(*_networks(), relative_step=relative_step)
