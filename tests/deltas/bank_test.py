import json
import os

import numpy as np
import pytest
import safetensors.numpy

from ss_tf import files
from ss_tf.deltas import bank, codecs


@pytest.fixture
def base(make_network):
    return make_network(0, num_classes=3)


@pytest.fixture
def sub(make_network):
    return make_network(1, num_classes=7)


def test_an_entry_of_a_network_with_nan_is_refused_by_name(tmp_path, base, sub):
    # Checked as it is made, so it is spoiled later.
    sub.floats["bn1/gamma"][2] = np.nan
    bank.write_entry(tmp_path, "bird", base=base, sub=sub)
    with pytest.raises(
        ValueError, match=r"bird\.safetensors cannot .*: floats/bn1/gamma holds nan"
    ):
        bank.read_entry(tmp_path, "bird", base=base)


@pytest.mark.parametrize("name", ["bird", "big cat", "ねこ", "%2e%2e", "a.b", "Ünï çødé"])
def test_read_restores_what_was_written(tmp_path, name, codec, base, sub, assert_same_network):
    path = bank.write_entry(tmp_path / "bank", name, base=base, sub=sub, codec_names=(codec,))
    assert path == tmp_path / "bank" / f"{name}.safetensors"
    assert bank.names(tmp_path / "bank") == (name,)
    restored = bank.read_entry(tmp_path / "bank", name, base=base)
    assert_same_network(restored, sub)


def test_names_are_sorted_and_leave_other_files_out(tmp_path, base, sub):
    for name in ("truck", "bird", "dog"):
        bank.write_entry(tmp_path, name, base=base, sub=sub)
    (tmp_path / ".cat.safetensors").touch()
    (tmp_path / ".cat.safetensors.1.tmp").touch()
    (tmp_path / "notes.txt").touch()
    assert bank.names(tmp_path) == ("bird", "dog", "truck")
    assert bank.names(tmp_path / "nowhere") == ()


@pytest.mark.parametrize(
    "name", ["", ".", "..", "../bird", "/bird", "a/b", "a\\b", ".bird", "a\nb", "a\0b", "\udcff"]
)
def test_names_that_could_leave_the_bank_are_refused(tmp_path, name, base, sub):
    bank_dir = tmp_path / "bank"
    for call in (
        lambda: bank.write_entry(bank_dir, name, base=base, sub=sub),
        lambda: bank.read_entry(bank_dir, name, base=base),
    ):
        with pytest.raises(ValueError, match="cannot name a file") as refusal:
            call()
        assert "\n" not in str(refusal.value)
    assert list(tmp_path.iterdir()) == []


def test_the_longest_name_is_writable_and_a_longer_one_refused(tmp_path, base, sub):
    bank.write_entry(tmp_path, "é" * 100, base=base, sub=sub)
    with pytest.raises(ValueError, match="202 bytes in UTF-8, expected at most 200"):
        bank.write_entry(tmp_path, "é" * 101, base=base, sub=sub)


def test_equal_networks_give_equal_files(tmp_path, base, sub):
    one = bank.write_entry(tmp_path / "one", "bird", base=base, sub=sub)
    other = bank.write_entry(tmp_path / "other", "bird", base=base, sub=sub)
    assert one.read_bytes() == other.read_bytes()


def test_a_missing_entry_is_refused_with_those_there_are(tmp_path, base, sub):
    with pytest.raises(ValueError, match=r"bird\.safetensors does not exist.*no superclass"):
        bank.read_entry(tmp_path, "bird", base=base)
    for name in ("dog", "cat"):
        bank.write_entry(tmp_path, name, base=base, sub=sub)
    with pytest.raises(ValueError, match=r"bird\.safetensors does not exist.*for cat, dog"):
        bank.read_entry(tmp_path, "bird", base=base)


def test_a_wrong_base_is_refused(tmp_path, base, sub, make_network):
    bank.write_entry(tmp_path, "bird", base=base, sub=sub)
    with pytest.raises(ValueError, match=r"bird\.safetensors cannot be used.*belongs to the base"):
        bank.read_entry(tmp_path, "bird", base=make_network(2, num_classes=3))


