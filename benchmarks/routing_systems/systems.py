"""The systems that are compared, as they are loaded from a run."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable

import numpy as np
import tensorflow as tf

from routing_systems import runs
from ss_tf.data import catalog
from ss_tf.hierarchy.superclass_map import SuperclassMap
from ss_tf.models import heads, integer_network
from ss_tf.routing import loading
from ss_tf.routing.all_resident import AllResident
from ss_tf.routing.router import Networks, Router
from ss_tf.training.run_dir import RunDir

EFFICIENT, CACHED, VANILLA, FLAT = "efficient", "cached", "vanilla", "flat"
# Room for every sub network of a drawn run.
_CACHE_BYTES = 2**30
# Beginning of the names of the variables that hold the compressed sub networks.
_DELTAS = "deltas/"


@dataclasses.dataclass(frozen=True, kw_only=True)
class System:
    """Something that classifies images.

    Attributes:
      networks: what it computes logits with.
      classify: function of images and, or None, the superclasses that the base is to decide, that
        returns their labels and the scores of all labels.
    """

    networks: Networks
    classify: Callable[[np.ndarray, np.ndarray | None], tuple[np.ndarray, tf.Tensor]]

    def weight_bytes(self) -> dict[str, int]:
        """Returns the bytes of all variables: of "networks", and of "deltas" beside them.

        It copies none: a copy would count in the peak of the process.
        """
        sizes = {"networks": 0, "deltas": 0}
        for variable in self.networks.variables:
            kind = "deltas" if variable.name.startswith(_DELTAS) else "networks"
            if variable.dtype == tf.string:
                sizes[kind] += int(tf.reduce_sum(tf.strings.length(variable)))
            else:
                sizes[kind] += int(tf.size(variable)) * variable.dtype.size
        return sizes


def load(kind: str, run: RunDir) -> System:
    """Loads a system of a run.

    Args:
      kind: "efficient", one resident network and deltas; "cached", the same, but sub networks stay
        once they are restored; "vanilla", all of them in float32; or "flat", one of them in
        float32, with a head for all labels: vanilla's operations, once.
      run: folder of the run.
    """
    config = runs.config_of(run)
    image_format = catalog.image_format(config.data.name)
    if kind == FLAT:
        return _flat(load_flat(run))
    load_router = {
        EFFICIENT: loading.load_router,
        CACHED: functools.partial(loading.load_router, cache_bytes=_CACHE_BYTES),
        VANILLA: loading.load_vanilla_router,
    }[kind]
    router = load_router(config, run, image_format=image_format)
    return _two_stage(router, run.superclass_map(), base_kind=config.base)


def load_flat(run: RunDir) -> AllResident:
    """Loads the base in float32, its head filled up with zeros."""
    config = runs.config_of(run)
    base = integer_network.load(run.int8_file(config.base))
    image_format = catalog.image_format(config.data.name)
    network = loading.load_operations(config, run, base, image_format=image_format)
    wide = heads.resize_network(base, run.superclass_map().num_labels)
    return AllResident(network, base=wide, subs=[])


def _flat(networks: AllResident) -> System:
    @tf.function(
        input_signature=[tf.TensorSpec([None, *networks.image_shape], tf.float32)],
        autograph=False,
    )
    def labels_and_scores(images):
        logits = networks.base_logits(images)
        return tf.argmax(logits, axis=1), logits

    def classify(images, _):
        labels, scores = labels_and_scores(images)
        return labels.numpy(), scores

    return System(networks=networks, classify=classify)


def _two_stage(router: Router, superclass_map: SuperclassMap, *, base_kind: str) -> System:
    networks = _Steered(router.networks, superclass_map, is_flat=base_kind == FLAT)
    steered = Router(networks, superclass_map, base_kind=base_kind)

    def classify(images, superclasses):
        if superclasses is None:
            result = router(images)
        else:
            networks.superclasses.assign(superclasses)
            result = steered(images)
        return result["label"].numpy(), result["scores"]

    return System(networks=router.networks, classify=classify)


class _Steered(tf.Module):
    """Networks whose base is run, and then says what it is told.

    Attributes:
      image_shape: of the networks.
      superclasses: int64 variable `[batch]`, what the base decides.
    """

    def __init__(self, networks: Networks, superclass_map: SuperclassMap, *, is_flat: bool):
        super().__init__()
        self._networks, self.image_shape = networks, networks.image_shape
        self.features, self.sub_logits = networks.features, networks.sub_logits
        self.superclasses = tf.Variable([0], shape=[None], dtype=tf.int64, trainable=False)
        # A variable, as a product with a constant 0 would be left out, and the base with it.
        self._nothing = tf.Variable(0.0, trainable=False)
        members = np.eye(superclass_map.num_superclasses, dtype=np.float32)
        members = members[:, list(superclass_map.superclass_of_label)] if is_flat else members
        self._logits = tf.constant(100 * members)

    def base_logits(self, features: tf.Tensor) -> tf.Tensor:
        """Returns logits that leave no doubt."""
        told = tf.gather(self._logits, self.superclasses)
        return told + self._nothing * self._networks.base_logits(features)
