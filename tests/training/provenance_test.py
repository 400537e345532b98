import dataclasses
import json

import numpy as np

import ss_tf
from ss_tf.deltas import bank
from ss_tf.models import network_facts
from ss_tf.models.integer_network import IntegerNetwork
from ss_tf.models.network_facts import NetworkFacts
from ss_tf.training import provenance
from ss_tf.training.run_dir import RunDir

_ORIGIN = f"base {'0' * 64}"


def _config(run_config, fit_config):
    return run_config(
        seed=3,
        flat_fit=fit_config(epochs=4),
        super_fit=fit_config(epochs=5),
        sub_fit=fit_config(epochs=6),
        base_qat_fit=fit_config(epochs=7),
        sub_qat_fit=fit_config(epochs=8),
    )


def _facts(config, dataset, network):
    return provenance.facts(config, dataset, network=network, origin=_ORIGIN)


def _network(facts):
    return IntegerNetwork(
        kernels={"fc/kernel": np.ones((4, facts.num_classes), np.int8)},
        scales={"fc/kernel": np.float32(0.5).reshape(())},
        floats={"fc/bias": np.zeros(facts.num_classes, np.float32)},
        metadata=facts.to_metadata(),
    )


def test_facts_are_those_of_config_and_data_set(stripes, run_config, fit_config):
    config = _config(run_config, fit_config)
    facts = _facts(config, stripes, "super")
    assert (facts.network, facts.origin, facts.version) == ("super", _ORIGIN, ss_tf.__version__)
    assert facts.superclass_map == stripes.superclass_map
    assert (facts.model, facts.seed, facts.image_size) == (config.model, 3, 16)
    for name in ("channels", "mean", "std", "crop_fraction"):
        assert getattr(facts, name) == getattr(stripes, name)


def test_each_network_has_its_own_classes_and_epochs(stripes, run_config, fit_config):
    config = _config(run_config, fit_config)
    found = {name: _facts(config, stripes, name) for name in ("flat", "super", "sub/c")}
    assert found["flat"].class_names == ("a/0", "a/1", "a/2", "b/0", "c/0", "c/1")
    assert found["super"].class_names == ("a", "b", "c")
    assert found["sub/c"].class_names == ("c/0", "c/1")
    assert (found["sub/c"].superclass, found["sub/c"].superclass_map) == ("c", None)
    epochs = {name: (facts.float_epochs, facts.qat_epochs) for name, facts in found.items()}
    assert epochs == {"flat": (4, 7), "super": (5, 7), "sub/c": (6, 8)}


def test_the_digest_is_the_runs(stripes, run_config, tmp_path):
    run = RunDir(tmp_path)
    run.open(stripes, flagfile="")
    facts = _facts(run_config(), stripes, "super")
    assert facts.train_digest == run.data_facts()["digests"]["train"]
    assert facts.dataset == run.data_facts()["dataset"]


def test_a_bank_entry_says_little_and_with_the_base_all(stripes, run_config, tmp_path):
    base = _network(_facts(run_config(), stripes, "flat"))
    sub_facts = dataclasses.replace(_facts(run_config(), stripes, "sub/a"), float_epochs=9)
    own = provenance.for_bank(_network(sub_facts), base=base)
    assert len(json.dumps(own.metadata)) < 300
    bank.write_entry(tmp_path, "a", base=base, sub=own)
    restored = bank.read_entry(tmp_path, "a", base=base)
    metadata = network_facts.completed_by_base(restored.metadata, base.metadata)
    assert NetworkFacts.from_metadata(metadata) == sub_facts
