import collections
import concurrent.futures
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from ss_tf.routing.packed_sub import Restored
from ss_tf.routing.sub_cache import SubCache

NUM_FEATURES = 3
FIELDS = ("kernels", "floats", "head", "bias")


class CachedCounting(tf.Module):
    """A cache of made-up sub networks: all values are the superclass, and one more class each."""

    def __init__(self, num_slots):
        super().__init__()
        self.cache = SubCache(num_slots, num_features=NUM_FEATURES)
        self.look_up = tf.function(self._look_up, input_signature=[tf.TensorSpec([], tf.int32)])
        self.look_up_twice = tf.function(
            self._look_up_twice, input_signature=[tf.TensorSpec([2], tf.int32)]
        )

    def _look_up(self, superclass):
        restored = self.cache.get(superclass, lambda: self._restore(superclass))
        return {name: getattr(restored, name) for name in FIELDS}

    def _look_up_twice(self, superclasses):
        return self._look_up(superclasses[0]), self._look_up(superclasses[1])

    def _restore(self, superclass):
        classes = superclass + 1
        return Restored(
            kernels=tf.fill([4096], tf.cast(superclass, tf.int8)),
            floats=tf.fill([64], tf.cast(superclass, tf.float32)),
            head=tf.fill([NUM_FEATURES, classes], tf.cast(superclass, tf.int8)),
            bias=tf.fill([classes], tf.cast(superclass, tf.float32)),
        )


class Model:
    """What a cache should do, in plain Python."""

    def __init__(self, num_slots):
        self.num_slots, self.hits, self.misses = num_slots, 0, 0
        self.held = collections.OrderedDict()

    def look_up(self, superclass):
        if superclass in self.held:
            self.hits += 1
            self.held.move_to_end(superclass)
            return
        self.misses += 1
        if len(self.held) == self.num_slots:
            self.held.popitem(last=False)
        self.held[superclass] = True


def _check(tensors, superclass):
    shapes = {"kernels": 4096, "floats": 64, "head": (NUM_FEATURES, superclass + 1)}
    for name, tensor in tensors.items():
        dtype = np.int8 if name in ("kernels", "head") else np.float32
        expected = np.full(shapes.get(name, superclass + 1), superclass, dtype)
        np.testing.assert_array_equal(tensor, expected, strict=True)


def _counts(cache):
    return int(cache.hits), int(cache.misses)


_CACHES = {}


@pytest.mark.parametrize("num_slots", [1, 2, 3])
@settings(max_examples=15, deadline=None)
@given(sequence=st.lists(st.integers(0, 4), max_size=20))
def test_what_stays_is_what_was_used_last(num_slots, sequence):
    cached, model = _CACHES.setdefault(num_slots, (CachedCounting(num_slots), Model(num_slots)))
    for superclass in sequence:
        model.look_up(superclass)
        _check(cached.look_up(superclass), superclass)
        assert _counts(cached.cache) == (model.hits, model.misses)
        assert set(cached.cache._held.numpy()) - {-1} == set(model.held)
    assert cached.look_up.experimental_get_tracing_count() <= 1


def test_a_hit_restores_nothing_and_a_miss_once():
    cache = SubCache(2, num_features=NUM_FEATURES)
    restores = []

    def restore(superclass):
        def note(superclass):
            restores.append(int(superclass))
            return np.float32(superclass)

        values = tf.fill([5], tf.numpy_function(note, [superclass], tf.float32))
        values = tf.ensure_shape(values, [5])
        kernels = tf.cast(values, tf.int8)
        return Restored(kernels, values, tf.tile(kernels[None], [NUM_FEATURES, 1]), values)

    def bias(superclass):
        return cache.get(superclass, lambda: restore(superclass)).bias

    look_up = tf.function(bias)
    for superclass in (7, 7, 8, 7, 9, 7, 8):
        np.testing.assert_array_equal(look_up(tf.constant(superclass)), np.full(5, superclass))
    assert restores == [7, 8, 9, 8]
    assert _counts(cache) == (3, 4)


