import threading

import numpy as np
import pytest

from ss_tf.hierarchy import superclass_map
from ss_tf.routing import resident_network, router

# Labels: 0 owl, 1 boat, 2 hen, 3 cat, 4 lion, 5 jay. "boat" has a single subclass.
MAP = superclass_map.SuperclassMap(
    superclass_names=("bird", "boat", "cat"),
    label_names=("owl", "tug", "hen", "tabby", "lion", "jay"),
    superclass_of_label=(0, 1, 0, 2, 2, 0),
)
LOG = np.log


class FakeResident:
    """Networks that look their logits up: an image of 1x1x1 pixels is an index into a table."""

    image_shape = (1, 1, 1)

    def __init__(self, tables):
        self.lock = threading.RLock()
        self.switches = []
        self._tables = {name: np.array(table, np.float32) for name, table in tables.items()}
        self.switch(None)

    @property
    def num_classes(self):
        return self._tables[self.superclass_name].shape[1]

    def switch(self, name):
        if name not in self._tables:
            raise ValueError(f"no entry for {name}")
        self.superclass_name = name
        self.switches.append(name)

    def logits(self, images):
        resident_network.check_images(images, self.image_shape)
        return self._tables[self.superclass_name][images[:, 0, 0, 0].astype(int)]


def _images(*indices):
    return np.array(indices, np.float32).reshape(-1, 1, 1, 1)


@pytest.fixture
def resident():
    """Images 0 and 3 are birds, 1 is a boat, 2 is a cat."""
    return FakeResident(
        {
            None: LOG([[8, 1, 1], [1, 6, 3], [2, 3, 5], [4, 3, 3]]),
            "bird": LOG([[1, 2, 7], [1, 1, 1], [1, 1, 1], [5, 3, 2]]),
            "cat": LOG([[1, 1], [1, 1], [1, 3], [1, 1]]),
        }
    )


def test_decisions_by_hand(resident):
    routed = router.Router(resident, MAP, base_kind="super")(_images(0, 1, 2, 3))
    np.testing.assert_array_equal(routed.superclass, [0, 1, 2, 0])
    np.testing.assert_allclose(routed.superclass_probability, [0.8, 0.6, 0.5, 0.4], rtol=1e-6)
    np.testing.assert_array_equal(routed.subclass, [2, 0, 1, 0])
    np.testing.assert_allclose(routed.subclass_probability, [0.7, 1, 0.75, 0.5], rtol=1e-6)
    # Birds are the labels 0, 2, 5; the boat is 1; cats are 3, 4.
    np.testing.assert_array_equal(routed.label, [5, 1, 4, 0])
    assert [routed.superclass.dtype, routed.subclass.dtype, routed.label.dtype] == [np.int64] * 3
    np.testing.assert_array_equal(routed.opened, np.eye(3, dtype=bool)[[0, 1, 2, 0]], strict=True)
    assert routed.superclass_probability.dtype == routed.subclass_probability.dtype == np.float32


def test_decisions_follow_the_order_of_the_images(resident):
    route = router.Router(resident, MAP, base_kind="super")
    rng = np.random.default_rng(0)
    order = rng.integers(0, 4, 50)
    one_by_one = [route(_images(index)) for index in order]
    together = route(_images(*order))
    for field in ("superclass", "superclass_probability", "subclass", "label", "opened"):
        expected = np.concatenate([getattr(routed, field) for routed in one_by_one])
        np.testing.assert_array_equal(getattr(together, field), expected)


def test_each_sub_network_is_switched_to_once_and_the_base_comes_back(resident):
    route = router.Router(resident, MAP, base_kind="super")
    resident.switches.clear()
    route(_images(2, 0, 1, 3, 2, 0, 0, 2))
    assert [name for name in resident.switches if name is not None] == ["bird", "cat"]
    assert resident.superclass_name is None


def test_a_superclass_with_one_subclass_needs_no_sub_network(resident):
    route = router.Router(resident, MAP, base_kind="super")
    resident.switches.clear()
    routed = route(_images(1, 1))
    assert set(resident.switches) == {None}
    np.testing.assert_array_equal(routed.label, [1, 1])
    np.testing.assert_array_equal(routed.subclass_probability, np.ones(2, np.float32))


def test_a_flat_base_decides_by_summed_probability():
    # The most probable label is tug (0.3), but birds together have 0.2 + 0.15 + 0.25.
    table = LOG([[0.2, 0.3, 0.15, 0.05, 0.05, 0.25]])
    resident = FakeResident({None: table, "bird": LOG([[1, 1, 2]])})
    routed = router.Router(resident, MAP, base_kind="flat")(_images(0))
    np.testing.assert_array_equal(routed.superclass, [0])
    np.testing.assert_allclose(routed.superclass_probability, [0.6], rtol=1e-6)
    np.testing.assert_array_equal(routed.label, [5])


def test_a_batch_of_none_gives_an_empty_result(resident):
    routed = router.Router(resident, MAP, base_kind="super")(_images())
    assert routed.opened.shape == (0, 3)
    for name, field in vars(routed).items():
        assert name == "opened" or field.shape == (0,)


def test_the_base_comes_back_after_an_error(resident):
    route = router.Router(resident, MAP, base_kind="super")
    del resident._tables["cat"]
    with pytest.raises(ValueError, match="no entry for cat"):
        route(_images(0, 2))
    assert resident.superclass_name is None
    with pytest.raises(ValueError, match=r"uint8 of shape \(1, 1, 1, 1\), expected float32"):
        route(_images(0).astype(np.uint8))


def test_a_sub_network_of_another_width_is_refused(resident):
    resident._tables["cat"] = np.zeros((4, 3), np.float32)
    route = router.Router(resident, MAP, base_kind="super")
    with pytest.raises(ValueError, match="'cat' has 3 classes, expected its 2 subclasses"):
        route(_images(2))


def test_a_base_that_does_not_fit_the_map_is_refused(resident):
    with pytest.raises(ValueError, match=r"flat base have shape \(0, 3\), expected \('batch', 6\)"):
        router.Router(resident, MAP, base_kind="flat")
    with pytest.raises(ValueError, match="base_kind is 'scratch', expected super or flat"):
        router.Router(resident, MAP, base_kind="scratch")
