"""ResNets of any depth and width, with torchvision's geometry and layer names."""

from __future__ import annotations

import dataclasses
import sys
import zlib

import tf_keras as keras

from ss_tf import config as config_lib
from ss_tf.models.integer_network import HEAD

_BASIC_BLOCK_BACKBONES = ("resnet18", "resnet34")
_BOTTLENECK_EXPANSION = 4
# Keras walks through a network by recursion, a call or more for each of the eleven layers of a
# block; Python allows 1000 calls, and ResNet-455 has 151 blocks.
_CALLS_PER_BLOCK = 100


def build_resnet(
    config: config_lib.ModelConfig,
    *,
    num_classes: int,
    image_size: int | None,
    channels: int,
    seed: int = 0,
    is_subsampling: bool = False,
) -> keras.Model:
    """Builds a flat functional ResNet that maps normalised images to logits.

    Strides, paddings and layer names (`conv1`, `layer2.0.downsample.0`, `fc`) are torchvision's;
    the padding is explicit, because "same" pads strided convolutions on the other side.

    Args:
      config: depth, width and stem.
      num_classes: width of the head `fc`.
      image_size: side of the input, pixels; None takes images of any size.
      channels: 1 or 3.
      seed: every initial weight is a function of it and of the layer's name.
      is_subsampling: whether shortcuts leave out pixels before their convolution, instead of having
        it do so by its strides: the same numbers, out of other operations.

    Returns:
      A model from float32 `[batch, image_size, image_size, channels]` to float32 logits
      `[batch, num_classes]`.
    """
    # For good, not for this function alone: cloning and quantizing the network recurse, too.
    needed = 1000 + _CALLS_PER_BLOCK * sum(config.blocks)
    sys.setrecursionlimit(max(sys.getrecursionlimit(), needed))
    layers = _Layers(seed, is_subsampling)
    inputs = keras.Input((image_size, image_size, channels), name="image")
    x = _stem(layers, inputs, config)
    is_basic = config.backbone in _BASIC_BLOCK_BACKBONES
    for stage, blocks in enumerate(config.blocks):
        for block in range(blocks):
            x = (_basic_block if is_basic else _bottleneck_block)(
                layers,
                x,
                name=f"layer{stage + 1}.{block}",
                filters=config.base_width * 2**stage,
                stride=2 if stage > 0 and block == 0 else 1,
            )
    x = keras.layers.GlobalAveragePooling2D(name="avgpool")(x)
    return keras.Model(inputs, layers.dense(x, HEAD, units=num_classes), name="resnet")


def num_features(config: config_lib.ModelConfig) -> int:
    """Returns the number of inputs of the head."""
    is_basic = config.backbone in _BASIC_BLOCK_BACKBONES
    filters = config.base_width * 2 ** (len(config.blocks) - 1)
    return filters if is_basic else filters * _BOTTLENECK_EXPANSION


def in_mixed_precision(model: keras.Model) -> keras.Model:
    """Builds a float network anew that computes in float16, with copies of its weights.

    Weights stay float32 under the same names, and so do the head and its logits.
    """

    def copy(layer):
        config = layer.get_config()
        if layer.name != HEAD:
            config["dtype"] = "mixed_float16"
        return type(layer).from_config(config)

    mixed = keras.models.clone_model(model, clone_function=copy)
    mixed.set_weights(model.get_weights())
    return mixed


def layers_through(model: keras.Model, stage: str | None) -> frozenset[str]:
    """Returns the names of a ResNet's layers up to the end of a stage, without the input.

    Args:
      model: network of `build_resnet`.
      stage: one of `config.STAGES`; None for no layer.
    """
    last = -1 if stage is None else config_lib.STAGES.index(stage)
    names = [layer.name for layer in model.layers if not isinstance(layer, keras.layers.InputLayer)]
    return frozenset(name for name in names if stage_of(name) <= last)


def stage_of(layer: str) -> int:
    """Returns the place in `config.STAGES` of a layer's stage; what follows the stages is last.

    The input, whose quantizer has a range, is of the first.
    """
    first = layer.partition(".")[0]
    if first in ("image", "conv1", "bn1", "relu", "maxpool"):
        return 0
    return config_lib.STAGES.index(first) if first in config_lib.STAGES else len(config_lib.STAGES)


def count_macs(model: keras.Model) -> int:
    """Counts the multiply-accumulates of convolutions and dense layers for one image."""
    macs = 0
    for layer in model.layers:
        if isinstance(layer, keras.layers.Conv2D):
            _, height, width, _ = layer.output_shape
            macs += height * width * layer.kernel.shape.num_elements()
        elif isinstance(layer, keras.layers.Dense):
            macs += layer.kernel.shape.num_elements()
    return macs


