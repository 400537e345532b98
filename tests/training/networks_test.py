import hashlib

import numpy as np
import pytest

from ss_tf.models import variables
from ss_tf.models.integer_network import IntegerNetwork
from ss_tf.training import networks


def _base(num_classes=4):
    """Returns a base of one convolution and a head whose column c holds c + 1."""
    columns = np.arange(1, num_classes + 1)
    return IntegerNetwork(
        kernels={
            "conv1/kernel": np.full((1, 1, 1, 2), 3, np.int8),
            "fc/kernel": np.tile(columns, (2, 1)).astype(np.int8),
        },
        scales={
            "conv1/kernel": np.array([0.5, 0.25], np.float32),
            "fc/kernel": np.float32(0.5).reshape(()),
        },
        floats={
            "fc/bias": columns.astype(np.float32),
            "image/output_min": np.float32(-1).reshape(()),
            "image/output_max": np.float32(1).reshape(()),
        },
        metadata={},
    )


def test_from_a_flat_base_the_head_starts_as_its_own_columns():
    weights = networks.sub_weights(_base(), labels=[1, 3], width=3)
    np.testing.assert_array_equal(weights["fc/kernel"], [[1.0, 2.0, 0.0]] * 2)  # 2, 4 times 0.5.
    np.testing.assert_array_equal(weights["fc/bias"], [2.0, 4.0, 0.0])
    np.testing.assert_array_equal(weights["conv1/kernel"].ravel(), [1.5, 0.75])


def test_from_a_super_base_the_head_starts_at_zero():
    weights = networks.sub_weights(_base(), labels=None, width=6)
    assert weights["fc/kernel"].shape == (2, 6)
    assert not weights["fc/kernel"].any()
    assert not weights["fc/bias"].any()
    np.testing.assert_array_equal(weights["conv1/kernel"].ravel(), [1.5, 0.75])


def test_ranges_of_quantizers_are_no_weights():
    assert set(networks.sub_weights(_base(), labels=None, width=2)) == {
        "conv1/kernel",
        "fc/kernel",
        "fc/bias",
    }


def test_different_bases_are_different_origins(tmp_path):
    one, other = networks.origin(_base(4), None), networks.origin(_base(5), None)
    assert len({one, other, networks.origin(None, None)}) == 3
    for content in (b"a", b"b"):
        (tmp_path / content.decode()).write_bytes(content)
    files = [networks.origin(None, tmp_path / name) for name in "ab"]
    assert files[0] == f"weights {hashlib.sha256(b'a').hexdigest()}"
    assert len({*files, one, other}) == 4
    networks.check_origin({"origin": one}, one, folder=tmp_path)
    with pytest.raises(ValueError, match=r"started from base .*: the base was trained again since"):
        networks.check_origin({"origin": other}, one, folder=tmp_path)
    with pytest.raises(ValueError, match=r"started from None, expected random weights"):
        networks.check_origin({}, networks.origin(None, None), folder=tmp_path)


def test_who_starts_from_pretrained_weights(run_config, tmp_path):
    small, deep = tmp_path / "18.npz", tmp_path / "34.npz"
    config = run_config(init=small, equal_compute_init=deep)
    expected = {"flat": small, "super": small, "flat_equal_compute": deep, "sub/a": None}
    assert {name: networks.init_file(config, name) for name in expected} == expected
    # Without a base, sub networks start as the others do.
    scratch = run_config(init=small, sub_init="scratch")
    assert networks.init_file(scratch, "sub/a") == small
    assert networks.init_file(run_config(), "flat") is None


def test_pretrained_weights_are_loaded_and_announced(
    run_config, stripes, tmp_path, monkeypatch, capsys
):
    def load(path, *, into):
        variables.by_name(into)["conv1/kernel"].assign(np.full((3, 3, 1, 4), 7))
        return ("fc/kernel", "fc/bias")

    monkeypatch.setattr(networks.pretrained, "load", load)
    config = run_config(init=tmp_path / "w.npz", equal_compute_model=None)
    model = networks.build(config, stripes, "super")
    networks.start_float(model, config, stripes, "super", fresh=None, base=None)
    weights = variables.values_by_name(model)
    assert np.all(weights["conv1/kernel"] == 7)
    assert weights["fc/kernel"].shape[-1] == 3
    line = f"super starts from {tmp_path / 'w.npz'}; fc/kernel and fc/bias are new.\n"
    assert capsys.readouterr().out == line


def test_a_network_without_a_base_starts_fresh_in_a_model_that_was_trained(run_config, stripes):
    config = run_config(sub_init="scratch")
    model = networks.build(config, stripes, "sub/a")
    fresh = variables.values_by_name(model)
    for variable in model.variables:
        variable.assign(variable + 1)
    networks.start_float(model, config, stripes, "sub/c", fresh=fresh, base=None)
    for name, value in variables.values_by_name(networks.build(config, stripes, "sub/c")).items():
        np.testing.assert_array_equal(variables.by_name(model)[name], value, err_msg=name)


def test_sub_networks_share_the_width_of_the_widest(run_config, stripes):
    assert networks.build(run_config(), stripes, "sub/c").output_shape == (None, 3)
    assert networks.build(run_config(), stripes, "super").output_shape == (None, 3)
    assert networks.build(run_config(), stripes, "flat").output_shape == (None, 6)
