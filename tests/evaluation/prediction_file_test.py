import io
import json
import zipfile

import numpy as np
import pytest

from ss_tf.evaluation import prediction_file
from ss_tf.hierarchy.superclass_map import SuperclassMap
from ss_tf.routing.policy import RoutingPolicy


@pytest.fixture
def path(tmp_path, predictions):
    path = tmp_path / "report" / "predictions.npz"
    prediction_file.write(predictions, path)
    return path


def members(path):
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def rewrite(path, *, compression=zipfile.ZIP_STORED, **changes):
    """Puts other bytes into some arrays of the file; None takes one out."""
    arrays = {**members(path), **{f"{name}.npy": data for name, data in changes.items()}}
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, data in arrays.items():
            if data is not None:
                archive.writestr(name, data)


def npy(array, **options):
    buffer = io.BytesIO()
    np.save(buffer, array, **options)
    return buffer.getvalue()


def about_with(path, **changes):
    about = json.loads(np.load(path)["about"].tobytes())
    return npy(np.frombuffer(json.dumps({**about, **changes}).encode(), np.uint8))


@pytest.mark.parametrize("base_kind", ["super", "flat"])
def test_predictions_come_back_as_they_were(draw, tmp_path, base_kind):
    written = draw(base_kind=base_kind)
    prediction_file.write(written, tmp_path / "x.npz")
    read = prediction_file.read(tmp_path / "x.npz")
    for name in ("superclass_map", "base_kind", "keys", "policy"):
        assert getattr(read, name) == getattr(written, name)
    assert read.facts == json.loads(json.dumps(written.facts))
    np.testing.assert_array_equal(read.labels, written.labels, strict=True)
    assert set(read.logits) == set(written.logits)
    for key, logits in written.logits.items():
        np.testing.assert_array_equal(read.logits[key], logits, strict=True)
    for form, subs in written.subs.items():
        assert set(read.subs[form]) == set(subs)
        for superclass, sub in subs.items():
            found = read.subs[form][superclass]
            np.testing.assert_array_equal(found.indices, sub.indices, strict=True)
            np.testing.assert_array_equal(found.logits, sub.logits, strict=True)


def test_numpy_opens_the_file_without_pickle(path, predictions):
    with np.load(path, allow_pickle=False) as arrays:
        np.testing.assert_array_equal(arrays["labels"], predictions.labels)
        np.testing.assert_array_equal(
            arrays["logits.flat.float"], predictions.logits["flat", "float"]
        )


def test_equal_predictions_give_equal_bytes(path, predictions, tmp_path):
    prediction_file.write(predictions, tmp_path / "again.npz")
    assert path.read_bytes() == (tmp_path / "again.npz").read_bytes()


def test_a_form_without_any_sub_network_comes_back(predictions, replace, tmp_path):
    each_alone = SuperclassMap.from_groups({name: [f"{name}/x"] for name in "abcdef"})
    alone = replace(
        predictions,
        superclass_map=each_alone,
        logits={("flat", "float"): predictions.logits["flat", "float"]},
        subs={"int8": {}},
        policy=None,
    )
    prediction_file.write(alone, tmp_path / "x.npz")
    assert prediction_file.read(tmp_path / "x.npz").subs == {"int8": {}}


def test_keys_may_be_names_of_files_that_are_no_utf_8(predictions, replace, tmp_path):
    keys = ("caf\udce9.jpg", "é\n\x00", *predictions.keys[2:])
    prediction_file.write(replace(predictions, keys=keys), tmp_path / "x.npz")
    assert prediction_file.read(tmp_path / "x.npz").keys == keys


@pytest.mark.parametrize("place", [0.1, 0.5, 0.9])
def test_a_bit_that_flipped_is_found(path, place):
    data = bytearray(path.read_bytes())
    data[int(place * len(data))] ^= 1
    path.write_bytes(data)
    with pytest.raises(ValueError, match=r"predictions\.npz is no predictions\.npz that eval\.py"):
        prediction_file.read(path)


@pytest.mark.parametrize("share", [0, 0.3, 0.99])
def test_a_file_that_ends_early_is_refused(path, share):
    data = path.read_bytes()
    path.write_bytes(data[: int(share * len(data))])
    with pytest.raises(ValueError, match=r"is no predictions\.npz that eval\.py wrote, or is"):
        prediction_file.read(path)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"none\.npz"):
        prediction_file.read(tmp_path / "none.npz")


