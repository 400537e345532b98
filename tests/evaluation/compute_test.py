import numpy as np
import pytest

from ss_tf.evaluation import compute
from ss_tf.evaluation.results import NOT_EVALUATED

TRUE = np.arange(19) % 6
NETWORKS = {
    "stage1": 1000,
    "flat": 1010,
    "flat_equal_compute": 2100,
    "subs": {"bird": 900, "boat": 800},
}


@pytest.fixture
def macs_per_image(superclass_map):
    def measure(networks=NETWORKS, **opened):
        return compute.macs_per_image(networks, superclass_map, true=TRUE, opened=opened)

    return measure


def test_two_stages_cost_the_sub_network_of_the_true_superclass(macs_per_image, superclass_map):
    macs = macs_per_image()
    assert (macs["stage1"], macs["flat"], macs["flat_equal_compute"]) == (1000, 1010, 2100)
    superclasses = np.array(superclass_map.superclass_of_label)[TRUE]
    birds, boats = np.sum(superclasses == 0), np.sum(superclasses == 1)
    # Car images need no second stage.
    assert macs["two_stage"] == 1000 + round((birds * 900 + boats * 800) / 19)
    assert macs["flat_equal_compute_ratio"] == 2100 / macs["two_stage"]


def test_soft_routing_costs_the_sub_networks_that_it_opens(macs_per_image):
    assert macs_per_image()["two_stage_soft"] == NOT_EVALUATED
    opened = np.zeros((19, 3), bool)
    opened[:10, 0], opened[8:, 1], opened[5:, 2] = True, True, True
    # 10 birds, 11 boats; cars are free.
    soft = macs_per_image(soft=opened)["two_stage_soft"]
    assert soft == 1000 + round((10 * 900 + 11 * 800) / 19)


def test_a_policy_that_stays_hard_costs_what_hard_routing_costs(macs_per_image):
    # Not what the true superclasses would cost.
    opened, others = np.eye(3, dtype=bool)[[0] * 19], np.eye(3, dtype=bool)[[1] * 19]
    macs = macs_per_image(vanilla=others, hard=opened, soft=opened)
    assert macs["two_stage"] == macs["two_stage_soft"] == 1900
    macs = macs_per_image(vanilla=others)
    assert macs["two_stage"] == 1800
    assert macs["two_stage_soft"] == NOT_EVALUATED


def test_run_without_second_flat_network_has_no_such_count(macs_per_image):
    macs = macs_per_image({**NETWORKS, "flat_equal_compute": NOT_EVALUATED})
    assert macs["flat_equal_compute"] == macs["flat_equal_compute_ratio"] == NOT_EVALUATED
