import io
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from ss_tf.data import image_files, preprocessing
from ss_tf.data.examples import ImageFormat
from ss_tf.export import saved_model
from ss_tf.hierarchy.superclass_map import SuperclassMap
from ss_tf.models import trunk
from ss_tf.models.pure_network import PureNetwork
from ss_tf.routing.policy import RoutingPolicy
from ss_tf.routing.resident_network import ResidentNetwork
from ss_tf.routing.router import Router

pytestmark = pytest.mark.slow

MAP = SuperclassMap.from_groups({"vögel": ["owl", "hen"], "boat": ["tug"], "cat": ["lion", "いぬ"]})
FORMAT = ImageFormat(channels=3, mean=(0.5, 0.4, 0.3), std=(0.2, 0.25, 0.3), crop_fraction=0.9)
SIZE = 4


class MeanNetworks(tf.Module):
    """Networks whose logits are weighted sums of an image's pixels."""

    image_shape = (SIZE, SIZE, 3)

    def __init__(self, *, base_width=3):
        super().__init__()
        self.base = self._draw(0, base_width)
        self.subs = tf.stack([self._draw(n, 2) for n in (1, 2, 3)])

    def _draw(self, seed, width):
        """Returns weights that look at colours most of all: decoders differ in fine detail."""
        rng = np.random.default_rng(seed)
        colours = np.tile(rng.normal(size=(3, width)), (SIZE * SIZE, 1))
        detail = rng.normal(0, 0.02, (SIZE * SIZE * 3, width))
        return tf.constant((colours + detail) / 4, tf.float32)

    def features(self, images):
        return tf.reshape(images, [-1, SIZE * SIZE * 3])

    def base_logits(self, features):
        return features @ self.base

    def sub_logits(self, superclass, features):
        return features @ self.subs[superclass]


# In a process that can import nothing of ours: every signature, serially and from 8 threads.
_CLIENT = """
import sys
for name in ("ss_tf", "tf_keras", "tensorflow_model_optimization", "keras_cv"):
    sys.modules[name] = None
import concurrent.futures, numpy as np, tensorflow as tf
model = tf.saved_model.load(sys.argv[1])
given = dict(np.load(sys.argv[2]))
found = {}
for name, key, values in (
    ("serving_default", "images", given["images"]),
    ("classify_super", "images", given["images"]),
    ("serving_uint8", "images", given["pixels"]),
    ("serving_jpeg", "encoded", given["encoded"].astype(object)),
):
    run = model.signatures[name]
    whole = {k: v.numpy() for k, v in run(**{key: tf.constant(values)}).items()}
    with concurrent.futures.ThreadPoolExecutor(8) as threads:
        ones = [{key: tf.constant(values[i:i + 1])} for i in range(len(values))]
        parts = list(threads.map(lambda one: run(**one), ones))
    for output, expected in whole.items():
        together = np.concatenate([part[output] for part in parts])
        assert (together == expected).all(), (name, output)
        is_text = expected.dtype == object
        found[f"{name}/{output}"] = np.char.decode(expected.astype(bytes)) if is_text else expected
try:
    model.signatures["serving_default"](images=tf.constant(given["images"] + 1))
except tf.errors.InvalidArgumentError as error:
    found["error"] = np.array(str(error))
np.savez(sys.argv[3], **found)
"""


@pytest.fixture(scope="module")
def router():
    return Router(MeanNetworks(), MAP, base_kind="super", policy=RoutingPolicy(abstain_below=0.6))


@pytest.fixture(scope="module")
def pixels():
    """Smooth photos of 24x16 pixels, so that JPEG changes them little."""
    rng = np.random.default_rng(1)
    small = (rng.uniform(0, 255, (24, 1, 1, 3)) + rng.uniform(-60, 60, (24, 3, 3, 3))).clip(0, 255)
    return tf.image.resize(small, (16, 24)).numpy().astype(np.uint8)


def _save(router, path):
    saved_model.save(router, path, superclass_map=MAP, image_format=FORMAT)


def _encoded(pixels, kind):
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, kind, quality=95)
    return file.getvalue()


@pytest.fixture(scope="module")
def answers(tmp_path_factory, router, pixels):
    """What the signatures answered in another process."""
    folder = tmp_path_factory.mktemp("export")
    _save(router, folder / "model")
    files = [_encoded(image, "PNG" if i % 2 else "JPEG") for i, image in enumerate(pixels)]
    np.savez(folder / "given.npz", images=_shown(pixels), pixels=pixels, encoded=np.array(files))
    (folder / "client.py").write_text(_CLIENT)
    arguments = [folder / "client.py", folder / "model", folder / "given.npz", folder / "found.npz"]
    subprocess.run([sys.executable, *map(str, arguments)], check=True, cwd=folder)
    return dict(np.load(folder / "found.npz")), files


def _shown(pixels):
    """Returns what evaluation makes of photos, before it normalises them."""
    crop = preprocessing.centre_crop(pixels, image_size=SIZE, crop_fraction=0.9)
    return preprocessing.to_unit_range(crop).numpy()