@dataclasses.dataclass(frozen=True)
class _Layers:
    """Layers with their initial weights drawn from one seed."""

    seed: int
    is_subsampling: bool

    def conv_bn(self, x, conv: str, bn: str, *, filters: int, size: int, stride: int = 1):
        """Applies zero padding, a convolution without bias and batch norm."""
        if size > 1:
            x = keras.layers.ZeroPadding2D(size // 2, name=f"{conv}.pad")(x)
        x = keras.layers.Conv2D(
            filters,
            size,
            strides=stride,
            use_bias=False,
            kernel_initializer=keras.initializers.VarianceScaling(
                2.0, mode="fan_out", distribution="untruncated_normal", seed=self._seed_of(conv)
            ),
            name=conv,
        )(x)
        return keras.layers.BatchNormalization(momentum=0.9, epsilon=1e-5, name=bn)(x)

    def dense(self, x, name: str, *, units: int):
        """Applies a dense layer whose weights start in +-1 / sqrt(inputs), as torchvision's do."""
        initializer = keras.initializers.VarianceScaling(
            1 / 3, mode="fan_in", distribution="uniform", seed=self._seed_of(name)
        )
        return keras.layers.Dense(units, kernel_initializer=initializer, name=name)(x)

    def _seed_of(self, name: str) -> int:
        """Returns a seed of the layer's own: one seed for all would draw equal kernels."""
        return zlib.crc32(f"{self.seed}/{name}".encode()) & 0x7FFFFFFF


def _relu(x, name: str):
    return keras.layers.ReLU(name=name)(x)


def _stem(layers: _Layers, x, config: config_lib.ModelConfig):
    """Applies the first convolution, and for the imagenet stem the max pool."""
    is_small = config.stem == "small"
    size, stride = (3, 1) if is_small else (7, 2)
    x = layers.conv_bn(x, "conv1", "bn1", filters=config.base_width, size=size, stride=stride)
    x = _relu(x, "relu")
    if is_small:
        return x
    # torchvision pads this pool with -inf. Zeros give the same maximum, since ReLU's output is
    # never negative, and they have a place on the int8 grid.
    x = keras.layers.ZeroPadding2D(1, name="maxpool.pad")(x)
    return keras.layers.MaxPooling2D(3, strides=2, name="maxpool")(x)


def _basic_block(layers: _Layers, x, *, name: str, filters: int, stride: int):
    """Applies two 3x3 convolutions and the shortcut."""
    shortcut = _shortcut(layers, x, name=name, filters=filters, stride=stride)
    x = layers.conv_bn(x, f"{name}.conv1", f"{name}.bn1", filters=filters, size=3, stride=stride)
    x = _relu(x, f"{name}.relu1")
    x = layers.conv_bn(x, f"{name}.conv2", f"{name}.bn2", filters=filters, size=3)
    return _relu(keras.layers.Add(name=f"{name}.add")([x, shortcut]), f"{name}.relu2")


def _bottleneck_block(layers: _Layers, x, *, name: str, filters: int, stride: int):
    """Applies 1x1, 3x3 and 1x1 convolutions and the shortcut; the 3x3 has the stride."""
    expanded = filters * _BOTTLENECK_EXPANSION
    shortcut = _shortcut(layers, x, name=name, filters=expanded, stride=stride)
    x = layers.conv_bn(x, f"{name}.conv1", f"{name}.bn1", filters=filters, size=1)
    x = _relu(x, f"{name}.relu1")
    x = layers.conv_bn(x, f"{name}.conv2", f"{name}.bn2", filters=filters, size=3, stride=stride)
    x = _relu(x, f"{name}.relu2")
    x = layers.conv_bn(x, f"{name}.conv3", f"{name}.bn3", filters=expanded, size=1)
    return _relu(keras.layers.Add(name=f"{name}.add")([x, shortcut]), f"{name}.relu3")


def _shortcut(layers: _Layers, x, *, name: str, filters: int, stride: int):
    """Returns `x`, through a 1x1 convolution where the block changes its shape."""
    if stride == 1 and x.shape[-1] == filters:
        return x
    if stride > 1 and layers.is_subsampling:
        x = keras.layers.MaxPooling2D(1, strides=stride, name=f"{name}.downsample.pool")(x)
        stride = 1
    return layers.conv_bn(
        x, f"{name}.downsample.0", f"{name}.downsample.1", filters=filters, size=1, stride=stride
    )
