"""The two-stage model as a SavedModel, which runs in TensorFlow without this package."""

from __future__ import annotations

import functools
import pathlib
import tempfile

import tensorflow as tf

from ss_tf import files
from ss_tf.data import preprocessing
from ss_tf.data.examples import ImageFormat
from ss_tf.hierarchy.superclass_map import SuperclassMap
from ss_tf.routing.router import Router

LABELS_FILE, SUPERCLASSES_FILE = "labels.txt", "superclasses.txt"


class TwoStageModel(tf.Module):
    """A router with what stands before and after it: pixels, and names.

    Signatures, each for any batch:

    * `serving_default`: `images`, float32 in [0, 1] of the network's size;
    * `serving_uint8`: `images`, uint8 of any one size, cropped and resized as in evaluation;
    * `serving_jpeg`: `encoded`, JPEG files (or PNG, BMP, GIF) of any sizes;
    * `classify_super`: `images` as `serving_default`, the first stage alone.

    The first three answer with the fields of `decisions.Routed`, `scores` of all labels among
    them, and with `superclass_name` and `label_name`, which is empty where there is no label. The
    last one answers with `probabilities`, float32 `[batch, num_superclasses]`, and with
    `superclass` and `superclass_name` of the largest.
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
            "serving_default": tf.function(self._classify, input_signature=[images]),
            "serving_uint8": tf.function(self._classify_pixels, input_signature=[pixels]),
            "serving_jpeg": tf.function(self._classify_encoded, input_signature=[encoded]),
            "classify_super": tf.function(self._classify_super, input_signature=[images]),
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
        images = tf.map_fn(self._decoded, encoded, fn_output_signature=shape)
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
        is_in_range = tf.reduce_all((images >= 0) & (images <= 1))
        tf.debugging.Assert(is_in_range, ["images hold values out of [0, 1]."])
        return preprocessing.normalise(images, self._format)

    def _cropped(self, images: tf.Tensor) -> tf.Tensor:
        size = self._router.networks.image_shape[0]
        return preprocessing.centre_crop(
            images, image_size=size, crop_fraction=self._format.crop_fraction
        )

    def _decoded(self, encoded: tf.Tensor) -> tf.Tensor:
        """Returns one image as in evaluation, float32 in [0, 255]."""
        size, channels = self._router.networks.image_shape[0], self._format.channels

        def from_jpeg():
            part = preprocessing.decode_jpeg_part(
                encoded,
                functools.partial(
                    preprocessing.centre_box, crop_fraction=self._format.crop_fraction
                ),
                min_side=preprocessing.decoded_side(size),
                channels=channels,
            )
            return preprocessing.resize(part, image_size=size)

        def from_others():
            return self._cropped(tf.io.decode_image(encoded, channels, expand_animations=False))

        return tf.cond(tf.io.is_jpeg(encoded), from_jpeg, from_others)


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
    if path.exists():
        raise ValueError(f"{path} is there already, expected a new folder.")
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


def _asset(path: pathlib.Path, names: tuple[str, ...]) -> tf.saved_model.Asset:
    """Writes names, one per line, into a file that is saved with the model."""
    files.write_atomically(path, "".join(f"{name}\n" for name in names).encode())
    return tf.saved_model.Asset(str(path))
