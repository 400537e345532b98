import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ss_tf.deltas import float_planes
from ss_tf.deltas.float_planes import Form

NAMES = ("floats/bn1/gamma", "floats/bn2/gamma", "floats/bn1/beta", "scales/fc/kernel", "plain")


def _draw_tensor(draw, shape):
    """Draws any bits: nan of any payload, infinities, -0 and subnormal numbers included."""
    num_bytes = 4 * math.prod(shape)
    bits = np.frombuffer(draw(st.binary(min_size=num_bytes, max_size=num_bytes)), np.uint32)
    # Numbers without their last bytes too, as bfloat16 is.
    mask = draw(st.sampled_from([0xFFFFFFFF, 0xFFFFFF00, 0xFFFF0000, 0xFF000000, 0]))
    return (bits & np.uint32(mask)).view(np.float32).reshape(shape)


def _slow_join(planes, forms, *, shapes, base):
    """Reads one number after another, in Python's integers, as the module's docstring says."""
    readers = [iter(plane.tolist()) for plane in planes]
    kinds = sorted({name.split("/")[-1] for name in shapes})
    tensors = {}
    for name in sorted(shapes, key=lambda name: (name.split("/")[-1], name)):
        kept, is_relative = forms[kinds.index(name.split("/")[-1])]
        same = base[name].shape == shapes[name]
        base_bits = base[name].view(np.uint32).ravel().tolist() if same else None
        numbers = []
        for i in range(math.prod(shapes[name])):
            number = int.from_bytes([next(reader) for reader in readers[4 - kept :]], "little")
            if is_relative:
                difference = number // 2 if number % 2 == 0 else -(number + 1) // 2
                dropped = (base_bits[i] if same else 0) >> 8 * (4 - kept)
                number = (dropped + difference) % 2 ** (8 * kept)
            numbers.append(number << 8 * (4 - kept))
        tensors[name] = np.array(numbers, np.uint32).view(np.float32).reshape(shapes[name])
    assert all(next(reader, None) is None for reader in readers)
    return tensors


def assert_same_bits(ones, others):
    assert ones.keys() == others.keys()
    for name in ones:
        assert ones[name].dtype == others[name].dtype == np.float32
        assert ones[name].shape == others[name].shape
        assert ones[name].tobytes() == others[name].tobytes()


@settings(max_examples=30, deadline=None)
@given(data=st.data())
def test_join_undoes_split_for_any_bits_and_shapes(data):
    shapes = st.sampled_from([(), (0,), (1,), (3,), (2, 2)])
    names = data.draw(st.lists(st.sampled_from(NAMES), unique=True))
    tensors = {name: _draw_tensor(data.draw, data.draw(shapes)) for name in names}
    base = {name: _draw_tensor(data.draw, data.draw(shapes)) for name in names}
    forms, planes = float_planes.split(tensors, base)
    kept_shapes = {name: tensor.shape for name, tensor in tensors.items()}
    assert [plane.size for plane in planes] == float_planes.plane_sizes(kept_shapes, forms)
    for join in (float_planes.join, _slow_join):
        assert_same_bits(join(planes, forms, shapes=kept_shapes, base=base), tensors)


@settings(max_examples=30, deadline=None)
@given(data=st.data())
def test_any_planes_and_forms_are_read_as_described(data):
    shapes = {"floats/bn1/gamma": (3,), "floats/bn2/gamma": (2,), "floats/bn1/beta": (2,)}
    form = st.builds(Form, st.integers(1, 4), st.booleans())
    forms = [data.draw(form), data.draw(form)]
    base = {name: _draw_tensor(data.draw, (3,)) for name in shapes}
    planes = [
        np.frombuffer(data.draw(st.binary(min_size=size, max_size=size)), np.uint8)
        for size in float_planes.plane_sizes(shapes, forms)
    ]
    assert_same_bits(
        float_planes.join(planes, forms, shapes=shapes, base=base),
        _slow_join(planes, forms, shapes=shapes, base=base),
    )


def test_kinds_are_the_last_parts_of_names_sorted():
    names = ["floats/b/gamma", "floats/a/gamma", "floats/a/beta", "scales/a/kernel", "x"]
    assert float_planes.by_kind(names) == [
        ["floats/a/beta"],
        ["floats/a/gamma", "floats/b/gamma"],
        ["scales/a/kernel"],
        ["x"],
    ]
    assert float_planes.by_kind([]) == []


@pytest.mark.parametrize(
    ("last_bits", "kept_bytes"), [(0, 1), (1 << 16, 2), (1 << 8, 3), (1, 4), (0x0100_0001, 4)]
)
def test_bytes_that_are_zero_everywhere_are_left_out(last_bits, kept_bytes):
    bits = np.array([0x4000_0000, 0x4100_0000, 0xC000_0000 | last_bits], np.uint32)
    forms, planes = float_planes.split(
        {"gamma": bits.view(np.float32)}, {"gamma": np.zeros(3, np.float32)}
    )
    assert forms[0].kept_bytes == kept_bytes
    assert [plane.size for plane in planes] == [0] * (4 - kept_bytes) + [3] * kept_bytes


def test_what_is_near_the_base_is_stored_relative_to_it_and_small():
    rng = np.random.default_rng(0)
    base = rng.normal(size=400).astype(np.float32)
    near = (base.view(np.uint32) + rng.integers(-3, 4, 400).astype(np.uint32)).view(np.float32)
    forms, planes = float_planes.split({"gamma": near}, {"gamma": base})
    assert forms == [Form(4, True)]
    # -3..3 are folded to 5, 3, 1, 0, 2, 4, 6.
    assert planes[0].max() == 6
    assert not np.any(planes[1:])
    far = rng.permutation(base)
    assert float_planes.split({"gamma": far}, {"gamma": base})[0] == [Form(4, False)]


def test_a_base_of_another_shape_counts_as_zeros():
    bits = np.array([[1, 2, 3]], np.uint32)
    tensors, shapes = {"bias": bits.view(np.float32)}, {"bias": (1, 3)}
    base = {"bias": np.ones(3, np.float32)}
    planes = [np.array([2, 4, 6], np.uint8), *[np.zeros(3, np.uint8)] * 3]
    assert_same_bits(float_planes.join(planes, [Form(4, True)], shapes=shapes, base=base), tensors)


def test_tensors_in_any_layout_are_read_in_order_and_left_alone():
    tensor = np.arange(12, dtype=np.float32).reshape(3, 4)
    views = {"gamma": tensor.T, "beta": tensor[::2]}
    before = tensor.copy()
    forms, planes = float_planes.split(views, {name: view.copy() for name, view in views.items()})
    shapes = {name: view.shape for name, view in views.items()}
    restored = float_planes.join(planes, forms, shapes=shapes, base=views)
    assert_same_bits(restored, views)
    for array in restored.values():
        array[...] = -1
    assert_same_bits({"tensor": tensor}, {"tensor": before})
