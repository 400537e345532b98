"""Checks that GPUs run all of a .tflite file, operation by operation.

A delegate that does not take an operation leaves it to the CPU, and copies between the two;
LiteRT's accelerators refuse the whole network.
"""

from __future__ import annotations

import contextlib
import io
from collections.abc import Iterator

import tensorflow as tf
from tensorflow.lite.python import schema_py_generated as schema

# Operation -> newest version that the GPU delegate takes, and how many of its inputs are no
# constants; of those operations that ResNets are made of: `CheckMaxSupportedOpVersion` in
# tensorflow/lite/delegates/gpu/common/model_builder.cc, and `CheckGpuDelegateCompatibility` in
# tensorflow/lite/tools/versioning/gpu_compatibility.cc, of https://github.com/tensorflow/tensorflow.
# https://ai.google.dev/edge/litert/performance/gpu lists them but for MEAN, QUANTIZE, DEQUANTIZE.
_TAKEN = {
    "ADD": (2, 2),
    "CONV_2D": (6, 1),
    "DEQUANTIZE": (3, 1),
    "FULLY_CONNECTED": (9, 1),
    "MAX_POOL_2D": (2, 1),
    "MEAN": (2, 1),
    "PAD": (2, 1),
    "QUANTIZE": (2, 1),
}
_NAMES = {
    number: name
    for name, number in vars(schema.BuiltinOperator).items()
    if not name.startswith("_")
}
_COMPATIBLE = "compatible with GPU delegate"
_REFUSED = "GPU COMPATIBILITY WARNING"


def check(network: bytes) -> None:
    """Checks that the GPU delegate, and LiteRT's GPU accelerators, run all of a network rightly.

    Args:
      network: .tflite file.

    Raises:
      ValueError: naming the first operation that they do not, by its name or its output's.
    """
    model = schema.Model.GetRootAs(network, 0)
    variables = _variables(model)
    for operator, graph in operators(model):
        code = model.OperatorCodes(operator.OpcodeIndex())
        # Numbers from 127 on are in the newer field alone.
        name = _NAMES[max(code.BuiltinCode(), code.DeprecatedBuiltinCode())]
        if name not in _TAKEN:
            raise ValueError(f"The network has the operation {name}, expected {_listed()}.")
        inputs = operator.InputsAsNumpy().tolist()
        found = code.Version(), sum(index in variables for index in inputs)
        taken = _TAKEN[name]
        # What is made of constants alone, is made once: float16 weights, of which float32 ones.
        if found[0] > taken[0] or found[1] not in (0, taken[1]):
            raise ValueError(
                f"The operation {name} has version {found[0]} and {found[1]} inputs that are no "
                f"constants, expected version {taken[0]} at most and {taken[1]}: GPUs take no "
                "other."
            )
        if name == "CONV_2D":
            _check_strides(operator, graph)
    _analyze(network)


def operators(model: schema.Model) -> Iterator[tuple[schema.Operator, schema.SubGraph]]:
    """Yields the operations of a .tflite file, and the graph that each is in."""
    for number in range(model.SubgraphsLength()):
        graph = model.Subgraphs(number)
        yield from ((graph.Operators(index), graph) for index in range(graph.OperatorsLength()))


def _variables(model: schema.Model) -> set[int]:
    """Returns which tensors depend on the input, of a network of one graph."""
    found = set(model.Subgraphs(0).InputsAsNumpy().tolist())
    # Operations come after those whose outputs they take.
    for operator, _ in operators(model):
        if found.intersection(operator.InputsAsNumpy().tolist()):
            found.update(operator.OutputsAsNumpy().tolist())
    return found


def _check_strides(operator: schema.Operator, graph: schema.SubGraph) -> None:
    """Refuses int8 convolutions of one pixel with strides.

    LiteRT's GPU accelerators take these for dense layers, and leave the strides out: seen in
    ai-edge-litert 2.3.0, whose answers then have nothing to do with the network's.
    """
    kernel = graph.Tensors(operator.Inputs(1))
    options = schema.Conv2DOptions()
    table = operator.BuiltinOptions()
    options.Init(table.Bytes, table.Pos)
    _, height, width, _ = kernel.ShapeAsNumpy().tolist()
    strides = options.StrideH(), options.StrideW()
    is_int8 = kernel.Type() == schema.TensorType.INT8
    if is_int8 and (height, width) == (1, 1) and strides != (1, 1):
        name = graph.Tensors(operator.Outputs(0)).Name().decode()
        raise ValueError(
            f"The convolution {name!r} of one pixel has strides {strides}, expected none: LiteRT's "
            "GPU accelerators would leave them out."
        )


def _analyze(network: bytes) -> None:
    """Raises ValueError with what TensorFlow's own check complains of; at 2.21, of nothing."""
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        tf.lite.experimental.Analyzer.analyze(model_content=network, gpu_compatibility=True)
    lines = printed.getvalue().splitlines()
    complaints = [line.strip() for line in lines if _REFUSED in line]
    if complaints or not any(_COMPATIBLE in line for line in lines):
        reason = complaints[0] if complaints else "it says nothing of GPUs"
        raise ValueError(f"TensorFlow's Analyzer finds no network for GPUs: {reason}.")


def _listed() -> str:
    *others, last = _TAKEN
    return f"{', '.join(others)} or {last}, which GPUs take"