def test_the_entry_of_another_superclass_is_refused(tmp_path, base, sub):
    bank.write_entry(tmp_path, "bird", base=base, sub=sub)
    os.rename(tmp_path / "bird.safetensors", tmp_path / "dog.safetensors")
    with pytest.raises(ValueError, match=r"dog\.safetensors is the entry of 'bird'.*'dog'"):
        bank.read_entry(tmp_path, "dog", base=base)


def test_another_format_version_is_refused(tmp_path, base, sub, monkeypatch):
    monkeypatch.setattr(bank, "FORMAT_VERSION", "2")
    bank.write_entry(tmp_path, "bird", base=base, sub=sub)
    monkeypatch.undo()
    with pytest.raises(ValueError, match=r"bird\.safetensors has bank format '2', expected '1'"):
        bank.read_entry(tmp_path, "bird", base=base)


def test_an_entry_with_a_codec_of_later_days_is_refused(tmp_path, base, sub, monkeypatch):
    monkeypatch.setitem(codecs.CODECS, "later", codecs.CODECS["raw"])
    bank.write_entry(tmp_path, "bird", base=base, sub=sub, codec_names=("later",))
    monkeypatch.undo()
    with pytest.raises(
        ValueError, match=r"bird\.safetensors cannot be used: Unknown codec 'later'"
    ):
        bank.read_entry(tmp_path, "bird", base=base)


def test_a_file_of_something_else_is_refused(tmp_path, base):
    path = tmp_path / "bird.safetensors"
    files.write_tensors(path, {"conv1/kernel": np.zeros(3, np.int8)}, metadata={})
    with pytest.raises(ValueError, match=r"bird\.safetensors has bank format None"):
        bank.read_entry(tmp_path, "bird", base=base)
    path.write_bytes(b"no tensors at all")
    with pytest.raises(ValueError, match=r"bird\.safetensors is not a whole .safetensors file"):
        bank.read_entry(tmp_path, "bird", base=base)


def test_every_truncation_is_refused(tmp_path, base, sub):
    path = bank.write_entry(tmp_path, "bird", base=base, sub=sub)
    whole = path.read_bytes()
    for length in range(0, len(whole), 23):
        path.write_bytes(whole[:length])
        with pytest.raises(ValueError, match=r"bird\.safetensors"):
            bank.read_entry(tmp_path, "bird", base=base)


def test_flipped_bytes_are_refused_or_harmless(tmp_path, base, sub, assert_same_network):
    path = bank.write_entry(tmp_path, "bird", base=base, sub=sub)
    whole = path.read_bytes()
    rng = np.random.default_rng(0)
    refusals = []
    for position in range(0, len(whole), 3):
        damaged = bytearray(whole)
        damaged[position] ^= int(rng.integers(1, 256))
        path.write_bytes(damaged)
        try:
            assert_same_network(bank.read_entry(tmp_path, "bird", base=base), sub)
        except ValueError as error:
            refusals.append(str(error))
    # The rest is padding behind the header.
    assert len(refusals) >= len(whole) / 3 - 3
    assert all(str(path) in refusal and "\n" not in refusal for refusal in refusals)


def test_an_undocumented_early_form_is_refused_with_what_to_do(tmp_path, base):
    path = tmp_path / "bird.safetensors"
    files.write_tensors(path, {"whole": np.zeros(3, np.uint8)}, metadata={"format_version": "1"})
    with pytest.raises(
        ValueError, match=rf"{path} is of an early form .*: delete {tmp_path}, and run train\.py"
    ):
        bank.read_entry(tmp_path, "bird", base=base)


def _streams(path):
    return {name: bytes(tensor) for name, tensor in safetensors.numpy.load_file(path).items()}


def test_a_file_of_the_documented_form_is_read(tmp_path, base, sub, forge, assert_same_network):
    path = bank.write_entry(tmp_path, "bird", base=base, sub=sub)
    written = path.read_bytes()
    forge(path, _streams(path))
    assert_same_network(bank.read_entry(tmp_path, "bird", base=base), sub)
    assert len(path.read_bytes()) == len(written)


