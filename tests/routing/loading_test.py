import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from ss_tf.config import ModelConfig
from ss_tf.data import catalog
from ss_tf.deltas import bank
from ss_tf.hierarchy.superclass_map import SuperclassMap
from ss_tf.models import heads, integer_network, quantization, trunk
from ss_tf.routing import loading
from ss_tf.routing.policy import RoutingPolicy
from ss_tf.training.run_dir import RunDir

# As many classes as the fixture's networks have: 3 superclasses of 5, 1 and 2.
MAP = SuperclassMap.from_groups({"a": list("vwxyz"), "b": ["b"], "c": ["c1", "c2"]})
FORMAT = catalog.image_format("superclass_typefaces")


@pytest.fixture
def config(run_config):
    small = ModelConfig(backbone="resnet18", base_width=4, resnet_blocks=None, stem="small")
    config = run_config()
    data = dataclasses.replace(config.data, image_size=16)
    return dataclasses.replace(config, model=small, data=data)


@pytest.fixture
def run(tmp_path, networks):
    """A run whose base is a super network."""
    run = RunDir(tmp_path)
    run.map_file.write_text(MAP.to_json())
    integer_network.save(networks[None], run.int8_file("super"))
    for superclass in (0, 2):
        name = MAP.superclass_names[superclass]
        bank.write_entry(run.bank_dir, name, base=networks[None], sub=networks[superclass])
    return run


@pytest.fixture(autouse=True)
def ready_model(model, monkeypatch):
    """Makes quantization return a model that is there: to quantize takes seconds."""
    monkeypatch.setattr(quantization, "quantize", lambda *args, **kwargs: model)


@pytest.mark.slow
def test_both_routers_of_a_run_decide_alike(config, run, images, networks):
    route = loading.load_router(config, run, image_format=FORMAT)
    # Found by itself: the fixture's networks share what comes before layer2.
    assert route.networks._trunk is not None
    routed = route(images)
    vanilla = loading.load_vanilla_router(config, run, image_format=FORMAT)(images)
    assert routed.keys() == vanilla.keys()
    for name, values in routed.items():
        np.testing.assert_array_equal(values, vanilla[name], err_msg=name)


@pytest.mark.slow
def test_a_router_with_a_cache_decides_alike(config, run, images, tmp_path):
    superclasses = np.array([0, 2, 1, 2, 0, 0])
    plain = loading.load_router(config, run, image_format=FORMAT).oracle(images, superclasses)
    cached = loading.load_router(config, run, image_format=FORMAT, cache_bytes=10**9)
    tf.saved_model.save(cached, str(tmp_path / "saved"))
    saved = tf.saved_model.load(str(tmp_path / "saved"))
    for oracle in (cached.oracle, cached.oracle, saved._oracle, saved._oracle):
        for name, values in oracle(images, superclasses).items():
            np.testing.assert_array_equal(values, plain[name], err_msg=name)
    for cache in (cached.networks.cache, saved.networks.cache):
        # One sub network of each of two superclasses; b has none.
        assert (int(cache.hits), int(cache.misses)) == (2, 2)
    with pytest.raises(ValueError, match=r"\(--cache_mb\) has 5 bytes, expected 0 or at least"):
        loading.load_router(config, run, image_format=FORMAT, cache_bytes=5)


@pytest.mark.slow
def test_networks_are_those_of_the_bank(config, run, networks):
    base = loading.load_base(config, run, superclass_map=MAP)
    subs = list(loading.load_subs(run, MAP, base=base))
    assert integer_network.digest(base) == integer_network.digest(networks[None])
    assert subs[1] is None
    for superclass in (0, 2):
        digest = integer_network.digest(networks[superclass])
        assert integer_network.digest(subs[superclass]) == digest


def _assert_alike(config, run, images):
    """Compares both routers of a run, all superclasses open; returns the one of deltas."""
    policy = RoutingPolicy(top_k=3)
    route = loading.load_router(config, run, image_format=FORMAT, policy=policy)
    vanilla = loading.load_vanilla_router(config, run, image_format=FORMAT, policy=policy)(images)
    for name, values in route(images).items():
        np.testing.assert_array_equal(values, vanilla[name], err_msg=name)
    return route


