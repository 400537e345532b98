"""Tests of reading ImageNet's archives, against Python's own tar reader and with damaged copies."""

import io
import pathlib
import re
import shutil
import tarfile

import pytest
import tensorflow_datasets as tfds

from tfds_superclass.superclass_imagenet import archives

_DUMMY = pathlib.Path(archives.__file__).parent / "dummy_data"
# African and Indian elephant, mountain bike and tandem; the other three archives are outsiders.
_WNIDS = ("n02504458", "n02504013", "n03792782", "n02835271")
_TENCH = "n01440764"


@pytest.fixture(name="folder")
def _folder(tmp_path):
    """Returns a copy of the dummy archives to do harm to."""
    for path in _DUMMY.iterdir():
        shutil.copy(path, tmp_path)
    return tfds.core.Path(tmp_path)


def _unpack(data):
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        return {member.name: archive.extractfile(member).read() for member in archive}


def _pack(files, path=None):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, data in files.items():
            header = tarfile.TarInfo(name)
            header.size = len(data)
            archive.addfile(header, io.BytesIO(data))
    if path:
        path.write_bytes(buffer.getvalue())
    return buffer.getvalue()


def _validation_labels():
    return tfds.core.tfds_path(archives.VALIDATION_LABELS).read_text().split()


def _extract(folder):
    """Replaces the archives by the trees that people make of them."""
    for name, data in _unpack((folder / archives.TRAIN_TAR).read_bytes()).items():
        wnid = name.removesuffix(".tar")
        (folder / "train" / wnid).mkdir(parents=True)
        for image, content in _unpack(data).items():
            (folder / "train" / wnid / image).write_bytes(content)
    (folder / "val").mkdir()
    for image, content in _unpack((folder / archives.VALIDATION_TAR).read_bytes()).items():
        (folder / "val" / image).write_bytes(content)
    (folder / archives.TRAIN_TAR).unlink()
    (folder / archives.VALIDATION_TAR).unlink()


def _read_all(folder):
    """Returns wnid -> images of training and of validation, each as name -> bytes."""
    found = archives.find_train(folder, _WNIDS), archives.find_validation(folder, _WNIDS)
    return [
        {wnid: dict(archives.read_images(extents)) for wnid, extents in part.items()}
        for part in found
    ]


def test_images_are_those_that_unpacking_twice_gives(folder):
    train, validation = _read_all(folder)
    outer = _unpack((folder / archives.TRAIN_TAR).read_bytes())
    assert train == {wnid: _unpack(outer[f"{wnid}.tar"]) for wnid in _WNIDS}
    every = _unpack((folder / archives.VALIDATION_TAR).read_bytes())
    labels = _validation_labels()
    for wnid in _WNIDS:
        names = [name for name in every if labels[int(name[15:23]) - 1] == wnid]
        assert validation[wnid] == {name: every[name] for name in names}
        assert len(names) == 1


@pytest.mark.parametrize("in_class_folders", [False, True])
def test_extracted_trees_give_what_the_archives_give(folder, in_class_folders):
    expected = _read_all(folder)
    _extract(folder)
    if in_class_folders:
        labels = _validation_labels()
        for path in list((folder / "val").iterdir()):
            home = folder / "val" / labels[int(path.name[15:23]) - 1]
            home.mkdir(exist_ok=True)
            path.rename(home / path.name)
    # As macOS leaves them on other people's disks.
    (folder / "train" / _WNIDS[0] / "._n1.JPEG").write_bytes(b"junk")
    assert _read_all(folder) == expected


def test_repacked_archives_are_read_too(folder):
    """As `tar -c .` writes them, with folders, and headers for what ustar has no place for."""
    expected = _read_all(folder)
    for name in (archives.TRAIN_TAR, archives.VALIDATION_TAR):
        files = _unpack((folder / name).read_bytes())
        with tarfile.open(folder / name, "w", format=tarfile.PAX_FORMAT) as archive:
            top = tarfile.TarInfo("./long" + "g" * 120)
            top.type = tarfile.DIRTYPE
            archive.addfile(top)
            for inner, data in files.items():
                header = tarfile.TarInfo(f"{top.name}/{inner}")
                header.size, header.mtime = len(data), 0.5
                archive.addfile(header, io.BytesIO(data))
    assert _read_all(folder) == expected


@pytest.mark.parametrize("name", [archives.TRAIN_TAR, archives.VALIDATION_TAR])
def test_a_missing_archive_is_named_with_where_to_get_it(folder, name):
    (folder / name).unlink()
    with pytest.raises(ValueError, match=rf"found neither {name} nor .*download .*image-net.org"):
        _read_all(folder)


@pytest.mark.parametrize("name", [archives.TRAIN_TAR, archives.VALIDATION_TAR])
@pytest.mark.parametrize("share", [0.3, 0.5, 0.8])
def test_a_truncated_archive_is_refused(folder, name, share):
    data = (folder / name).read_bytes()
    (folder / name).write_bytes(data[: int(share * len(data.rstrip(b"\0")))])
    with pytest.raises(ValueError, match=rf"{name}: .*expected a whole tar.*download it again"):
        _read_all(folder)


