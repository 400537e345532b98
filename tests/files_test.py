import hashlib
import json
import os

import numpy as np
import pytest
import safetensors.numpy

from ss_tf import files

_TENSORS = {
    "scalar": np.array(2.5, np.float32),
    "empty": np.zeros((0, 3), np.int8),
    "matrix": np.arange(6, dtype=np.int8).reshape(2, 3),
}


def test_tensors_come_back_with_values_dtypes_shapes_and_metadata(tmp_path):
    path = tmp_path / "new" / "x.safetensors"
    files.write_tensors(path, _TENSORS, metadata={"name": "é"})
    tensors, metadata = files.read_tensors(path)
    assert metadata == {"name": "é"}
    assert set(tensors) == set(_TENSORS)
    for name, tensor in tensors.items():
        np.testing.assert_array_equal(tensor, _TENSORS[name], strict=True)


@pytest.mark.parametrize("view", [np.transpose, lambda x: x[:, ::2], lambda x: x[::-1]])
def test_views_of_arrays_come_back_as_they_look(tmp_path, view):
    array = view(np.arange(24, dtype=np.float32).reshape(4, 6))
    files.write_tensors(tmp_path / "x", {"array": array}, metadata={})
    np.testing.assert_array_equal(files.read_tensors(tmp_path / "x")[0]["array"], array)


def test_equal_content_gives_equal_bytes(tmp_path):
    metadata = {str(i): "text" for i in range(8)}
    for path, reverse in [(tmp_path / "a", False), (tmp_path / "b", True)]:
        files.write_tensors(
            path,
            dict(sorted(_TENSORS.items(), reverse=reverse)),
            metadata=dict(sorted(metadata.items(), reverse=reverse)),
        )
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_digest_is_that_of_names_dtypes_shapes_and_values_sorted_by_name():
    tensors = {"b": np.array([1, -1], np.int8), "a": np.array(1.0, np.float32)}
    expected = hashlib.sha256(b"a float32 ()\n\0\0\x80?b int8 (2,)\n\x01\xff").hexdigest()
    assert files.digest(tensors) == expected


_readers = pytest.mark.parametrize("read", [files.read_tensors, files.read_metadata])


def test_metadata_come_back_without_the_tensors(tmp_path):
    path = tmp_path / "x.safetensors"
    files.write_tensors(path, _TENSORS, metadata={"origin": "über"})
    assert files.read_metadata(path) == {"origin": "über"}


@_readers
def test_a_cut_file_is_refused_by_name(tmp_path, read):
    path = tmp_path / "x.safetensors"
    files.write_tensors(path, _TENSORS, metadata={})
    whole = path.read_bytes()
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        with pytest.raises(ValueError, match=r"x\.safetensors is not a whole \.safetensors file"):
            read(path)


@_readers
@pytest.mark.parametrize("metadata", [None, {"format": "pt"}])
def test_a_file_of_another_program_is_refused_by_name(tmp_path, metadata, read):
    path = tmp_path / "x.safetensors"
    path.write_bytes(safetensors.numpy.save(_TENSORS, metadata))
    with pytest.raises(ValueError, match=r"x\.safetensors has the metadata .*another program"):
        read(path)


@_readers
def test_damaged_metadata_is_refused_by_name(tmp_path, read):
    path = tmp_path / "x.safetensors"
    path.write_bytes(safetensors.numpy.save(_TENSORS, {"ss_tf": "{cut"}))
    with pytest.raises(ValueError, match=r"x\.safetensors is damaged: its metadata is not JSON"):
        read(path)


@_readers
def test_a_missing_file_is_an_os_error(tmp_path, read):
    with pytest.raises(FileNotFoundError, match="nowhere"):
        read(tmp_path / "nowhere")


def test_an_interrupted_write_leaves_the_old_content(tmp_path, monkeypatch):
    path = tmp_path / "x.json"
    files.write_atomically(path, b"old")

    def killed(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", killed)
    with pytest.raises(KeyboardInterrupt):
        files.write_atomically(path, b"new")
    assert path.read_bytes() == b"old"


def test_write_replaces_the_old_content_and_leaves_nothing_else(tmp_path):
    path = tmp_path / "x.json"
    for content in ({"a": 1}, {"b": 2}):
        files.write_atomically(path, json.dumps(content).encode())
    assert json.loads(path.read_text()) == {"b": 2}
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("name", ["", ".hidden", "..", "a/b", "a\\b", "a\nb", "\udcff"])
def test_names_that_cannot_be_files_are_refused(name):
    with pytest.raises(ValueError, match=r"Superclass .* cannot name a file"):
        files.check_name(name, subject="Superclass")


def test_names_are_bounded_in_bytes():
    files.check_name("ไ" * 66, subject="Superclass")  # 198 bytes.
    with pytest.raises(ValueError, match="takes 201 bytes in UTF-8, expected at most 200"):
        files.check_name("ไ" * 67, subject="Superclass")


def test_a_failed_write_leaves_no_temporary_file(tmp_path, monkeypatch):
    def fill_disk(*_):
        raise OSError("disk full")

    monkeypatch.setattr("os.fsync", fill_disk)
    with pytest.raises(OSError, match="disk full"):
        files.write_atomically(tmp_path / "a", b"x")
    assert not list(tmp_path.iterdir())


def test_a_folder_has_one_holder_at_a_time(tmp_path):
    folder = tmp_path / "networks"
    message = r"The flat network is in the hands of another process \(.*networks\)"
    with files.locked(folder, subject="The flat network"):
        again = files.locked(folder, subject="The flat network")
        with pytest.raises(ValueError, match=message):
            again.__enter__()
    with files.locked(folder, subject="The flat network"):
        assert (folder / ".lock").exists()


def test_what_a_killed_write_left_behind_is_written_over(tmp_path):
    (tmp_path / ".a.tmp").write_bytes(b"half")
    files.write_atomically(tmp_path / "a", b"whole")
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_a_file_takes_its_place_when_all_of_it_is_written(tmp_path):
    path = tmp_path / "new" / "x"
    with files.replacing(path) as file:
        file.write(b"old")
        assert not path.exists()
    # Text is no bytes.
    with pytest.raises(TypeError), files.replacing(path) as file:
        file.write("half")
    assert path.read_bytes() == b"old"
    assert [entry.name for entry in path.parent.iterdir()] == ["x"]