def huge():
    header = b"{'descr': '<f4', 'fortran_order': False, 'shape': (1000000000000, 6), }\n"
    return b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"labels": None}, "'labels' is missing"),
        ({"about": None}, "'about' is missing"),
        ({"labels": npy(np.array([{}], object), allow_pickle=True)}, r"'labels' is object of"),
        ({"labels": npy(np.asfortranarray(np.ones((2, 2))))}, r"'labels' is float64 of shape"),
        ({"labels": huge()}, r"'labels' has another size than its shape \(1000000000000, 6\)"),
        ({"labels": b"\x93NUMPY\x03\x00"}, r"'labels' is npy \(3, 0\), expected \(1, 0\)"),
        ({"labels": b"GIF89a" * 9}, r"magic string is not correct"),
        ({"labels": b"\x93NUMPY\x01\x00\x05\x00((((("}, "EOF in multi-line statement"),
        ({"odd": npy(np.zeros(1, np.uint8))}, "it has an array 'odd', expected logits"),
        ({"indices.int8.0": None}, r"'indices\.int8\.0' is missing"),
        ({"logits.int8.7": npy(np.zeros((1, 1), np.float32))}, r"'indices\.int8\.7' is missing"),
        ({"about": npy(np.frombuffer(b"[" * 100_000, np.uint8))}, "about is nested too deep"),
        ({"about": npy(np.frombuffer(b'{"version": NaN}', np.uint8))}, "There is a NaN"),
        ({"about": npy(np.frombuffer(b"[1]", np.uint8))}, r"about is \[1\], expected an object"),
    ],
)
def test_what_a_stranger_may_put_into_it_is_refused(path, changes, message):
    rewrite(path, **changes)
    with pytest.raises(ValueError, match=f"is no predictions.npz .*{message}"):
        prediction_file.read(path)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"version": 2}, "its version is 2, expected 1"),
        ({"more": 1}, r"about lacks the fields \[\] and has \['more'\]"),
        ({"keys": 7}, "keys is 7, expected a list of texts"),
        ({"facts": []}, r"facts is \[\], expected an object"),
        ({"policy": {"version": 1}}, "routing policy lacks the fields"),
        ({"superclass_map": {}}, "A superclass map lacks the fields"),
        ({"superclass_map": [5]}, r"A superclass map is \[5\], expected an object"),
        ({"sub_forms": ["fp16"]}, "is no predictions"),
    ],
)
def test_fields_of_another_kind_are_refused(path, changes, message):
    rewrite(path, about=about_with(path, **changes))
    with pytest.raises(ValueError, match=message):
        prediction_file.read(path)


def test_compressed_arrays_are_refused_unread(path):
    # They could be a thousand times as large as the file.
    rewrite(path, compression=zipfile.ZIP_DEFLATED)
    with pytest.raises(ValueError, match=r"is compressed or there twice|larger than the file"):
        prediction_file.read(path)


def test_an_array_that_is_there_twice_is_refused(path):
    with zipfile.ZipFile(path, "a") as archive, pytest.warns(UserWarning, match="Duplicate name"):
        archive.writestr("labels.npy", npy(np.zeros(60, np.int64)))
    with pytest.raises(ValueError, match="'labels' is compressed or there twice"):
        prediction_file.read(path)


def test_a_failed_write_leaves_the_old_file(path, predictions, replace):
    before = path.read_bytes()
    unwritable = replace(predictions, facts={**predictions.facts, "seconds": {"x": float("nan")}})
    with pytest.raises(ValueError, match="not JSON compliant"):
        prediction_file.write(unwritable, path)
    assert path.read_bytes() == before
    assert [entry.name for entry in path.parent.iterdir()] == [path.name]


def test_a_policy_comes_back_with_every_setting(draw, replace, tmp_path):
    policy = RoutingPolicy(top_k=3, tau=0.1, base_weight=0.25, early_exit=0.875)
    prediction_file.write(replace(draw(base_kind="flat"), policy=policy), tmp_path / "x.npz")
    assert prediction_file.read(tmp_path / "x.npz").policy == policy


@pytest.mark.parametrize("error", [KeyError("x"), TypeError("x"), AttributeError("x")])
def test_facts_of_another_form_are_told_in_one_line(error):
    with (
        pytest.raises(ValueError, match=r"a\.npz has facts that eval\.py did not write.*x"),
        prediction_file.facts_from("a.npz"),
    ):
        raise error


def test_other_errors_are_facts_of_another_form_only_if_told_so():
    with pytest.raises(ZeroDivisionError), prediction_file.facts_from("a.npz"):
        raise ZeroDivisionError
    with (
        pytest.raises(ValueError, match=r"a\.npz has facts"),
        prediction_file.facts_from("a.npz", ZeroDivisionError),
    ):
        raise ZeroDivisionError
