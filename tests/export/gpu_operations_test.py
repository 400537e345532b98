import pytest
import tensorflow as tf

from ss_tf.export import gpu_operations


def _convert(function, *shapes, types=(tf.float32,)):
    specs = [tf.TensorSpec(shape, dtype) for shape, dtype in zip(shapes, types, strict=True)]
    concrete = tf.function(function, input_signature=specs).get_concrete_function()
    return tf.lite.TFLiteConverter.from_concrete_functions([concrete]).convert()


@pytest.mark.slow
def test_operations_of_resnets_pass():
    kernel = tf.random.stateless_normal([3, 3, 2, 4], [0, 0])

    def network(x):
        x = tf.nn.conv2d(tf.pad(x, [[0, 0], [1, 1], [1, 1], [0, 0]]), kernel, 2, "VALID")
        x = tf.nn.max_pool2d(tf.nn.relu(x), 1, 2, "VALID")
        return tf.reduce_mean(x + x, axis=[1, 2])

    gpu_operations.check(_convert(network, [1, 8, 8, 2]))


@pytest.mark.slow
def test_operation_off_the_list_is_named():
    """One that TensorFlow's Analyzer lets pass."""
    content = _convert(lambda x: tf.math.top_k(x, 2)[0], [1, 4])
    gpu_operations._analyze(content)
    with pytest.raises(ValueError, match=r"operation TOPK_V2, expected ADD, .* or QUANTIZE"):
        gpu_operations.check(content)


@pytest.mark.slow
def test_newer_version_is_refused():
    content = _convert(lambda x: tf.pad(x, [[0, 0]] * 4 + [[1, 1]]), [1, 2, 2, 2, 3])
    with pytest.raises(ValueError, match=r"PAD has version 4 .*expected version 2 at most"):
        gpu_operations.check(content)


@pytest.mark.slow
def test_axes_that_are_no_constants_are_refused():
    content = _convert(
        lambda x, axis: tf.reduce_mean(x, axis), [1, 4, 4, 2], [2], types=(tf.float32, tf.int32)
    )
    with pytest.raises(ValueError, match=r"MEAN has version 1 and 2 inputs .* at most and 1:"):
        gpu_operations.check(content)


@pytest.mark.parametrize(
    ("printed", "message"),
    [("GPU COMPATIBILITY WARNING: PAD is odd", "PAD is odd"), ("Op#0 PAD", "nothing of GPUs")],
)
def test_what_the_analyzer_complains_of_is_told(monkeypatch, printed, message):
    monkeypatch.setattr(
        tf.lite.experimental.Analyzer, "analyze", lambda **_: print(f"  {printed}\n")
    )
    with pytest.raises(ValueError, match=f"Analyzer finds no network for GPUs: .*{message}"):
        gpu_operations._analyze(b"")
