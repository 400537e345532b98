import dataclasses

import numpy as np
import pytest

from ss_tf.deltas import bank
from ss_tf.models import integer_network
from ss_tf.training import distribution, networks, stages, sub_networks
from ss_tf.training.run_dir import RunDir


def _train(config, directory, dataset, names):
    devices = distribution.start(config.devices)
    stages.Stages(config, RunDir(directory), dataset=dataset, devices=devices).train(names)
    return RunDir(directory)


def _is_shared(name, *, through):
    """Tells by the name alone whether a tensor lies before the end of a stage."""
    first = name.split(".")[0].split("/")[0]
    return first in ("conv1", "bn1", "relu", "image", *through)


def test_frozen_layers_of_a_float_model_are_those_of_the_stage(run_config, stripes):
    config = run_config()
    config = dataclasses.replace(
        config, delta=dataclasses.replace(config.delta, freeze_through="layer1")
    )
    model = networks.build(config, stripes, "sub/a")
    sub_networks.freeze(model, config)
    for variable in model.variables:
        trains = any(variable is v for v in model.trainable_variables)
        if _is_shared(variable.name, through=("layer1",)):
            assert not trains, variable.name
        elif "moving" not in variable.name:
            assert trains, variable.name


@pytest.mark.slow
def test_a_frozen_trunk_is_the_bases_and_other_kernels_are_steps_away(
    stripes, run_config, tmp_path
):
    config = run_config(equal_compute_model=None)
    delta = dataclasses.replace(config.delta, step=6, penalty=2.0, freeze_through="layer2")
    run = _train(dataclasses.replace(config, delta=delta), tmp_path, stripes, ["super", "sub/a"])
    base = integer_network.load(run.int8_file("super"))
    sub = bank.read_entry(run.bank_dir, "a", base=base)
    shared = {*base.kernels, *base.floats}
    shared = {name for name in shared if _is_shared(name, through=("layer1", "layer2"))}
    assert {"conv1/kernel", "bn1/moving_mean", "relu/output_max", "image/output_max"} <= shared
    for group in ("kernels", "floats"):
        before, after = getattr(base, group), getattr(sub, group)
        for name in shared & before.keys():
            np.testing.assert_array_equal(after[name], before[name], err_msg=name)
    moved = {
        name for name in base.floats if not np.array_equal(base.floats[name], sub.floats[name])
    }
    assert {"layer3.0.bn1/gamma", "layer3.0.bn1/moving_mean", "layer4.0.relu2/output_max"} <= moved
    for name in set(base.kernels) - shared - {"fc/kernel"}:
        steps = sub.kernels[name].astype(int) - base.kernels[name]
        assert np.all((steps % 6 == 0) | (np.abs(sub.kernels[name]) == 127)), name
    assert np.any(sub.kernels["layer4.0.conv2/kernel"] != base.kernels["layer4.0.conv2/kernel"])


@pytest.mark.slow
def test_a_huge_penalty_leaves_kernels_at_the_bases(stripes, run_config, tmp_path):
    config = run_config(equal_compute_model=None)
    delta = dataclasses.replace(config.delta, penalty=1e9)
    run = _train(dataclasses.replace(config, delta=delta), tmp_path, stripes, ["super", "sub/a"])
    base = integer_network.load(run.int8_file("super"))
    sub = bank.read_entry(run.bank_dir, "a", base=base)
    for name in set(base.kernels) - {"fc/kernel"}:
        np.testing.assert_array_equal(sub.kernels[name], base.kernels[name], err_msg=name)
    assert np.any(sub.floats["bn1/gamma"] != base.floats["bn1/gamma"])