@pytest.mark.slow
def test_sub_networks_may_be_the_base_but_for_their_heads(config, run, images, networks):
    for name, superclass in (("a", 0), ("c", 2)):
        head = networks[superclass]
        own = {
            "kernels": {"fc/kernel": head.kernels["fc/kernel"]},
            "floats": {"fc/bias": head.floats["fc/bias"]},
        }
        base = networks[None]
        sub = dataclasses.replace(
            base, kernels=base.kernels | own["kernels"], floats=base.floats | own["floats"]
        )
        bank.write_entry(run.bank_dir, name, base=base, sub=sub)
    route = _assert_alike(config, run, images)
    assert route.networks._tail_part.kernel_sizes == ()


@pytest.mark.slow
def test_all_superclasses_may_have_one_label(config, run, images):
    alone = SuperclassMap.from_groups({name: [name] for name in "abc"})
    run.map_file.write_text(alone.to_json())
    for name in ("a", "c"):
        bank.entry_path(run.bank_dir, name).unlink()
    route = _assert_alike(config, run, images)
    assert route(images)["scores"].shape == (6, 3)


@pytest.mark.slow
def test_a_trunk_that_was_replaced_between_two_readings_is_refused(
    config, run, networks, monkeypatch
):
    shared_stage = trunk.shared_stage

    def replace_after(base, subs):
        stage = shared_stage(base, subs)
        gamma = {"bn1/gamma": 2 * base.floats["bn1/gamma"]}
        sub = dataclasses.replace(networks[2], floats=networks[2].floats | gamma)
        bank.write_entry(run.bank_dir, "c", base=networks[None], sub=sub)
        return stage

    monkeypatch.setattr(trunk, "shared_stage", replace_after)
    with pytest.raises(ValueError, match=r"c\.safetensors has another floats/bn1/gamma than the "):
        _load(config, run)


def _load(config, run):
    loading.load_router(config, run, image_format=FORMAT)


@pytest.mark.slow
def test_what_is_missing_is_said_with_what_to_do(config, run):
    with pytest.raises(ValueError, match="--sub_init=scratch, so it has no base"):
        _load(dataclasses.replace(config, sub_init="scratch"), run)
    bank.entry_path(run.bank_dir, "c").unlink()
    with pytest.raises(ValueError, match=r"no sub network of c\. .*--superclass=c first"):
        _load(config, run)
    run.int8_file("super").unlink()
    with pytest.raises(ValueError, match=r"no super network: .* Run train\.py --stage=super"):
        _load(config, run)


def _narrowed(network):
    kernels = network.kernels | {"fc/kernel": network.kernels["fc/kernel"][:16]}
    return dataclasses.replace(network, kernels=kernels)


def _headless(network):
    groups = {
        group: {
            name: tensor
            for name, tensor in getattr(network, group).items()
            if not integer_network.is_head(name)
        }
        for group in ("kernels", "scales", "floats")
    }
    return dataclasses.replace(network, **groups)


@pytest.mark.slow
def test_networks_that_do_not_fit_are_refused(config, run, networks):
    bank.entry_path(run.bank_dir, "c").unlink()
    other = heads.resize_network(networks[2], 4)
    bank.write_entry(run.bank_dir, "c", base=networks[None], sub=other)
    with pytest.raises(ValueError, match="'c' has 4 classes, expected its 2 subclasses"):
        _load(config, run)
    for other, message in (
        (heads.resize_network(networks[None], 8), "of 8 classes, expected 3: it belongs"),
        (_narrowed(networks[None]), "of 16 inputs, expected 32 of the run's flags: it belongs"),
        (_headless(networks[None]), "is no network of the run: 'fc/kernel' is missing"),
    ):
        integer_network.save(other, run.int8_file("super"))
        with pytest.raises(ValueError, match=rf"super\S*\.safetensors .*{message}"):
            _load(config, run)
    flat = dataclasses.replace(config, sub_init="flat")
    integer_network.save(networks[None], run.int8_file("flat"))
    with pytest.raises(ValueError, match=r"flat\S* has a head of 3 classes, expected 8: .*map"):
        _load(flat, run)
    floats = {name: value for name, value in networks[None].floats.items() if name != "bn1/gamma"}
    base = dataclasses.replace(networks[None], floats=floats)
    with pytest.raises(ValueError, match=r"x is not of the form .* the network has no bn1/gamma"):
        loading._pure(quantization.quantize(None), base, path="x")
