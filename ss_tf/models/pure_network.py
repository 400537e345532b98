"""PureNetwork: inference of a quantization-aware model as a function of images and weights."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping

import tensorflow as tf
import tf_keras as keras

from ss_tf.models import variables
from ss_tf.models.heads import HEAD_TENSORS
from ss_tf.models.integer_network import IntegerNetwork

_READS = "ReadVariableOp"
_FAKE_QUANTIZERS = ("FakeQuantWithMinMaxVars", "FakeQuantWithMinMaxVarsPerChannel")


class PureNetwork:
    """The operations of a model in inference mode, without its variables.

    They are copied from the model's own graph, so that results are the model's, bit for bit. Only
    the quantizers of kernels are left out: a snapped kernel passes them unchanged, and they would
    cost a pass over all weights.

    Operations do not depend on the numbers of filters, which weights alone decide. So they can be
    read off a narrow model, which takes hardly any memory.

    Attributes:
      weights: name of each weight that is needed -> its shape. Those of `variables.by_name`, but
        for the ranges of kernels.
      input_shape: `[height, width, channels]` of an input of the model, without the batch.
    """

    def __init__(self, model: keras.Model, *, like: IntegerNetwork | None = None):
        """Reads the operations off a model.

        Args:
          model: snapped network of `quantization.quantize`, or a part of one. It is not needed
            afterwards.
          like: gives the shapes of the weights, if they are not the model's.

        Raises:
          ValueError: naming the weight, if `like` lacks one; or if its shapes do not fit together.
        """
        self.input_shape = tuple(model.input_shape[1:])
        inference = tf.function(lambda images: model(images, training=False), autograph=False)
        traced = inference.get_concrete_function(
            tf.TensorSpec([None, *self.input_shape], tf.float32)
        ).graph
        weight_of = _weights_of(traced, model)
        self._input, self._output = traced.inputs[0].op.name, traced.outputs[0].op.inputs[0].name
        self._graph = _between(traced, [self._input, *weight_of], traced.outputs[0].op.inputs[0].op)
        kept = {node.name for node in self._graph.node}
        self._weight_of = {node: name for node, name in weight_of.items() if node in kept}
        named = variables.by_name(model) if like is None else {**like.floats, **like.kernels}
        missing = sorted(set(self._weight_of.values()) - set(named))
        if missing:
            raise ValueError(f"the network has no {missing[0]}")
        self.weights = {name: tuple(named[name].shape) for name in sorted(self._weight_of.values())}
        self._run = self._as_function()

    def __call__(self, images: tf.Tensor, weights: Mapping[str, tf.Tensor]) -> tf.Tensor:
        """Runs the network, or adds it to the graph that is being built.

        Args:
          images: float32 `[batch, *input_shape]`, of a part within a network with as many channels
            as its weights want; a batch of 0 gives an empty result.
          weights: name -> float32 tensor, at least those of `self.weights`.

        Returns:
          float32 `[batch, ...]`.
        """
        count = tf.shape(images)[0]
        # A convolution of no images has a wrong shape in TensorFlow, so there is one at least.
        blank = tf.zeros(tf.concat([[1], tf.shape(images)[1:]], axis=0))
        images = tf.cond(count > 0, lambda: images, lambda: blank)
        return self._run(images, {name: weights[name] for name in self.weights})[:count]

    def _as_function(self) -> Callable[[tf.Tensor, dict[str, tf.Tensor]], tf.Tensor]:
        """Compiles the operations, so that eager code can call them, too."""

        def run(images, weights):
            inputs = {self._input: images}
            inputs |= {node: weights[name] for node, name in self._weight_of.items()}
            (output,) = tf.graph_util.import_graph_def(
                self._graph,
                input_map={f"{node}:0": value for node, value in inputs.items()},
                return_elements=[self._output],
                name="network",
            )
            return output

        height, width, _ = self.input_shape
        images = tf.TensorSpec([None, height, width, None], tf.float32)
        # The head of another network may have another width.
        weights = {
            name: tf.TensorSpec([*shape[:-1], None] if name in HEAD_TENSORS else shape, tf.float32)
            for name, shape in self.weights.items()
        }
        return tf.function(run, autograph=False).get_concrete_function(images, weights)


def _weights_of(graph: tf.Graph, model: keras.Model) -> dict[str, str]:
    """Returns node -> name of the weight that it gives.

    A node reads a variable or, for a kernel, applies its quantizer, too.
    """
    name_of = {id(v.handle): name for name, v in variables.by_name(model).items()}
    placeholder_of = {inner.op.name: name_of.get(id(outer)) for outer, inner in graph.captures}
    weights = {}
    for node in graph.get_operations():
        if node.type == _READS and (name := placeholder_of.get(node.inputs[0].op.name)):
            quantizers = list(_kernel_quantizers(node, name))
            weights |= dict.fromkeys([q.name for q in quantizers] or [node.name], name)
    return weights


def _kernel_quantizers(read: tf.Operation, name: str) -> Iterator[tf.Operation]:
    if name.endswith("/kernel"):
        for consumer in read.outputs[0].consumers():
            if consumer.type in _FAKE_QUANTIZERS:
                yield consumer


def _between(graph: tf.Graph, inputs: Collection[str], output: tf.Operation):
    """Returns a GraphDef of what leads from some operations to another; those are placeholders."""
    needed, pending = set(), [output]
    while pending:
        operation = pending.pop()
        if operation.name not in needed:
            needed.add(operation.name)
            if operation.name not in inputs:
                pending += [tensor.op for tensor in operation.inputs] + operation.control_inputs
    result = graph.as_graph_def()
    nodes = list(result.node)
    del result.node[:]
    for node in nodes:
        if node.name in needed & set(inputs):
            placeholder = result.node.add(name=node.name, op="Placeholder")
            placeholder.attr["dtype"].type = tf.float32.as_datatype_enum
        elif node.name in needed:
            result.node.add().CopyFrom(node)
    return result
