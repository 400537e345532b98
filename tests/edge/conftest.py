"""Bytes that stand for .tflite files, since patching does not care; and tiny files that run."""

import flatbuffers
import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema

from ss_tf.edge import bundle, diff
from ss_tf.edge.manifest import Manifest, SubFacts
from ss_tf.hierarchy.superclass_map import SuperclassMap
from ss_tf.routing.policy import RoutingPolicy

# Kernels whose differences are few, more, and any; and biases.
REGIONS = [
    diff.Region(offset, length, is_words)
    for offset, length, is_words in (
        (16, 4003, False),
        (4020, 3001, False),
        (7024, 50, False),
        (7076, 400, True),
    )
]
NETWORK_BYTES = 7500


@pytest.fixture(scope="session")
def base():
    """Returns the bytes of a base."""
    return np.random.default_rng(0).integers(0, 256, NETWORK_BYTES).astype(np.uint8).tobytes()


@pytest.fixture(scope="session")
def sub(base):
    """Returns the bytes of a sub network; each region is best packed in another way."""
    rng = np.random.default_rng(1)
    sub = np.frombuffer(base, np.uint8).copy()
    few, more, any_byte, words = (slice(r.offset, r.offset + r.length) for r in REGIONS)
    sub[few] += rng.choice([0, 7, -7, 14, -14], 4003, p=[0.92, 0.04, 0.03, 0.0095, 0.0005]).astype(
        "u1"
    )
    sub[more] += 3 * rng.choice([0, 1, 2, 3, 253, 254, 255], 3001, p=[0.7] + 6 * [0.05]).astype(
        "u1"
    )
    sub[any_byte] = rng.integers(0, 256, 50)
    changed = sub[words].copy().view("<i4") + rng.integers(-70000, 70000, 100).astype("<i4")
    sub[words] = changed.view(np.uint8)
    return sub.tobytes()


@pytest.fixture(scope="session")
def delta(base, sub):
    """Returns the delta of `base` and `sub`."""
    return diff.make(base, sub, REGIONS)


@pytest.fixture(scope="session")
def regions():
    """Returns where `base` and `sub` differ."""
    return REGIONS


# A superclass with two labels, one with a single one, one with three; labels are not in order.
MAP = SuperclassMap(
    superclass_names=("bird", "boat", "fish"),
    label_names=("owl", "cod", "tug", "hen", "eel", "ray"),
    superclass_of_label=(0, 2, 1, 0, 2, 2),
)
SIDE, WIDTH = 3, 4


def tiny_network(weights):
    """Returns a .tflite file whose logits are `weights` `[WIDTH, SIDE * SIDE]` times the pixels."""
    flat = [1, SIDE * SIDE]
    data = [None, np.asarray(weights, "<f4").tobytes(), np.asarray(flat, "<i4").tobytes()]
    int32 = schema.TensorType.INT32
    tensors = [
        schema.TensorT(shape=shape, buffer=buffer, type=type_, name=name)
        for name, shape, buffer, type_ in (
            ("in", [1, SIDE, SIDE, 1], 0, 0),
            ("weights", list(weights.shape), 1, 0),
            ("out", [1, WIDTH], 0, 0),
            ("shape", [2], 2, int32),
            ("flat", flat, 0, 0),
        )
    ]
    # GPUs take no images for rows of numbers.
    codes = [schema.BuiltinOperator.RESHAPE, schema.BuiltinOperator.FULLY_CONNECTED]
    operators = [
        schema.OperatorT(
            opcodeIndex=0,
            inputs=[0, 3],
            outputs=[4],
            builtinOptionsType=schema.BuiltinOptions.ReshapeOptions,
            builtinOptions=schema.ReshapeOptionsT(newShape=flat),
        ),
        schema.OperatorT(
            opcodeIndex=1,
            inputs=[4, 1, -1],
            outputs=[2],
            builtinOptionsType=schema.BuiltinOptions.FullyConnectedOptions,
            builtinOptions=schema.FullyConnectedOptionsT(),
        ),
    ]
    graph = schema.SubGraphT(tensors=tensors, inputs=[0], outputs=[2], operators=operators)
    signature = schema.SignatureDefT(
        inputs=[schema.TensorMapT("image", 0)],
        outputs=[schema.TensorMapT("logits", 2)],
        signatureKey="classify",
    )
    model = schema.ModelT(
        version=3,
        operatorCodes=[
            schema.OperatorCodeT(deprecatedBuiltinCode=code, builtinCode=code) for code in codes
        ],
        subgraphs=[graph],
        buffers=[schema.BufferT(data=part and np.frombuffer(part, np.uint8)) for part in data],
        signatureDefs=[signature],
    )
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


class TinyBundle:
    """A bundle of tiny networks, and the weights that are in it.

    Attributes:
      path: its folder.
      weights: superclass name, or "" for the base, -> float32 `[WIDTH, SIDE * SIDE]`.
      about: its manifest.
    """

    def __init__(self, path, **changes):
        rng = np.random.default_rng(0)
        draw = lambda: rng.normal(size=(WIDTH, SIDE * SIDE)).astype(np.float32)  # noqa: E731
        self.path = path
        self.weights = {name: draw() for name in ("", "bird", "fish")}
        networks = {name: tiny_network(weights) for name, weights in self.weights.items()}
        base = networks.pop("")
        place = base.index(self.weights[""].tobytes())
        self.regions = [diff.Region(place, self.weights[""].nbytes, True)]
        self.base_file = path / "super.tflite"
        (path / "deltas").mkdir(parents=True)
        self.base_file.write_bytes(base)
        subs = {}
        for name, network in networks.items():
            delta = diff.make(base, network, self.regions)
            (path / "deltas" / f"{name}.delta").write_bytes(delta)
            subs[name] = SubFacts(bundle.facts_of(delta), bundle.facts_of(network))
        fields = {
            "base_kind": "super",
            "superclass_map": MAP,
            "policy": RoutingPolicy(),
            "image_size": SIDE,
            "channels": 1,
            "mean": (0.5,),
            "std": (0.25,),
            "crop_fraction": 1.0,
            "signature": "classify",
            "head_width": WIDTH,
            "base": bundle.facts_of(base),
            "subs": subs,
            "source": "0" * 64,
        }
        self.about = Manifest(**{**fields, **changes})
        (path / "manifest.json").write_text(self.about.to_json())

    def logits(self, name, images):
        """Returns what a network says of uint8 images `[n, SIDE, SIDE, 1]`, by numpy."""
        inputs = (np.asarray(images).reshape(len(images), -1) / 255 - 0.5) / 0.25
        return inputs @ self.weights[name].T


@pytest.fixture
def make_bundle(tmp_path):
    """Returns a function that makes a bundle; fields of its manifest may be given."""
    return lambda **changes: TinyBundle(tmp_path / "bundle", **changes)


@pytest.fixture
def images():
    """Returns uint8 images `[24, SIDE, SIDE, 1]`; each superclass is that of some."""
    return np.random.default_rng(4).integers(0, 256, (24, SIDE, SIDE, 1)).astype(np.uint8)