def _check(found, signature, expected):
    for name, values in expected.items():
        # Normalisation is folded into fewer operations, which round differently.
        np.testing.assert_allclose(found[f"{signature}/{name}"], values, rtol=1e-5, err_msg=name)


def test_images_get_the_routers_answers_in_a_process_without_this_package(answers, router, pixels):
    found, _ = answers
    expected = router(preprocessing.normalise(_shown(pixels), FORMAT).numpy())
    _check(found, "serving_default", expected)
    _check(found, "serving_uint8", expected)
    labels, superclasses = expected["label"].numpy(), expected["superclass"].numpy()
    assert len(set(labels)) > 2
    assert -1 in labels
    names = [MAP.label_names[label] if label >= 0 else "" for label in labels]
    assert found["serving_default/label_name"].tolist() == names
    names = [MAP.superclass_names[superclass] for superclass in superclasses]
    assert found["serving_default/superclass_name"].tolist() == names
    # Of an image that abstains, too.
    assert found["serving_default/scores"].shape == (len(pixels), MAP.num_labels)
    assert np.all(found["serving_default/scores"].max(axis=1) > 0)


def test_files_are_read_as_in_evaluation(answers, router, tmp_path):
    found, files = answers
    shown = []
    for data in files:
        path = tmp_path / "image"
        path.write_bytes(data)
        shown.append(_shown(image_files.read_image(path, channels=3)))
    expected = router(preprocessing.normalise(np.stack(shown), FORMAT).numpy())
    np.testing.assert_array_equal(found["serving_jpeg/superclass"], expected["superclass"])
    np.testing.assert_allclose(
        found["serving_jpeg/superclass_probability"], expected["superclass_probability"], atol=0.05
    )


def test_the_first_stage_alone(answers, router, pixels):
    found, _ = answers
    images = preprocessing.normalise(_shown(pixels), FORMAT)
    expected = router.superclass_probabilities(images).numpy()
    np.testing.assert_allclose(found["classify_super/probabilities"], expected, rtol=1e-4)
    np.testing.assert_array_equal(found["classify_super/superclass"], expected.argmax(1))


# As `_CLIENT`; each batch serially, and all of them several times from 8 threads.
_INT8_CLIENT = """
import sys
for name in ("ss_tf", "tf_keras", "tensorflow_model_optimization"):
    sys.modules[name] = None
import concurrent.futures, numpy as np, tensorflow as tf
model = tf.saved_model.load(sys.argv[1])
batches = np.load(sys.argv[2])["batches"]
def run(batch):
    found = model.signatures["serving_default"](images=tf.constant(batch))
    return {name: values.numpy() for name, values in found.items()}
serial = [run(batch) for batch in batches]
with concurrent.futures.ThreadPoolExecutor(8) as threads:
    for number, found in enumerate(threads.map(run, [*batches] * 5)):
        for name, values in serial[number % len(batches)].items():
            assert (found[name] == values).all(), (number, name)
# Text is no array that loads without pickle.
kept = {name for name, values in serial[0].items() if values.dtype != object}
np.savez(sys.argv[3], **{name: np.stack([one[name] for one in serial]) for name in kept})
"""


def test_int8_networks_restored_from_deltas_answer_alike_without_this_package(
    tmp_path, small_int8_model, small_int8_networks
):
    first, rest = map(PureNetwork, trunk.split(small_int8_model, "layer1"))
    base, subs = small_int8_networks[None], [small_int8_networks.get(n) for n in range(3)]
    networks = ResidentNetwork(first, rest, base=base, subs=subs)
    labels_map = SuperclassMap.from_groups({"a": list("vwxyz"), "b": ["b"], "c": ["c1", "c2"]})
    # All superclasses are opened, so each call restores both sub networks.
    router = Router(networks, labels_map, base_kind="super", policy=RoutingPolicy(top_k=3))
    gray = ImageFormat(channels=1, mean=(0.5,), std=(0.25,), crop_fraction=1.0)
    settings = {"superclass_map": labels_map, "image_format": gray}
    saved_model.save(router, tmp_path / "model", **settings)
    batches = np.random.default_rng(0).uniform(size=(8, 3, 16, 16, 1)).astype(np.float32)
    np.savez(tmp_path / "given.npz", batches=batches)
    (tmp_path / "client.py").write_text(_INT8_CLIENT)
    arguments = [tmp_path / name for name in ("client.py", "model", "given.npz", "found.npz")]
    subprocess.run([sys.executable, *map(str, arguments)], check=True, cwd=tmp_path)
    found = np.load(tmp_path / "found.npz")
    here = saved_model.TwoStageModel(router, asset_dir=tmp_path, **settings)
    for number, batch in enumerate(batches):
        expected = here.functions["serving_default"](tf.constant(batch))
        assert found["opened"][number].all()
        for name in found.files:
            np.testing.assert_array_equal(found[name][number], expected[name], err_msg=name)
    assert {*found.files, "label_name", "superclass_name"} == set(expected)


