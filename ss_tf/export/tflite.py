"""Networks as .tflite files, all of one layout: they differ in weights and quantization alone."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator, Mapping
from typing import NamedTuple

import numpy as np
import tensorflow as tf
import tf_keras as keras
from absl import logging
from tensorflow.lite.python import schema_py_generated as schema

from ss_tf.edge.diff import Region
from ss_tf.edge.manifest import INPUT, OUTPUT
from ss_tf.export import gpu_operations
from ss_tf.models import heads, int8_grid, quantization, variables
from ss_tf.models.integer_network import IntegerNetwork

SIGNATURE = "classify"
# Forms of weights; float16 ones are those of the int8 network, rounded.
FORMS = ("int8", "float16")
# Types of quantized weights and biases: is it made of words?
_IS_WORDS = {
    schema.TensorType.INT8: False,
    schema.TensorType.INT32: True,
    schema.TensorType.INT64: True,
}
# Of a convolution or a dense layer.
_INPUTS_WITH_BIAS = 3


class NamedRegion(NamedTuple):
    """A place where networks of one layout may differ, and whose it is."""

    name: str
    region: Region


class Converter:
    """Converts networks of one shape; their graphs, names and tensors are then the same."""

    def __init__(self, float_model: keras.Model, *, form: str = "int8"):
        """Builds the model that conversions share.

        Args:
          float_model: of `resnet.build_resnet`, with a head as wide as the widest network's, and
            subsampling, as GPUs need it. Not modified.
          form: of weights, one of `FORMS`.
        """
        self._is_int8 = form == "int8"
        model = float_model
        if self._is_int8:
            model = quantization.quantize(float_model, freeze_kernel_ranges=True)
        self._model = model
        _, *image_shape = model.input_shape
        spec = tf.TensorSpec([1, *image_shape], tf.float32, name=INPUT)
        self._classify = tf.function(
            lambda image: {OUTPUT: model(image, training=False)},
            input_signature=[spec],
            autograph=False,  # It would rewrite what tfmot wraps around every layer, for nothing.
        )
        # The variables alone: of a Keras model, functions of every layer would be saved and loaded,
        # which takes ten times as long as the rest of a conversion.
        self._module = tf.Module()
        self._module.weights = model.variables

    @property
    def head_width(self) -> int:
        """Number of logits of every network."""
        return self._model.output_shape[-1]

    def convert(self, network: IntegerNetwork) -> bytes:
        """Returns the .tflite file of a network.

        It has a batch of one, float32 images and logits, and the signature `SIGNATURE`; the head is
        filled up with zeros.

        Raises:
          ValueError: naming the tensor, if the network is of another shape; or naming the
            operation, if a GPU would not run all of it.
        """
        wide = heads.resize_network(network, self.head_width)
        if self._is_int8:
            int8_grid.assign_integer(wide, self._model)
        else:
            variables.assign(self._model, int8_grid.float_weights(wide))
        with _without_notes(), tempfile.TemporaryDirectory() as folder:
            tf.saved_model.save(self._module, folder, signatures={SIGNATURE: self._classify})
            converter = tf.lite.TFLiteConverter.from_saved_model(folder, [SIGNATURE])
            converter.optimizations = [tf.lite.Optimize.DEFAULT]
            if not self._is_int8:
                converter.target_spec.supported_types = [tf.float16]
            content = converter.convert()
        gpu_operations.check(content)
        return content


@contextlib.contextmanager
def _without_notes() -> Iterator[None]:
    """Keeps TensorFlow from telling, for every network, where it writes what is dropped anyway."""
    before = logging.get_verbosity()
    logging.set_verbosity(logging.WARNING)
    try:
        yield
    finally:
        logging.set_verbosity(before)


def regions(network: bytes) -> list[NamedRegion]:
    """Returns where weights, biases, scales and zero points lie in a .tflite file."""
    model = schema.Model.GetRootAs(network, 0)
    factors = dict(_bias_scales(model, network))
    found = {}
    for tensor in _tensors(model):
        quantization, name = tensor.Quantization(), tensor.Name().decode()
        if quantization is None or not quantization.ScaleLength():
            continue
        data = model.Buffers(tensor.Buffer()).DataAsNumpy()
        is_words = _IS_WORDS.get(tensor.Type(), True)
        parts = (
            (name, data, is_words),
            (f"scale of {name}", quantization.ScaleAsNumpy(), True),
            (f"zero point of {name}", quantization.ZeroPointAsNumpy(), True),
        )
        for part, values, is_words in parts:
            if isinstance(values, np.ndarray) and values.size:
                offset = _offset(values, network)
                region = Region(offset, values.nbytes, is_words, factors.get(offset))
                # Tensors may share a buffer.
                found[offset] = NamedRegion(part, region)
    return [found[offset] for offset in sorted(found)]


def _bias_scales(model: schema.Model, network: bytes) -> Iterator[tuple[int, tuple[int, int]]]:
    """Yields where the scales of a bias are, and of what they are products.

    A bias is counted in units of what input and weight are multiplied to, so that its scales are
    their scales' products, but for the last bit: the converter has more of them.
    """
    for operator, graph in gpu_operations.operators(model):
        if operator.InputsLength() != _INPUTS_WITH_BIAS or operator.Inputs(2) < 0:
            continue
        tensors = [graph.Tensors(operator.Inputs(place)) for place in range(_INPUTS_WITH_BIAS)]
        quantizations = [tensor.Quantization() for tensor in tensors]
        lengths = [one.ScaleLength() if one else 0 for one in quantizations]
        if lengths[0] == 1 and lengths[1] == lengths[2] > 0:
            places = [_offset(one.ScaleAsNumpy(), network) for one in quantizations]
            yield places[2], (places[0], places[1])


def check_same_layout(networks: Mapping[str, bytes]) -> list[Region]:
    """Checks that networks differ in weights, biases, scales and zero points alone.

    Args:
      networks: name -> .tflite file; the first one is compared with each of the others.

    Returns:
      Where these lie.

    Raises:
      ValueError: naming the networks and the first tensor that differs in another way.
    """
    (first_name, first), *others = networks.items()
    named = regions(first)
    is_free = np.zeros(len(first), bool)
    for _, region in named:
        is_free[region.offset : region.offset + region.length] = True
    for name, other in others:
        if len(other) == len(first):
            differs = np.frombuffer(first, np.uint8) != np.frombuffer(other, np.uint8)
            if not (differs & ~is_free).any():
                continue
        raise ValueError(
            f"The networks {first_name} and {name} differ in {_first_difference(first, other)}, "
            "expected in weights, biases, scales and zero points alone."
        )
    return [region for _, region in named]


def _first_difference(first: bytes, other: bytes) -> str:
    """Says in which tensor two files differ otherwise than in quantized values."""
    models = [schema.Model.GetRootAs(network, 0) for network in (first, other)]
    described = [[*_descriptions(model)] for model in models]
    if len(described[0]) != len(described[1]):
        return f"their number of tensors, {len(described[0])} and {len(described[1])}"
    for one, two in zip(*described, strict=True):
        if one != two:
            return f"the tensor {one[0]!r}: {one[1:3]} and {two[1:3]}, or its values"
    for one, two in zip(*map(_operations, models), strict=False):
        if one != two:
            return f"the operation that gives {one[0]!r}"
    return "the graph around their tensors"


def _descriptions(model: schema.Model) -> Iterator[tuple]:
    """Yields name, shape, type, kind of quantization, and the values of what is not quantized."""
    for tensor in _tensors(model):
        quantization = tensor.Quantization()
        num_scales = quantization.ScaleLength() if quantization else 0
        buffer = model.Buffers(tensor.Buffer())
        values = buffer.DataLength() if num_scales else np.asarray(buffer.DataAsNumpy()).tobytes()
        shape = np.asarray(tensor.ShapeAsNumpy()).tolist()
        yield tensor.Name().decode(), shape, tensor.Type(), num_scales, values


def _operations(model: schema.Model) -> Iterator[tuple]:
    """Yields, of each operation, the name of what it gives, its kind, tensors and settings."""
    for operator, graph in gpu_operations.operators(model):
        code = schema.OperatorCodeT.InitFromObj(model.OperatorCodes(operator.OpcodeIndex()))
        settings = schema.OperatorT.InitFromObj(operator).builtinOptions
        tensors = operator.InputsAsNumpy().tolist(), operator.OutputsAsNumpy().tolist()
        name = graph.Tensors(operator.Outputs(0)).Name().decode()
        yield name, vars(code), tensors, vars(settings) if settings else None


def _tensors(model: schema.Model) -> Iterator[schema.Tensor]:
    for number in range(model.SubgraphsLength()):
        graph = model.Subgraphs(number)
        yield from (graph.Tensors(index) for index in range(graph.TensorsLength()))


def _offset(part: np.ndarray, network: bytes) -> int:
    """Returns where in a network an array lies that is a view of it."""
    return _address(part) - _address(np.frombuffer(network, np.uint8))


def _address(array: np.ndarray) -> int:
    return array.__array_interface__["data"][0]