def test_it_works_outside_of_a_graph_and_with_functions_run_eagerly():
    cached = CachedCounting(2)
    for superclass in (0, 1, 0, 2, 1):
        _check(cached._look_up(tf.constant(superclass)), superclass)
    tf.config.run_functions_eagerly(True)
    try:
        for superclass in (1, 3, 1):
            _check(cached.look_up(tf.constant(superclass)), superclass)
    finally:
        tf.config.run_functions_eagerly(False)
    assert _counts(cached.cache) == (3, 5)


def test_lookups_in_one_graph_follow_one_another():
    cached = CachedCounting(1)
    for pair in ((0, 0), (1, 2), (2, 2), (2, 0)):
        for superclass, tensors in zip(pair, cached.look_up_twice(list(pair)), strict=True):
            _check(tensors, superclass)
    assert _counts(cached.cache) == (4, 4)


def test_empty_slots_take_no_memory_and_full_ones_what_they_hold():
    cache = CachedCounting(2)
    sizes = [sum(v.numpy().nbytes for v in slot) for slot in cache.cache._slots]
    assert sizes == [0, 0]
    cache.look_up(4)
    sizes = [sum(v.numpy().nbytes for v in slot) for slot in cache.cache._slots]
    assert sizes == [4096 + 4 * 64 + (NUM_FEATURES + 4) * 5, 0]


def test_a_miss_keeps_no_slot_in_memory():
    cached = CachedCounting(2)
    for superclass in (4, 3):
        cached.look_up(superclass)
    is_held, *found = cached.cache._look_up(tf.constant(1, tf.int64))
    assert not is_held
    assert [tensor.shape.as_list() for tensor in found] == [[0], [0], [NUM_FEATURES, 0], [0]]
    is_held, *found = cached.cache._look_up(tf.constant(3, tf.int64))
    assert is_held
    _check(dict(zip(FIELDS, found, strict=True)), 3)


@pytest.mark.parametrize("num_slots", [1, 3])
def test_threads_never_see_a_slot_half_written(num_slots):
    cached = CachedCounting(num_slots)
    sequence = np.random.default_rng(0).integers(0, 6, 400)

    def look_up(superclass):
        _check(cached.look_up(superclass), superclass)

    with concurrent.futures.ThreadPoolExecutor(8) as threads:
        list(threads.map(look_up, sequence))
    hits, misses = _counts(cached.cache)
    assert hits + misses == len(sequence)
    assert hits > 0
    held = cached.cache._held.numpy()
    assert len(set(held)) == num_slots


# In a process that can import nothing of ours.
_CLIENT = """
import sys
sys.modules["ss_tf"] = None
import concurrent.futures, tensorflow as tf
first, second = tf.saved_model.load(sys.argv[1]), tf.saved_model.load(sys.argv[1])
def look_up(superclass):
    for model in (first, second):
        for name, tensor in model.look_up(tf.constant(superclass)).items():
            assert (tensor.numpy() == superclass).all(), (name, superclass)
start = int(first.cache.hits), int(first.cache.misses)
for superclass in (0, 1, 0, 2, 1):
    look_up(superclass)
print(*start, int(first.cache.hits), int(first.cache.misses))
with concurrent.futures.ThreadPoolExecutor(8) as threads:
    list(threads.map(look_up, [0, 1, 2, 3] * 25))
assert int(second.cache.hits) + int(second.cache.misses) == sum(start) + 105
"""


@pytest.mark.slow
def test_a_saved_cache_works_in_a_process_without_this_package(tmp_path):
    cached = CachedCounting(2)
    cached.look_up(3)
    cached.look_up(0)
    tf.saved_model.save(cached, str(tmp_path / "model"))
    (tmp_path / "client.py").write_text(_CLIENT)
    done = subprocess.run(
        [sys.executable, tmp_path / "client.py", tmp_path / "model"],
        check=True,
        capture_output=True,
        text=True,
        cwd=tmp_path,
        timeout=300,
    )
    # It held 3 and 0. Of 0, 1, 0, 2, 1 both zeros are found.
    assert done.stdout.split() == ["0", "2", "2", "5"]