def test_values_out_of_range_are_refused(answers):
    message = str(answers[0]["error"])
    assert "images hold" in message
    assert "expected values in [0, 1]: divide pixels by 255." in message


@pytest.fixture(scope="module")
def signatures(tmp_path_factory, router):
    """Signatures of a SavedModel in this process."""
    folder = tmp_path_factory.mktemp("loaded") / "model"
    _save(router, folder)
    # The model, too, for it keeps the variables.
    model = tf.saved_model.load(str(folder))
    yield model.signatures
    del model


FLAT_POLICY = RoutingPolicy(
    top_k=3, tau=0.9, early_exit=0.55, base_weight=0.3, temperatures={"cat": 2.0}, abstain_below=0.4
)


@pytest.mark.parametrize(
    ("base_kind", "policy"),
    [
        ("super", RoutingPolicy(top_k=2, tau=0.8, temperatures={"vögel": 1.7, "cat": 0.6})),
        ("flat", FLAT_POLICY),
    ],
)
def test_fitted_policies_are_saved_too(tmp_path, pixels, base_kind, policy):
    networks = MeanNetworks(base_width={"super": 3, "flat": 5}[base_kind])
    soft = Router(networks, MAP, base_kind=base_kind, policy=policy)
    _save(soft, tmp_path / "model")
    model = tf.saved_model.load(str(tmp_path / "model"))
    found = model.signatures["serving_uint8"](images=tf.constant(pixels))
    expected = soft(preprocessing.normalise(_shown(pixels), FORMAT).numpy())
    assert set(found) == {*expected, "label_name", "superclass_name"}
    for name, values in expected.items():
        # A logit of -57 that was rounded otherwise moves its probability of 1e-25 by more.
        np.testing.assert_allclose(found[name], values, rtol=1e-5, atol=1e-20, err_msg=name)
    num_opened = set(found["opened"].numpy().sum(axis=1))
    assert num_opened >= ({1, 2} if base_kind == "super" else {0, 2})


def test_an_empty_batch_has_an_empty_answer(signatures):
    for name, key, none in (
        ("serving_default", "images", np.zeros((0, SIZE, SIZE, 3), np.float32)),
        ("serving_uint8", "images", np.zeros((0, 16, 24, 3), np.uint8)),
        ("serving_jpeg", "encoded", np.zeros(0, np.bytes_)),
        ("classify_super", "images", np.zeros((0, SIZE, SIZE, 3), np.float32)),
    ):
        result = signatures[name](**{key: tf.constant(none)})
        assert {values.shape[0] for values in result.values()} == {0}, name
    result = signatures["serving_default"](images=tf.zeros([0, SIZE, SIZE, 3]))
    assert result["opened"].shape == (0, 3)


def _with_nan(images):
    images = images.copy()
    images[1, 0, 0, 0] = np.nan
    return images


@pytest.mark.parametrize(
    ("name", "key", "break_input"),
    [
        ("serving_default", "images", lambda images: _with_nan(images)),
        ("serving_default", "images", lambda images: images - 0.5),
        # Graphs that do not look at shapes compute something here, or end the process.
        ("serving_default", "images", lambda images: images[:, 1:]),
        ("serving_default", "images", lambda images: images[0]),
        ("classify_super", "images", lambda images: images[..., 1:]),
        ("serving_default", "images", lambda images: (255 * images).astype(np.uint8)),
        ("classify_super", "images", lambda images: _with_nan(images)),
        ("serving_uint8", "images", lambda images: (255 * images[..., :1]).astype(np.uint8)),
        ("serving_uint8", "images", lambda images: np.zeros((2, 0, 0, 3), np.uint8)),
        ("serving_uint8", "images", lambda images: np.zeros((4, 4, 3), np.uint8)),
        ("serving_jpeg", "encoded", lambda images: np.array([b"no image"])),
        ("serving_jpeg", "encoded", lambda images: np.array([b""])),
        ("serving_jpeg", "encoded", lambda images: np.array(b"a scalar")),
    ],
)
def test_bad_input_is_refused_and_later_calls_are_right(signatures, pixels, name, key, break_input):
    images = _shown(pixels)
    before = signatures["serving_default"](images=tf.constant(images))
    with pytest.raises((tf.errors.InvalidArgumentError, TypeError)):
        signatures[name](**{key: tf.constant(break_input(images))})
    after = signatures["serving_default"](images=tf.constant(images))
    for output, values in before.items():
        np.testing.assert_array_equal(values, after[output], err_msg=output)


def test_names_are_assets_and_nothing_is_overwritten(tmp_path, router):
    _save(router, tmp_path / "new" / "model")
    assets = tmp_path / "new" / "model" / "assets"
    assert (assets / "labels.txt").read_text("utf-8") == "owl\nhen\ntug\nlion\nいぬ\n"
    assert (assets / "superclasses.txt").read_text("utf-8") == "vögel\nboat\ncat\n"
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["model"]
    with pytest.raises(ValueError, match="model is there already, expected a new folder"):
        _save(router, tmp_path / "new" / "model")
