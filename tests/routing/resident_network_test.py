import threading

import numpy as np
import pytest
import tf_keras as keras

from ss_tf.deltas import bank
from ss_tf.models import heads, int8_grid, integer_network, quantization, variables
from ss_tf.routing import resident_network

# Every network of the run, and its number of classes.
NETWORKS = {None: 3, "big cat": 5, "ねこ": 2}
WIDEST = max(NETWORKS.values())


def _build(num_classes):
    inputs = keras.Input((8, 8, 1), name="image")
    x = inputs
    for stage, filters in enumerate((4, 8), start=1):
        conv = keras.layers.Conv2D(filters, 3, use_bias=False, name=f"conv{stage}")
        x = keras.layers.BatchNormalization(name=f"bn{stage}")(conv(x))
        x = keras.layers.ReLU(name=f"relu{stage}")(x)
    x = keras.layers.GlobalAveragePooling2D(name="avgpool")(x)
    outputs = keras.layers.Dense(num_classes, name="fc")(x)
    return quantization.quantize(keras.Model(inputs, outputs), freeze_kernel_ranges=True)


def _fill(model, seed):
    """Gives every variable a value of its own, and returns the integer network."""
    rng = np.random.default_rng(seed)
    values = variables.values_by_name(model)
    for name, value in values.items():
        if not name.endswith(("_min", "_max")):
            values[name] = value + rng.uniform(-0.5, 0.5, value.shape).astype(np.float32)
    variables.assign(model, values)
    images = rng.normal(size=(16, 8, 8, 1)).astype(np.float32)
    quantization.calibrate(model, [images], input_range=(-4.0, 4.0))
    int8_grid.fit_kernel_ranges(model)
    int8_grid.snap(model)
    return int8_grid.to_integer(model, metadata={"seed": str(seed)})


@pytest.fixture(scope="module")
def models():
    """A Keras model of its own for each network."""
    return {name: _build(num_classes) for name, num_classes in NETWORKS.items()}


@pytest.fixture(scope="module")
def integer_networks(models):
    return {name: _fill(model, seed) for seed, (name, model) in enumerate(models.items())}


@pytest.fixture(scope="module")
def padded_model():
    return _build(WIDEST)


@pytest.fixture(scope="module")
def bank_dir(tmp_path_factory, integer_networks):
    folder = tmp_path_factory.mktemp("run") / "bank"
    for name, network in integer_networks.items():
        if name is not None:
            bank.write_entry(folder, name, base=integer_networks[None], sub=network)
    return folder


@pytest.fixture
def resident(padded_model, integer_networks, bank_dir):
    return resident_network.ResidentNetwork(padded_model, integer_networks[None], bank_dir)


@pytest.fixture(scope="module")
def images():
    return np.random.default_rng(7).normal(size=(6, 8, 8, 1)).astype(np.float32)


def _resident_digest(resident, padded_model):
    """Returns the digest of what the padded model holds, cut to the resident network's width."""
    network = int8_grid.to_integer(padded_model, metadata={})
    return integer_network.digest(heads.resize_network(network, resident.num_classes))


def test_logits_equal_each_networks_own_model_after_any_switches(resident, models, images):
    own = {name: model.predict_on_batch(images) for name, model in models.items()}
    # Logits that all sit at the end of their range would prove nothing.
    assert all(len(np.unique(logits)) > logits.size / 2 for logits in own.values())
    names = list(NETWORKS)
    for pick in [0, *np.random.default_rng(0).integers(0, len(names), 12)]:
        resident.switch(names[pick])
        assert resident.superclass_name == names[pick]
        assert resident.num_classes == NETWORKS[names[pick]]
        np.testing.assert_array_equal(resident.logits(images), own[names[pick]], strict=True)


def test_every_network_is_restored_bit_for_bit(resident, padded_model, integer_networks):
    for name in ["ねこ", None, "big cat", "ねこ", None]:
        resident.switch(name)
        expected = integer_network.digest(integer_networks[name])
        assert _resident_digest(resident, padded_model) == expected


def test_the_base_is_resident_at_first(resident, models, images):
    assert resident.superclass_name is None
    assert resident.image_shape == (8, 8, 1)
    np.testing.assert_array_equal(resident.logits(images), models[None].predict_on_batch(images))


def test_a_failed_switch_leaves_the_resident_network(resident, models, images):
    resident.switch("big cat")
    with pytest.raises(ValueError, match=r"dog\.safetensors does not exist.*for big cat, ねこ"):
        resident.switch("dog")
    assert resident.superclass_name == "big cat"
    np.testing.assert_array_equal(
        resident.logits(images), models["big cat"].predict_on_batch(images)
    )


def test_a_network_wider_than_the_model_is_refused(padded_model, integer_networks, bank_dir):
    wide = heads.resize_network(integer_networks[None], WIDEST + 1)
    with pytest.raises(ValueError, match=f"{WIDEST + 1} classes.*room for {WIDEST}"):
        resident_network.ResidentNetwork(padded_model, wide, bank_dir)


def test_a_batch_of_none_gives_no_logits(resident):
    logits = resident.logits(np.zeros((0, 8, 8, 1), np.float32))
    np.testing.assert_array_equal(logits, np.zeros((0, 3), np.float32), strict=True)


@pytest.mark.parametrize(
    ("shape", "dtype"),
    [((2, 8, 8, 3), np.float32), ((8, 8, 1), np.float32), ((2, 8, 8, 1), np.uint8)],
)
def test_other_images_are_refused(resident, shape, dtype):
    with pytest.raises(ValueError, match=r"expected float32 of shape \('batch', 8, 8, 1\)"):
        resident.logits(np.zeros(shape, dtype))


def test_threads_that_hold_the_lock_get_their_own_network(resident, models, images):
    own = {name: model.predict_on_batch(images) for name, model in models.items()}
    wrong = []

    def work(name):
        for _ in range(5):
            with resident.lock:
                resident.switch(name)
                if not np.array_equal(resident.logits(images), own[name]):
                    wrong.append(name)

    threads = [threading.Thread(target=work, args=(name,)) for name in NETWORKS]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
