import dataclasses

import numpy as np

from ss_tf.evaluation import compute
from ss_tf.evaluation.results import NOT_EVALUATED

# Convolutions of the tests' network on a 16x16 gray image, with widths 4, 8, 16, 32 and strides
# 1, 2, 2, 2 (height * width * size**2 * in * out), counted by hand:
_STEM = 16 * 16 * 9 * 1 * 4
_LAYER_1 = 2 * 16 * 16 * 9 * 4 * 4
_LAYER_2 = 8 * 8 * (9 * 4 * 8 + 9 * 8 * 8 + 1 * 4 * 8)
_LAYER_3 = 4 * 4 * (9 * 8 * 16 + 9 * 16 * 16 + 1 * 8 * 16)
_LAYER_4 = 2 * 2 * (9 * 16 * 32 + 9 * 32 * 32 + 1 * 16 * 32)
BODY = _STEM + _LAYER_1 + _LAYER_2 + _LAYER_3 + _LAYER_4
SECOND_BLOCK_OF_LAYER_4 = 2 * 2 * 2 * 9 * 32 * 32
FEATURES = 32


def test_macs_are_those_counted_by_hand(run_config, dataset):
    macs = compute.macs_per_image(run_config(), dataset)
    assert macs["flat"] == BODY + 6 * FEATURES
    assert macs["flat_equal_compute"] == BODY + SECOND_BLOCK_OF_LAYER_4 + 6 * FEATURES
    assert macs["stage1"] == BODY + 3 * FEATURES
    superclasses = np.array(dataset.superclass_map.superclass_of_label)[dataset.validation.labels]
    birds, boats = np.sum(superclasses == 0), np.sum(superclasses == 1)
    # Car images need no second stage.
    second_stage = birds * (BODY + 3 * FEATURES) + boats * (BODY + 2 * FEATURES)
    assert macs["two_stage"] == macs["stage1"] + round(second_stage / 19)
    assert macs["flat_equal_compute_ratio"] == macs["flat_equal_compute"] / macs["two_stage"]


def test_soft_routing_costs_the_sub_networks_that_it_opens(run_config, dataset):
    assert compute.macs_per_image(run_config(), dataset)["two_stage_soft"] == NOT_EVALUATED
    opened = np.zeros((19, 3), bool)
    opened[:10, 0], opened[8:, 1], opened[5:, 2] = True, True, True
    macs = compute.macs_per_image(run_config(), dataset, opened={"soft": opened})
    # 10 birds, 11 boats; cars are free.
    second_stage = 10 * (BODY + 3 * FEATURES) + 11 * (BODY + 2 * FEATURES)
    assert macs["two_stage_soft"] == macs["stage1"] + round(second_stage / 19)


def test_a_policy_that_stays_hard_costs_what_hard_routing_costs(run_config, dataset):
    # Not what the true superclasses would cost.
    opened, others = np.eye(3, dtype=bool)[[0] * 19], np.eye(3, dtype=bool)[[1] * 19]
    by_system = {"vanilla": others, "hard": opened, "soft": opened}
    macs = compute.macs_per_image(run_config(), dataset, opened=by_system)
    assert macs["two_stage"] == macs["two_stage_soft"]
    assert macs["two_stage"] == macs["stage1"] + BODY + 3 * FEATURES
    macs = compute.macs_per_image(run_config(), dataset, opened={"vanilla": others})
    assert macs["two_stage"] == macs["stage1"] + BODY + 2 * FEATURES
    assert macs["two_stage_soft"] == NOT_EVALUATED


def test_flat_base_costs_a_flat_network_as_stage_1(run_config, dataset):
    macs = compute.macs_per_image(run_config(sub_init="flat"), dataset)
    assert macs["stage1"] == macs["flat"]


def test_run_without_second_flat_network_has_no_such_count(run_config, dataset):
    config = dataclasses.replace(run_config(), equal_compute_model=None)
    macs = compute.macs_per_image(config, dataset)
    assert macs["flat_equal_compute"] == macs["flat_equal_compute_ratio"] == NOT_EVALUATED
