"""StoredPredictions: what the networks of a run said about the validation images.

Every number, figure and page of a report is computed from it, without the networks.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np

from ss_tf.hierarchy.superclass_map import SuperclassMap
from ss_tf.routing.policy import RoutingPolicy
from ss_tf.routing.sub_logits import SubLogits
from ss_tf.training.run_dir import FLAT, FLAT_EQUAL_COMPUTE, SUPER

FORMS = ("float", "int8")
# Networks over all images: name -> forms that a run may have.
NETWORKS = {FLAT: FORMS, FLAT_EQUAL_COMPUTE: ("float",), SUPER: FORMS}

# What a report says that does not come from logits; what each is: docs/RESULTS.md, where the
# entries of results.json have the same names, but for `minival` (routing.minival) and
# `network_macs` (`network_macs.count`).
FACTS = (
    "command",
    "dataset",
    "examples_by_split",
    "examples_by_superclass",
    "flags",
    "minival",
    "network_macs",
    "seconds",
    "seed",
    "sizes",
    "starts_from",
    "training",
    "unreadable",
    "validation_digest",
    "versions",
)


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class StoredPredictions:
    """Logits of a run's networks for its `n` validation images, n at least 1.

    Attributes:
      superclass_map: the partition that the networks were trained with.
      base_kind: "super" or "flat", the network that decides the superclass.
      labels: int64 `[n]`, true labels.
      keys: `n` different texts, the name of each image in its data set.
      logits: (network, form) -> float32 `[n, classes]`, of NETWORKS that the run has: "flat" and
        "flat_equal_compute" over labels, "super" over superclasses.
      subs: form -> superclass -> logits of its sub network, for the images that may reach it. A
        form is there with all superclasses of more than one label, or not at all.
      policy: of soft routing, which never abstains; None leaves soft routing out.
      facts: FACTS, of JSON's types.

    Raises:
      ValueError: naming the first part that does not fit; also if a logit is not finite.
    """

    superclass_map: SuperclassMap
    base_kind: str
    labels: np.ndarray
    keys: Sequence[str]
    logits: Mapping[tuple[str, str], np.ndarray]
    subs: Mapping[str, Mapping[int, SubLogits]]
    policy: RoutingPolicy | None
    facts: Mapping[str, object]

    def __post_init__(self):
        if self.base_kind not in (SUPER, FLAT):
            raise ValueError(f"base_kind is {self.base_kind!r}, expected {SUPER!r} or {FLAT!r}.")
        self._check_images()
        for (name, form), logits in self.logits.items():
            if form not in NETWORKS.get(name, ()):
                raise ValueError(f"There are logits of {name!r} in {form!r}, expected {NETWORKS}.")
            width = self.superclass_map.num_labels
            if name == SUPER:
                width = self.superclass_map.num_superclasses
            _check_logits(f"{name} {form}", logits, shape=(len(self.labels), width))
        self._check_subs()
        if self.policy is not None:
            self._check_policy(self.policy)
        if set(self.facts) != set(FACTS):
            raise ValueError(
                f"facts lacks {sorted(set(FACTS) - set(self.facts))} and has "
                f"{sorted(set(self.facts) - set(FACTS))} beside what is expected: {FACTS}."
            )

    def _check_images(self) -> None:
        """Raises ValueError unless labels and keys fit together."""
        if self.labels.dtype != np.int64 or self.labels.ndim != 1 or not self.labels.size:
            raise ValueError(
                f"labels is {self.labels.dtype} of shape {self.labels.shape}, expected int64 of "
                "shape (n,) with n at least 1."
            )
        most = self.superclass_map.num_labels - 1
        if self.labels.min() < 0 or self.labels.max() > most:
            raise ValueError(
                f"labels has {self.labels.min()} to {self.labels.max()}, expected 0 to {most}."
            )
        distinct = len(set(self.keys))
        if not distinct == len(self.keys) == len(self.labels):
            raise ValueError(
                f"There are {len(self.keys)} keys, {distinct} of them different, for "
                f"{len(self.labels)} labels, expected one key for each."
            )

    def _check_subs(self) -> None:
        """Raises ValueError unless sub logits are of all sub networks, and of these images."""
        wanted = set(superclasses_with_sub(self.superclass_map))
        for form, subs in self.subs.items():
            if form not in FORMS or set(subs) != wanted:
                raise ValueError(
                    f"There are sub logits in {form!r} of the superclasses {sorted(subs)}, "
                    f"expected {' or '.join(FORMS)} of {sorted(wanted)}."
                )
            for superclass, sub in subs.items():
                name = f"sub/{self.superclass_map.superclass_names[superclass]} {form}"
                width = len(self.superclass_map.labels_in(superclass))
                _check_logits(name, sub.logits, shape=(len(sub.indices), width))
                _check_indices(name, sub.indices, num_images=len(self.labels))

    def _check_policy(self, policy: RoutingPolicy) -> None:
        """Raises ValueError unless the policy suits the base and decides every image."""
        policy.check_base(is_flat=self.base_kind == FLAT)
        policy.check_names(self.superclass_map.superclass_names)
        if policy.abstain_below:
            raise ValueError(
                f"The policy has abstain_below {policy.abstain_below}, expected 0: each image "
                "gets a label."
            )


def superclasses_with_sub(superclass_map: SuperclassMap) -> dict[int, str]:
    """Returns index -> name of the superclasses with more than one label."""
    return {
        superclass: name
        for superclass, name in enumerate(superclass_map.superclass_names)
        if len(superclass_map.labels_in(superclass)) > 1
    }


def _check_logits(name: str, logits: np.ndarray, *, shape: tuple[int, int]) -> None:
    """Raises ValueError unless logits are finite float32 of a shape."""
    if logits.dtype != np.float32 or logits.shape != shape:
        raise ValueError(
            f"Logits of {name} are {logits.dtype} of shape {logits.shape}, expected float32 of "
            f"shape {shape}."
        )
    # The sum of finite numbers may not be, so one of them is looked for only then.
    if not np.isfinite(logits.sum(dtype=np.float64)) and not np.isfinite(logits).all():
        row = int(np.flatnonzero(~np.isfinite(logits).all(axis=1))[0])
        raise ValueError(
            f"Logits of {name} are not finite for image {row}, expected finite numbers: did its "
            "training diverge?"
        )


def _check_indices(name: str, indices: np.ndarray, *, num_images: int) -> None:
    """Raises ValueError unless indices are those of images."""
    if indices.dtype != np.int64:
        raise ValueError(f"Indices of {name} are {indices.dtype}, expected int64.")
    if indices.size and not 0 <= indices.min() <= indices.max() < num_images:
        raise ValueError(
            f"Indices of {name} go from {indices.min()} to {indices.max()}, expected 0 to "
            f"{num_images - 1}."
        )
