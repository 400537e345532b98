import dataclasses

from ss_tf.evaluation import network_macs
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
    assert network_macs.count(run_config(), dataset) == {
        "stage1": BODY + 3 * FEATURES,
        "flat": BODY + 6 * FEATURES,
        "flat_equal_compute": BODY + SECOND_BLOCK_OF_LAYER_4 + 6 * FEATURES,
        # Cars need no sub network.
        "subs": {"bird": BODY + 3 * FEATURES, "boat": BODY + 2 * FEATURES},
    }


def test_flat_base_costs_a_flat_network_as_stage_1(run_config, dataset):
    macs = network_macs.count(run_config(sub_init="flat"), dataset)
    assert macs["stage1"] == macs["flat"]


def test_run_without_second_flat_network_has_no_such_count(run_config, dataset):
    config = dataclasses.replace(run_config(), equal_compute_model=None)
    assert network_macs.count(config, dataset)["flat_equal_compute"] == NOT_EVALUATED