def test_an_archive_cut_between_two_files_is_refused(folder):
    path = folder / archives.VALIDATION_TAR
    with tarfile.open(path) as archive:
        last = archive.getmembers()[-1].offset
    path.write_bytes(path.read_bytes()[:last])
    with pytest.raises(ValueError, match=f"no tar header at byte {last:,}"):
        _read_all(folder)


@pytest.mark.parametrize("name", [archives.TRAIN_TAR, archives.VALIDATION_TAR])
@pytest.mark.parametrize("data", [b"", b"<html>Log in</html>" * 100], ids=["empty", "a web page"])
def test_what_is_no_archive_is_refused(folder, name, data):
    (folder / name).write_bytes(data)
    with pytest.raises(ValueError, match=rf"{name}: .*expected a whole tar archive"):
        _read_all(folder)


def test_swapped_archives_are_refused(folder):
    validation = (folder / archives.VALIDATION_TAR).read_bytes()
    train = (folder / archives.TRAIN_TAR).read_bytes()
    (folder / archives.TRAIN_TAR).write_bytes(validation)
    with pytest.raises(ValueError, match=r"train\.tar: no images of 4 of the 4 classes .*\.tar of"):
        archives.find_train(folder, _WNIDS)
    (folder / archives.VALIDATION_TAR).write_bytes(train)
    with pytest.raises(ValueError, match=rf"got an image {_TENCH}\.tar, expected ILSVRC2012_val"):
        archives.find_validation(folder, _WNIDS)


def test_a_class_without_training_images_is_named(folder):
    files = _unpack((folder / archives.TRAIN_TAR).read_bytes())
    del files[f"{_WNIDS[0]}.tar"]
    _pack(files, folder / archives.TRAIN_TAR)
    with pytest.raises(ValueError, match=rf"no images of 1 of the 4 classes \({_WNIDS[0]}\)"):
        archives.find_train(folder, _WNIDS)


def test_a_class_whose_archive_is_empty_is_named(folder):
    files = _unpack((folder / archives.TRAIN_TAR).read_bytes())
    _pack(files | {f"{_WNIDS[0]}.tar": _pack({})}, folder / archives.TRAIN_TAR)
    with pytest.raises(ValueError, match=rf"{_WNIDS[0]}\.tar in it is empty"):
        _read_all(folder)


def test_a_class_whose_archive_is_damaged_is_named(folder):
    files = _unpack((folder / archives.TRAIN_TAR).read_bytes())
    inner = bytearray(files[f"{_WNIDS[0]}.tar"])
    inner[1536:2048] = b"x" * 512  # The header of the second image.
    _pack(files | {f"{_WNIDS[0]}.tar": bytes(inner)}, folder / archives.TRAIN_TAR)
    with pytest.raises(ValueError, match=rf"{_WNIDS[0]}\.tar in it: no tar header at byte"):
        _read_all(folder)


def test_a_class_whose_archive_is_cut_is_named(folder):
    files = _unpack((folder / archives.TRAIN_TAR).read_bytes())
    cut = files[f"{_WNIDS[0]}.tar"][:1024]
    _pack(files | {f"{_WNIDS[0]}.tar": cut}, folder / archives.TRAIN_TAR)
    with pytest.raises(ValueError, match=rf"{_WNIDS[0]}\.tar in it: {_WNIDS[0]}_1.JPEG is cut"):
        _read_all(folder)


def test_a_class_without_validation_images_is_named(folder):
    labels = _validation_labels()
    files = _unpack((folder / archives.VALIDATION_TAR).read_bytes())
    kept = {n: data for n, data in files.items() if labels[int(n[15:23]) - 1] != _WNIDS[2]}
    _pack(kept, folder / archives.VALIDATION_TAR)
    with pytest.raises(ValueError, match=rf"val\.tar: no images of 1 .*\({_WNIDS[2]}\)"):
        archives.find_validation(folder, _WNIDS)


def test_a_file_that_is_no_image_is_named(folder):
    _extract(folder)
    path = next((folder / "train" / _WNIDS[1]).iterdir())
    path.write_bytes(b"")
    with pytest.raises(ValueError, match=rf"{re.escape(path.name)} begins with b'', expected a wh"):
        _read_all(folder)


def test_a_validation_image_in_the_folder_of_another_class_is_named(folder):
    _extract(folder)
    labels = _validation_labels()
    path = next((folder / "val").iterdir())
    (folder / "val" / "n99999999").mkdir()
    path.rename(folder / "val" / "n99999999" / path.name)
    expected = labels[int(path.name[15:23]) - 1]
    with pytest.raises(ValueError, match=f"is in folder n99999999, expected {expected}"):
        _read_all(folder)


@pytest.mark.parametrize("number", ["00000000", "00050001"])
def test_a_number_that_imagenet_does_not_have_is_refused(folder, number):
    name = f"ILSVRC2012_val_{number}.JPEG"
    _pack({name: b"\xff\xd8"}, folder / archives.VALIDATION_TAR)
    with pytest.raises(ValueError, match=rf"{name} with a number|got an image {name}"):
        _read_all(folder)


