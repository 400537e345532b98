import dataclasses

import numpy as np
import pytest

from ss_tf.data import examples
from ss_tf.deltas import bank, layout, sizes
from ss_tf.models import delta_grid, integer_network
from ss_tf.training import distribution, metrics_log, networks, stages, sub_networks
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
    delta = dataclasses.replace(config.delta, bits=0.05, penalty=2.0, freeze_through="layer2")
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
    record = metrics_log.read(run.network_dir("sub/a"))[-1]
    assert record["delta_step"] > 1
    for name in set(base.kernels) - shared - {"fc/kernel"}:
        residual = sub.kernels[name].astype(int) - base.kernels[name]
        is_clipped = np.abs(sub.kernels[name]) == 127
        largest = max(kernel.size for kernel in layout.body_kernels(base).values())
        step = round(record["delta_step"] * (residual.size / largest) ** 0.15)
        assert np.all((residual % max(step, 1) == 0) | is_clipped), name
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


def _base_and_weights(spread):
    """Returns a base of one convolution and a head, and float kernels so many int8 steps away."""
    rng = np.random.default_rng(0)
    shape = (3, 3, 20, 50)
    kernels = {
        "conv1/kernel": rng.integers(-90, 91, shape).astype(np.int8),
        "fc/kernel": np.zeros((50, 2), np.int8),
    }
    scales = {
        "conv1/kernel": np.full(50, 0.25, np.float32),
        "fc/kernel": np.array(0.5, np.float32),
    }
    base = integer_network.IntegerNetwork(kernels, scales, {}, {})
    moved = kernels["conv1/kernel"] + rng.normal(0, spread, shape)
    # The head is no part of the delta: its values are far from the base's.
    return base, {"conv1/kernel": 0.25 * moved, "fc/kernel": rng.normal(0, 90, (50, 2))}


def _bits(base, weights, step):
    """Returns the entropy of a normal distribution's rounded residuals, counted with numpy."""
    moved = weights["conv1/kernel"] / 0.25 - base.kernels["conv1/kernel"]
    shares = np.unique(np.rint(moved / step), return_counts=True)[1] / moved.size
    return -np.sum(shares * np.log2(shares))


@pytest.mark.parametrize("spread", [0.4, 2.0, 7.0])
@pytest.mark.parametrize("bits", [0.3, 1.0, 2.5])
def test_the_finest_step_that_keeps_to_the_bits_is_taken(spread, bits):
    base, weights = _base_and_weights(spread)
    step = sub_networks.finest_step(base, weights, bits=bits)
    assert _bits(base, weights, round(step)) <= bits
    assert step == 1 or _bits(base, weights, round(step) - 1) > bits


def test_small_kernels_get_finer_steps_within_the_same_bits():
    base, weights = _base_and_weights(7.0)
    rng = np.random.default_rng(1)
    small = rng.integers(-90, 91, (3, 3, 4, 5)).astype(np.int8)
    base = dataclasses.replace(
        base,
        kernels=base.kernels | {"small/kernel": small},
        scales=base.scales | {"small/kernel": np.full(5, 0.25, np.float32)},
    )
    weights["small/kernel"] = 0.25 * (small + rng.normal(0, 7.0, small.shape))
    step = sub_networks.finest_step(base, weights, bits=1.0)
    finer = round(step * (180 / 9000) ** 0.15)
    assert finer < 0.6 * round(step)

    def entropy(name, step):
        moved = weights[name] / 0.25 - base.kernels[name]
        counts = np.unique(np.rint(moved / step), return_counts=True)[1]
        return np.sum(counts * np.log2(moved.size / counts))

    both = entropy("conv1/kernel", round(step)) + entropy("small/kernel", finer)
    assert both <= 9180 * 1.0
    wider = step - 1 / 8
    both = entropy("conv1/kernel", round(wider))
    assert both + entropy("small/kernel", round(wider * (180 / 9000) ** 0.15)) > 9180 * 1.0


def test_no_kernel_is_rounded_to_one_step_twice(monkeypatch):
    base, weights = _base_and_weights(7.0)
    rng = np.random.default_rng(1)
    names = [f"small{number}/kernel" for number in range(150)]
    small = {name: rng.integers(-90, 91, (1, 1, 4, 5)).astype(np.int8) for name in names}
    scales = {name: np.full(5, 0.25, np.float32) for name in names}
    base = dataclasses.replace(base, kernels=base.kernels | small, scales=base.scales | scales)
    weights |= {
        name: 0.25 * (kernel + rng.normal(0, 7.0, (4, 5))) for name, kernel in small.items()
    }
    steps, entropies = set(), []
    whole_steps, entropy_bytes = delta_grid.whole_steps, sizes.entropy_bytes

    def note_step(step, relative):
        found = whole_steps(step, relative)
        steps.add((float(relative), float(found)))
        return found

    monkeypatch.setattr(delta_grid, "whole_steps", note_step)
    monkeypatch.setattr(
        sizes, "entropy_bytes", lambda values: entropies.append(1) or entropy_bytes(values)
    )
    sub_networks.finest_step(base, weights, bits=1.0)
    of_largest = {step for relative, step in steps if relative == 1}
    of_small = {step for relative, step in steps if relative < 1}
    assert len(of_small) < len(of_largest)
    assert len(entropies) == len(of_largest) + 150 * len(of_small)


def test_a_network_that_moved_further_gets_a_wider_step():
    steps = [
        sub_networks.finest_step(*_base_and_weights(spread), bits=1.0) for spread in (1, 4, 16)
    ]
    assert steps == sorted(set(steps))


def test_the_widest_step_is_the_range_itself():
    base, weights = _base_and_weights(60.0)
    assert sub_networks.finest_step(base, weights, bits=0.01) == 127


def test_superclasses_of_more_images_get_more_bits(run_config, stripes):
    labels_map = stripes.superclass_map
    owner = np.asarray(labels_map.superclass_of_label)
    # One image of each label, but 20 of the first.
    labels = np.concatenate([np.zeros(19, np.int64), np.arange(labels_map.num_labels)])
    train = examples.Examples(
        images=np.zeros((len(labels), 8, 8, 1), np.uint8),
        labels=labels,
        keys=np.array([str(number) for number in range(len(labels))]),
    )
    config = run_config()
    config = dataclasses.replace(config, delta=dataclasses.replace(config.delta, bits=1.5))
    uneven = dataclasses.replace(stripes, train=train)
    for superclass, name in enumerate(labels_map.superclass_names):
        count = np.sum(owner[labels] == superclass)
        expected = 1.5 * (count / (len(labels) / labels_map.num_superclasses)) ** (1 / 3)
        assert sub_networks.bits_of(name, config, uneven) == pytest.approx(expected)
