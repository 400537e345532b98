import dataclasses

import numpy as np
import pytest

from ss_tf import files
from ss_tf.deltas import bank
from ss_tf.models import int8_grid, integer_network
from ss_tf.training import distribution, plan, stages
from ss_tf.training.run_dir import RunDir


def _names(config, dataset, stage="all"):
    return plan.networks_of_stage(
        config, dataset.superclass_map, stage=stage, superclasses=("all",)
    )


def _train(config, directory, dataset, names):
    devices = distribution.start(config.devices)
    stages.Stages(config, RunDir(directory), dataset=dataset, devices=devices).train(names)
    return RunDir(directory)


def _snapshot(run):
    return {path: path.stat().st_mtime_ns for path in run.path.rglob("*.safetensors")}


@pytest.mark.slow
def test_a_whole_run_on_the_super_network(stripes, run_config, tmp_path):
    config = run_config()
    run = _train(config, tmp_path, stripes, _names(config, stripes))

    # One network per kind; none for superclass b, which has a single subclass.
    assert bank.names(run.bank_dir) == ("a", "c")
    assert not run.network_dir("sub/b").exists()
    assert run.float_file("flat_equal_compute").is_file()
    assert not run.int8_file("flat").exists()
    assert not list(tmp_path.rglob("*checkpoint*"))

    # The bank restores each sub network bit for bit.
    base = integer_network.load(run.int8_file("super"))
    for name in ("a", "c"):
        restored = bank.read_entry(run.bank_dir, name, base=base)
        stored = integer_network.load(run.int8_file(f"sub/{name}"))
        assert integer_network.digest(restored) == integer_network.digest(stored)
        for kernel, scale in stored.scales.items():
            if not integer_network.is_head(kernel):
                np.testing.assert_array_equal(scale, base.scales[kernel], err_msg=kernel)
    heads = [files.read_tensors(run.float_file(f"sub/{name}"))[0]["fc/bias"] for name in "ac"]
    assert [head.shape for head in heads] == [(3,), (2,)]

    # A second call finds everything done, and removes what a kill may have left behind.
    before = _snapshot(run)
    run.checkpoint_file("super", "qat").write_bytes(b"left behind")
    _train(config, tmp_path, stripes, _names(config, stripes))
    assert _snapshot(run) == before

    # Sub networks of a base that is no more are refused.
    floats = {**base.floats, "fc/bias": base.floats["fc/bias"] + 1}
    integer_network.save(dataclasses.replace(base, floats=floats), run.int8_file("super"))
    with pytest.raises(ValueError, match=r"sub/a started from base .*the base was trained again"):
        _train(config, tmp_path, stripes, ["sub/a"])


@pytest.mark.slow
def test_networks_of_another_run_are_taken_over(stripes, run_config, tmp_path):
    config = run_config(equal_compute_model=None)
    first = _train(config, tmp_path / "first", stripes, ["flat", "super"])
    config = dataclasses.replace(config, sub_init="flat", networks_from=first.path)
    second = _train(config, tmp_path / "second", stripes, ["flat", "super"])
    for name in ("flat", "super"):
        assert second.float_file(name).read_bytes() == first.float_file(name).read_bytes()
    # The new base is quantized here, for the first run had another.
    assert second.int8_file("flat").is_file()


@pytest.mark.slow
def test_a_sub_network_starts_as_its_rows_of_the_flat_base(stripes, run_config, tmp_path):
    """With no training at all, it answers as the flat network restricted to the superclass."""
    idle = dataclasses.replace(run_config().sub_fit, epochs=0)
    config = run_config(sub_init="flat", sub_fit=idle, sub_qat_fit=idle, equal_compute_model=None)
    run = _train(config, tmp_path, stripes, ["flat", "sub/c"])
    base = int8_grid.float_weights(integer_network.load(run.int8_file("flat")))
    sub, _ = files.read_tensors(run.float_file("sub/c"))
    np.testing.assert_array_equal(sub["fc/kernel"], base["fc/kernel"][:, [4, 5]])
    np.testing.assert_array_equal(sub["fc/bias"], base["fc/bias"][[4, 5]])
    np.testing.assert_array_equal(sub["conv1/kernel"], base["conv1/kernel"])


@pytest.mark.slow
def test_scratch_trains_on_its_own_and_writes_no_deltas(stripes, run_config, tmp_path):
    config = run_config(sub_init="scratch")
    run = _train(config, tmp_path / "two", stripes, ["sub/a", "sub/c"])
    assert run.float_file("sub/a").is_file()
    assert not run.int8_file("sub/a").exists()
    assert not run.bank_dir.exists()
    # The model that both were trained in began anew.
    alone = _train(config, tmp_path / "one", stripes, ["sub/c"])
    expected, _ = files.read_tensors(alone.float_file("sub/c"))
    found, _ = files.read_tensors(run.float_file("sub/c"))
    for name, tensor in expected.items():
        np.testing.assert_array_equal(found[name], tensor, err_msg=name)


def test_a_run_that_lacks_a_network_or_has_other_data_gives_none(
    stripes, run_config, tmp_path, monkeypatch
):
    monkeypatch.setattr(stages.catalog, "load", lambda config: stripes)
    source, run = RunDir(tmp_path / "first"), RunDir(tmp_path / "second")
    config = run_config(networks_from=source.path)

    def train():
        stages.train(config, run, stage="flat", superclasses=["all"], flagfile="")

    source.open(stripes, flagfile="")
    with pytest.raises(ValueError, match=r"first has no finished flat network.*Train it there"):
        train()
    other = dataclasses.replace(stripes, validation=stripes.minival)
    RunDir(tmp_path / "third").open(other, flagfile="")
    config = run_config(networks_from=tmp_path / "third")
    with pytest.raises(ValueError, match=r"third was trained on other validation images"):
        train()
    assert not run.path.exists()


def test_sub_networks_before_their_base_are_refused(stripes, run_config, tmp_path, monkeypatch):
    monkeypatch.setattr(stages.catalog, "load", lambda config: stripes)
    with pytest.raises(ValueError, match=r"start from the super network.*--stage=super first"):
        stages.train(
            run_config(), RunDir(tmp_path / "run"), stage="sub", superclasses=["a"], flagfile=""
        )
    assert not (tmp_path / "run").exists()


def test_weights_that_do_not_fit_are_refused_before_anything_is_trained(
    stripes, run_config, tmp_path, monkeypatch
):
    monkeypatch.setattr(stages.catalog, "load", lambda config: stripes)
    config = run_config(equal_compute_init=tmp_path / "deep.npz")
    with pytest.raises(FileNotFoundError, match=r"deep\.npz"):
        stages.train(
            config, RunDir(tmp_path / "run"), stage="all", superclasses=["all"], flagfile=""
        )
    assert not (tmp_path / "run").exists()


def test_flags_and_classes_are_kept_with_the_run(stripes, run_config, tmp_path, monkeypatch):
    monkeypatch.setattr(stages.catalog, "load", lambda config: stripes)
    run = RunDir(tmp_path / "run")
    # Superclass b has one subclass: there is nothing to train.
    config = run_config(sub_init="scratch")
    stages.train(config, run, stage="sub", superclasses=["b"], flagfile="--seed=7\n")
    assert run.flags_file.read_text() == "--seed=7\n"
    assert run.superclass_map() == stripes.superclass_map