def _repack_train(folder, inner):
    """Puts other inner archives, wnid -> name -> bytes, into the training archive."""
    files = _unpack((folder / archives.TRAIN_TAR).read_bytes())
    files |= {f"{wnid}.tar": _pack(images) for wnid, images in inner.items()}
    _pack(files, folder / archives.TRAIN_TAR)


def _inner(folder, wnid):
    return _unpack(_unpack((folder / archives.TRAIN_TAR).read_bytes())[f"{wnid}.tar"])


def test_swapped_archives_of_two_classes_are_refused(folder):
    first, second = _WNIDS[:2]
    _repack_train(folder, {first: _inner(folder, second), second: _inner(folder, first)})
    with pytest.raises(
        ValueError,
        match=rf"train\.tar: {first}\.tar: got an image {second}_\d+\.JPEG, expected {first}_<num",
    ):
        _read_all(folder)


@pytest.mark.parametrize("name", [f"{_WNIDS[1]}_1.JPEG", f"{_WNIDS[0]}_x.JPEG", "1.JPEG"])
def test_an_image_in_the_training_folder_of_another_class_is_refused(folder, name):
    _extract(folder)
    home = folder / "train" / _WNIDS[0]
    next(home.iterdir()).rename(home / name)
    with pytest.raises(
        ValueError, match=rf"{_WNIDS[0]}: got an image {name}, expected {_WNIDS[0]}_<number>\.JPEG"
    ):
        archives.find_train(folder, _WNIDS)


def test_cut_images_are_refused_by_name(folder):
    images = _inner(folder, _WNIDS[0])
    name = list(images)[-1]
    _repack_train(folder, {_WNIDS[0]: images | {name: images[name][:-30]}})
    with pytest.raises(
        ValueError, match=rf"train\.tar: {name} is cut off .* expected a whole JPEG"
    ):
        dict(archives.read_images(archives.find_train(folder, _WNIDS)[_WNIDS[0]]))
    files = _unpack((folder / archives.VALIDATION_TAR).read_bytes())
    _pack({n: data[:-30] for n, data in files.items()}, folder / archives.VALIDATION_TAR)
    with pytest.raises(ValueError, match=r"val\.tar: ILSVRC2012_val_\d+\.JPEG is cut off"):
        dict(archives.read_images(archives.find_validation(folder, _WNIDS)[_WNIDS[0]]))


def test_a_validation_image_in_two_folders_is_refused_with_both(folder):
    _extract(folder)
    path = next((folder / "val").iterdir())
    home = folder / "val" / _validation_labels()[int(path.name[15:23]) - 1]
    home.mkdir()
    shutil.copy(path, home)
    with pytest.raises(ValueError, match=f"{path.name} twice, ") as refusal:
        archives.find_validation(folder, _WNIDS)
    assert f"{path} and {home / path.name}," in str(refusal.value)


def _append(path, name, data):
    """Adds a member to a tar archive, as `tar -r` does, also under a name that it has."""
    with tarfile.open(path, "a") as archive:
        header = tarfile.TarInfo(name)
        header.size = len(data)
        archive.addfile(header, io.BytesIO(data))


@pytest.mark.parametrize("tar", [archives.TRAIN_TAR, archives.VALIDATION_TAR])
def test_a_member_that_is_twice_in_an_archive_is_refused_with_both_places(folder, tar):
    name, data = next(iter(_unpack((folder / tar).read_bytes()).items()))
    _append(folder / tar, name, data)
    with pytest.raises(
        ValueError, match=rf"{name} twice, .*{tar} at byte 512 and .*{tar} at byte [1-9][\d,]+, exp"
    ):
        _read_all(folder)


def test_a_training_image_that_is_twice_in_its_class_is_refused(folder, tmp_path):
    images = _inner(folder, _WNIDS[0])
    inner = tmp_path / "inner.tar"
    _pack(images, inner)
    name, data = next(iter(images.items()))
    _append(inner, name, data)
    files = _unpack((folder / archives.TRAIN_TAR).read_bytes())
    _pack(files | {f"{_WNIDS[0]}.tar": inner.read_bytes()}, folder / archives.TRAIN_TAR)
    with pytest.raises(ValueError, match=f"Got {name} twice, .* expected it once"):
        _read_all(folder)


@pytest.mark.parametrize("name", [archives.TRAIN_TAR, archives.VALIDATION_TAR])
def test_a_folder_named_as_an_archive_is_refused(folder, name):
    (folder / name).unlink()
    (folder / name).mkdir()
    with pytest.raises(ValueError, match=rf"{name}: Is a directory, expected a file"):
        _read_all(folder)


@pytest.mark.parametrize("pattern", [f"train/{_WNIDS[0]}/*.JPEG", "val/*.JPEG"])
def test_a_folder_named_as_an_image_is_refused(folder, pattern):
    _extract(folder)
    for path in folder.glob(pattern):
        path.unlink()
        path.mkdir()
    with pytest.raises(ValueError, match=r"\d\.JPEG: Is a directory, expected a file"):
        _read_all(folder)
