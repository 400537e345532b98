import dataclasses

import numpy as np
import pytest

from ss_tf import files
from ss_tf.deltas import bank
from ss_tf.evaluation.networks import Networks
from ss_tf.models import resnet, variables


def pixels_of(examples):
    """The images as a network sees them."""
    return (examples.images / 127.5 - 1).astype(np.float32)


def test_float_network_gives_the_logits_of_a_model_of_its_own(
    run_config, write_run, dataset, float_networks
):
    config = run_config()
    networks = Networks(config, write_run(None), dataset)
    for name in ("sub/boat", "super"):
        alone = resnet.build_resnet(
            config.model,
            num_classes=len(float_networks[name]["fc/bias"]),
            image_size=16,
            channels=1,
        )
        variables.assign(alone, float_networks[name])
        expected = alone(pixels_of(dataset.validation), training=False)
        got = networks.logits(name, "float", examples=dataset.validation)
        np.testing.assert_allclose(got, expected, rtol=1e-4, atol=1e-4)
    assert set(networks.seconds) == {"sub/boat float", "super float"}


def test_network_that_is_not_there_gives_none(run_config, empty_run, dataset):
    networks = Networks(run_config(), empty_run, dataset)
    assert networks.base is None
    for name in ("flat", "flat_equal_compute", "super", "sub/bird"):
        for form in ("float", "int8"):
            assert networks.logits(name, form, examples=dataset.validation) is None


def test_second_flat_network_of_a_run_without_one_gives_none(run_config, write_run, dataset):
    config = run_config(equal_compute_model=None)
    networks = Networks(config, write_run(None), dataset)
    assert networks.logits("flat_equal_compute", "float", examples=dataset.validation) is None


def test_damaged_float_file_is_refused_by_name(run_config, write_run, dataset):
    run = write_run(None)
    path = run.float_file("flat")
    path.write_bytes(path.read_bytes()[:-10])
    with pytest.raises(ValueError, match=r"networks/flat/float\.safetensors is not a whole"):
        Networks(run_config(), run, dataset).logits("flat", "float", examples=dataset.validation)


def test_float_network_of_another_superclass_is_refused_by_name(run_config, write_run, dataset):
    run = write_run(None)
    files.write_atomically(run.float_file("sub/bird"), run.float_file("sub/boat").read_bytes())
    networks = Networks(run_config(), run, dataset)
    with pytest.raises(ValueError, match=r"bird/float\.safetensors is not .* expected 3 classes"):
        networks.logits("sub/bird", "float", examples=dataset.validation)


def test_float_network_of_another_depth_is_refused_by_name(run_config, write_run, dataset):
    run = write_run(None)
    deeper = run.float_file("flat_equal_compute").read_bytes()
    files.write_atomically(run.float_file("flat"), deeper)
    networks = Networks(run_config(), run, dataset)
    with pytest.raises(ValueError, match=r"flat/float\.safetensors is not .* layer4\.1\.bn1/beta"):
        networks.logits("flat", "float", examples=dataset.validation)


def test_damaged_base_is_refused_by_name(run_config, empty_run, dataset):
    files.write_atomically(empty_run.int8_file("super"), b"damaged")
    with pytest.raises(ValueError, match=r"networks/super/int8\.safetensors is not a whole"):
        Networks(run_config(), empty_run, dataset).logits(
            "super", "int8", examples=dataset.validation
        )


@pytest.mark.slow
def test_int8_networks_give_the_logits_of_the_stored_integers(
    run_config, write_run, dataset, int8_networks, int8_logits
):
    run = write_run("super")
    run.int8_file("sub/bird").unlink()  # The bank alone has to do.
    networks = Networks(run_config(), run, dataset)
    for name in ("super", "sub/bird", "sub/boat"):
        expected = int8_logits(int8_networks[name], pixels_of(dataset.validation))
        got = networks.logits(name, "int8", examples=dataset.validation)
        np.testing.assert_allclose(got, expected, rtol=0, atol=1e-4)
    # Neither the flat network, which is not the base, nor a sub network that is not in the bank.
    assert networks.logits("flat", "int8", examples=dataset.validation) is None
    bank.entry_path(run.bank_dir, "boat").unlink()
    assert networks.logits("sub/boat", "int8", examples=dataset.validation) is None


@pytest.mark.slow
def test_bank_of_another_base_is_refused_by_name(run_config, write_run, dataset, int8_networks):
    run = write_run("super")
    other = dataclasses.replace(
        int8_networks["super"],
        floats={**int8_networks["super"].floats, "fc/bias": np.ones(3, np.float32)},
    )
    bank.write_entry(run.bank_dir, "bird", base=other, sub=int8_networks["sub/bird"])
    networks = Networks(run_config(), run, dataset)
    with pytest.raises(ValueError, match=r"bank/bird\.safetensors cannot be used"):
        networks.logits("sub/bird", "int8", examples=dataset.validation)