def test_streams_of_another_entry_are_refused(tmp_path, base, sub, make_network, forge):
    one = _streams(bank.write_entry(tmp_path, "bird", base=base, sub=sub, codec_names=("raw",)))
    path = bank.write_entry(
        tmp_path, "bird", base=base, sub=make_network(2, num_classes=7), codec_names=("raw",)
    )
    other = _streams(path)
    forge(path, {**one, "raw": other["raw"]})
    with pytest.raises(ValueError, match=r"bird\.safetensors cannot be used: "):
        bank.read_entry(tmp_path, "bird", base=base)
    forge(path, {**one, "more": b""})
    with pytest.raises(ValueError, match=r"bird\.safetensors cannot be used: .*\['more', 'raw'\]"):
        bank.read_entry(tmp_path, "bird", base=base)
    forge(path, {"header": one["header"]})
    with pytest.raises(ValueError, match=r"bird\.safetensors cannot be used: .*streams \[\]"):
        bank.read_entry(tmp_path, "bird", base=base)
    forge(path, {"raw": one["raw"]})
    with pytest.raises(ValueError, match=r"bird\.safetensors is damaged"):
        bank.read_entry(tmp_path, "bird", base=base)


@pytest.mark.parametrize("digest", ["0" * 64, "", None, 3, [], {}])
def test_a_wrong_digest_is_refused(tmp_path, digest, base, sub, forge):
    path = bank.write_entry(tmp_path, "bird", base=base, sub=sub)
    forge(path, _streams(path), digest=digest)
    with pytest.raises(ValueError, match=r"bird\.safetensors is damaged: .* digest"):
        bank.read_entry(tmp_path, "bird", base=base)


_METADATA = ["3", "null", '"1"', "[]", "[" * 100_000, "NaN", "{", "", "9" * 5000, "{}", "[{}]"]


@pytest.mark.parametrize("text", _METADATA)
def test_hostile_metadata_is_refused(tmp_path, text, base):
    path = tmp_path / "bird.safetensors"
    path.write_bytes(safetensors.numpy.save({"header": np.zeros(3, np.uint8)}, {"ss_tf": text}))
    with pytest.raises(ValueError, match=r"bird\.safetensors (is damaged|has bank format)") as e:
        bank.read_entry(tmp_path, "bird", base=base)
    assert "\n" not in str(e.value)


_DTYPES = ["U8", "I8", "I64", "F32", "F64", "BF16", "F8_E4M3", "F8_E5M2", "BOOL", "C64", "U3", "F4"]


@pytest.mark.parametrize("dtype", _DTYPES)
@pytest.mark.parametrize("shape", [[8], [0], [2**62], [2**32, 2**32], [-1], [], [1] * 100])
def test_tensors_of_any_type_and_shape_are_refused(tmp_path, dtype, shape, base):
    path = tmp_path / "bird.safetensors"
    metadata = {"ss_tf": '{"bank_format": "1"}'}
    tensor = {"dtype": dtype, "shape": shape, "data_offsets": [0, 8]}
    for offsets in ([0, 8], [0, 0], [8, 0], [0, 2**63]):
        tensor["data_offsets"] = offsets
        head = json.dumps({"__metadata__": metadata, "header": tensor}).encode()
        path.write_bytes(len(head).to_bytes(8, "little") + head + bytes(8))
        with pytest.raises(ValueError, match=r"bird\.safetensors (is damaged|is not a whole)"):
            bank.read_entry(tmp_path, "bird", base=base)


def test_a_failed_write_leaves_the_old_entry(tmp_path, base, sub, monkeypatch, assert_same_network):
    bank.write_entry(tmp_path, "bird", base=base, sub=sub)

    def full_disk(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full_disk)
    with pytest.raises(OSError, match="No space left"):
        bank.write_entry(tmp_path, "bird", base=base, sub=base)
    monkeypatch.undo()
    assert bank.names(tmp_path) == ("bird",)
    assert_same_network(bank.read_entry(tmp_path, "bird", base=base), sub)
