"""The two-stage model as a SavedModel, which runs in TensorFlow without this package."""

from __future__ import annotations

import os
import pathlib
import tempfile
from collections.abc import Callable

import tensorflow as tf

from ss_tf import files
from ss_tf.data import preprocessing
from ss_tf.data.examples import ImageFormat
from ss_tf.export import encoded_images
from ss_tf.hierarchy.superclass_map import SuperclassMap
from ss_tf.routing.router import Router

LABELS_FILE, SUPERCLASSES_FILE = "labels.txt", "superclasses.txt"


class TwoStageModel(tf.Module):
    """A router with what stands before and after it: pixels, and names.

    Signatures, each for any batch, also an empty one:

    * `serving_default`: `images`, float32 `[batch, *image_shape]` in [0, 1], of the network's size;
    * `serving_uint8`: `images`, uint8 `[batch, height, width, channels]` of any one size, cropped
      and resized as in evaluation;
    * `serving_jpeg`: `encoded`, string `[batch]`, files of any sizes, see `encoded_images`;
    * `classify_super`: `images` as `serving_default`, the first stage alone.

    The first three give the fields of `decisions.Routed`, `scores` of all labels among them, and
    `label_name` and `superclass_name`, string `[batch]` in UTF-8; without a label its name is
    empty. `classify_super` gives `probabilities`, float32 `[batch, num_superclasses]`,
    `superclass`, int64, and `superclass_name`. Columns of superclasses have the order of
    `superclasses.txt`.

    Images of another shape, values out of [0, 1] and bytes that are no image raise a
    tf.errors.InvalidArgumentError; a call changes nothing, so that later ones are right.
    """

    def __init__(
        self,
        router: Router,
        *,
        superclass_map: SuperclassMap,
        image_format: ImageFormat,
        asset_dir: pathlib.Path,
    ):
        """Prepares the functions.

        Args:
          router: two-stage inference on normalised images.
          superclass_map: gives the names.
          image_format: of the images that the networks were trained on.
          asset_dir: folder in which the files with the names are made; needed until it is saved.
        """
        super().__init__(name="two_stage_model")
        self._router = router
        self._format = image_format
        self._labels = tf.constant(superclass_map.label_names)
        self._superclasses = tf.constant(superclass_map.superclass_names)
        self.labels = _asset(asset_dir / LABELS_FILE, superclass_map.label_names)
        self.superclasses = _asset(asset_dir / SUPERCLASSES_FILE, superclass_map.superclass_names)
        height, width, channels = router.networks.image_shape
        images = tf.TensorSpec([None, height, width, channels], tf.float32, "images")
        pixels = tf.TensorSpec([None, None, None, channels], tf.uint8, "images")
        encoded = tf.TensorSpec([None], tf.string, "encoded")
        self.functions = {
            "serving_default": _checked(self._classify, images),
            "serving_uint8": _checked(self._classify_pixels, pixels),
            "serving_jpeg": _checked(self._classify_encoded, encoded),
            "classify_super": _checked(self._classify_super, images),
        }

    def _classify(self, images: tf.Tensor) -> dict[str, tf.Tensor]:
        result = self._router.route(self._normalised(images))
        # An answer without a label, -1, gets the empty name behind the last one.
        names = tf.concat([self._labels, [""]], axis=0)
        return result | {
            "label_name": tf.gather(names, result["label"] % tf.size(names, tf.int64)),
            "superclass_name": tf.gather(self._superclasses, result["superclass"]),
        }

    def _classify_pixels(self, images: tf.Tensor) -> dict[str, tf.Tensor]:
        return self._classify(preprocessing.to_unit_range(self._cropped(images)))

    def _classify_encoded(self, encoded: tf.Tensor) -> dict[str, tf.Tensor]:
        shape = tf.TensorSpec(self._router.networks.image_shape, tf.float32)
        # Two at a time: a large one takes much memory until it is resized.
        images = tf.map_fn(self._decoded, encoded, fn_output_signature=shape, parallel_iterations=2)
        return self._classify(preprocessing.to_unit_range(images))

    def _classify_super(self, images: tf.Tensor) -> dict[str, tf.Tensor]:
        probabilities = self._router.superclass_probabilities(self._normalised(images))
        superclass = tf.argmax(probabilities, axis=1)
        return {
            "probabilities": probabilities,
            "superclass": superclass,
            "superclass_name": tf.gather(self._superclasses, superclass),
        }

    def _normalised(self, images: tf.Tensor) -> tf.Tensor:
        # NaN is not in the range either.
        is_in_range = (images >= 0) & (images <= 1)
        is_good = tf.reduce_all(is_in_range)
        # Looked for only where there is one to name: it takes a pass over all pixels.
        first_other = tf.cond(
            is_good,
            lambda: tf.zeros([0]),
            lambda: tf.boolean_mask(images, ~is_in_range)[:1],
        )
        told = ["images hold", first_other, "expected values in [0, 1]: divide pixels by 255."]
        tf.debugging.Assert(is_good, told)
        return preprocessing.normalise(images, self._format)

    def _cropped(self, images: tf.Tensor) -> tf.Tensor:
        size = self._router.networks.image_shape[0]
        return preprocessing.centre_crop(
            images, image_size=size, crop_fraction=self._format.crop_fraction
        )

    def _decoded(self, encoded: tf.Tensor) -> tf.Tensor:
        size = self._router.networks.image_shape[0]
        return encoded_images.decode(encoded, self._format, image_size=size)


def save(
    router: Router,
    path: pathlib.Path,
    *,
    superclass_map: SuperclassMap,
    image_format: ImageFormat,
) -> None:
    """Writes a SavedModel into a folder, which appears whole or not at all.

    Args:
      router: two-stage inference on normalised images.
      path: folder to make.
      superclass_map: gives the names.
      image_format: of the images that the networks were trained on.

    Raises:
      ValueError: if there is something at `path` already.
    """
    check_is_new(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{path.name}.", dir=path.parent) as folder:
        folder = pathlib.Path(folder)
        model = TwoStageModel(
            router,
            superclass_map=superclass_map,
            image_format=image_format,
            asset_dir=folder,
        )
        tf.saved_model.save(model, str(folder / "model"), signatures=model.functions)
        (folder / "model").rename(path)


def check_is_new(path: pathlib.Path) -> None:
    """Raises ValueError if there is something at `path` already."""
    if os.path.lexists(path):
        raise ValueError(
            f"{path} is there already, expected a new folder. Remove it, or give another --output."
        )


def _checked(
    classify: Callable[[tf.Tensor], dict[str, tf.Tensor]], spec: tf.TensorSpec
) -> tf.types.experimental.PolymorphicFunction:
    """Returns a graph that refuses other shapes as it runs.

    A loaded signature looks at dtypes alone. Operations that were built for one shape and meet
    another compute something, or end the process.
    """

    def run(values):
        return classify(tf.ensure_shape(values, spec.shape))

    return tf.function(run, input_signature=[spec], autograph=False)


def _asset(path: pathlib.Path, names: tuple[str, ...]) -> tf.saved_model.Asset:
    """Writes names, one per line, into a file that is saved with the model."""
    files.write_atomically(path, "".join(f"{name}\n" for name in names).encode())
    return tf.saved_model.Asset(str(path))
