import json
import struct
import zipfile

import numpy as np
import pytest
import safetensors.numpy
from hypothesis import given
from hypothesis import strategies as st

from ss_tf.models import tensor_file

_TENSORS = {
    "scalar": np.array(2.5, np.float32),
    "matrix": np.arange(6, dtype=np.float32).reshape(2, 3),
    "columns": np.asfortranarray(np.arange(6, dtype=np.float32).reshape(3, 2)),
}
_WRITERS = {
    ".safetensors": lambda path, tensors: path.write_bytes(
        safetensors.numpy.save(
            {name: np.array(tensor, order="C") for name, tensor in tensors.items()}
        )
    ),
    ".npz": lambda path, tensors: np.savez(path, **tensors),
}
_each_suffix = pytest.mark.parametrize("suffix", _WRITERS)


def _write(folder, suffix, tensors):
    path = folder / f"weights{suffix}"
    _WRITERS[suffix](path, tensors)
    return path


def _read(path):
    with tensor_file.open_tensors(path) as file:
        return {name: file.read(name) for name in file.shapes}


@_each_suffix
def test_shapes_and_values_are_those_written(tmp_path, suffix):
    path = _write(tmp_path, suffix, _TENSORS)
    with tensor_file.open_tensors(path) as file:
        assert file.shapes == {name: tensor.shape for name, tensor in _TENSORS.items()}
    for name, tensor in _read(path).items():
        np.testing.assert_array_equal(tensor, _TENSORS[name], strict=True)


@_each_suffix
@pytest.mark.parametrize("dtype", [np.float16, np.float64])
def test_other_floating_point_types_become_float32(tmp_path, suffix, dtype):
    values = np.array([0.1, -3.0, 1e-7], dtype)
    path = _write(tmp_path, suffix, {"a": values})
    np.testing.assert_array_equal(_read(path)["a"], values.astype(np.float32), strict=True)


def test_compressed_npz_files_are_read(tmp_path):
    np.savez_compressed(tmp_path / "a.npz", **_TENSORS)
    np.testing.assert_array_equal(_read(tmp_path / "a.npz")["matrix"], _TENSORS["matrix"])


def _raw_safetensors(dtype, shape, data):
    header = {"a": {"dtype": dtype, "shape": shape, "data_offsets": [0, len(data)]}}
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data


def test_bfloat16_becomes_the_float32_with_the_same_upper_half(tmp_path):
    values = np.random.default_rng(0).normal(size=(2, 3)).astype(np.float32)
    upper = (values.view(np.uint32) >> 16).astype(np.uint16)
    (tmp_path / "a.safetensors").write_bytes(_raw_safetensors("BF16", [2, 3], upper.tobytes()))
    expected = (upper.astype(np.uint32) << 16).view(np.float32)
    np.testing.assert_array_equal(_read(tmp_path / "a.safetensors")["a"], expected, strict=True)


@_each_suffix
@pytest.mark.parametrize("value", [np.nan, np.inf, 1e300])
def test_values_that_are_no_finite_float32_are_refused_by_name(tmp_path, suffix, value):
    path = _write(tmp_path, suffix, {"good": np.ones(3), "odd": np.array([1, value, value])})
    with pytest.raises(ValueError, match=r"odd in .*weights.* has 2 values that are not finite"):
        _read(path)


@_each_suffix
def test_integers_are_refused_only_when_they_are_read(tmp_path, suffix):
    path = _write(tmp_path, suffix, {"count": np.array(7), "a": np.ones(2)})
    with tensor_file.open_tensors(path) as file:
        np.testing.assert_array_equal(file.read("a"), [1, 1])
        with pytest.raises(ValueError, match=r"count in .* is (I64|int64), expected"):
            file.read("count")


@pytest.mark.parametrize("array", [np.array([{"a": 1}]), np.array(["text"]), np.ones(2, complex)])
def test_arrays_that_are_no_numbers_are_refused(tmp_path, array):
    np.savez(tmp_path / "a.npz", a=array)
    with pytest.raises(ValueError, match=r"a in .*a\.npz is .*, expected floating-point numbers"):
        _read(tmp_path / "a.npz")


@_each_suffix
def test_a_cut_file_is_refused_by_name(tmp_path, suffix):
    path = _write(tmp_path, suffix, {"matrix": _TENSORS["matrix"]})
    whole = path.read_bytes()
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        with pytest.raises(ValueError, match=rf"weights\{suffix} is not a whole \{suffix} file"):
            _read(path)


@given(st.data())
def test_a_changed_byte_of_an_npz_file_is_refused_or_changes_nothing(tmp_path_factory, data):
    path = _write(tmp_path_factory.mktemp("npz"), ".npz", {"a": _TENSORS["matrix"]})
    damaged = bytearray(path.read_bytes())
    position = data.draw(st.integers(0, len(damaged) - 1))
    damaged[position] ^= data.draw(st.integers(1, 255))
    path.write_bytes(damaged)
    tensors, message = {}, "weights.npz"
    try:
        tensors = _read(path)
    except ValueError as error:
        message = str(error)
    assert "weights.npz" in message
    assert "\n" not in message
    # The array may have got another name, or have left the archive's list.
    for tensor in tensors.values():
        np.testing.assert_array_equal(tensor, _TENSORS["matrix"])


def test_an_array_that_claims_more_than_its_bytes_is_refused_before_it_is_read(tmp_path):
    np.save(tmp_path / "a.npy", np.ones(1000, np.float32))
    claims = (tmp_path / "a.npy").read_bytes().replace(b"(1000,)", b"(9999,)")
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
        archive.writestr("a.npy", claims)
    message = r"a\.npz is not a whole .* a\.npy has 4128 bytes, expected 40124 for float32"
    with (
        pytest.raises(ValueError, match=message),
        tensor_file.open_tensors(tmp_path / "a.npz"),
    ):
        pass


def test_two_arrays_of_one_name_are_refused(tmp_path):
    path = _write(tmp_path, ".npz", {"a": np.ones(2)})
    with zipfile.ZipFile(path) as archive:
        array = archive.read("a.npy")
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("a", array)
    with pytest.raises(ValueError, match="two arrays called a"):
        _read(path)


@pytest.mark.parametrize("name", ["a.pth", "a.PT", "pytorch_model.bin", "a.pth.tar"])
def test_pickles_are_refused_unopened_with_what_to_do(tmp_path, name):
    with (
        pytest.raises(ValueError, match=rf"{name} is a pickle.*weights_only=True.*PRETRAINED\.md"),
        tensor_file.open_tensors(tmp_path / name),
    ):
        pass


def test_other_files_are_refused_by_name(tmp_path):
    (tmp_path / "folder.npz").mkdir()
    cases = [
        ("a.h5", ValueError, r"a\.h5 ends in '\.h5', expected \.safetensors or \.npz"),
        ("a", ValueError, r"a ends in ''"),
        ("folder.npz", ValueError, r"folder\.npz is a folder"),
        ("none.npz", FileNotFoundError, r"no file .*none\.npz"),
        ("none.safetensors", FileNotFoundError, r"no file .*none\.safetensors"),
    ]
    for name, kind, message in cases:
        with pytest.raises(kind, match=message), tensor_file.open_tensors(tmp_path / name):
            pass


def test_errors_of_the_caller_are_his_own(tmp_path):
    path = _write(tmp_path, ".npz", _TENSORS)
    with pytest.raises(ValueError, match=r"^mine$"), tensor_file.open_tensors(path):
        raise ValueError("mine")
