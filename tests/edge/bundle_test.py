import json

import pytest

from ss_tf.edge import bundle


def test_files_are_found_and_give_the_networks(make_bundle):
    tiny = make_bundle()
    whole = bundle.Bundle(tiny.path)
    base = whole.base()
    assert whole.manifest == tiny.about
    for name in ("bird", "fish"):
        assert tiny.weights[name].tobytes() in whole.sub(name, base=base)


def test_folder_without_a_manifest_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"is no edge bundle: manifest\.json is missing"):
        bundle.Bundle(tmp_path)


def test_damaged_or_missing_base_is_named(make_bundle):
    tiny = make_bundle()
    data = tiny.base_file.read_bytes()
    for damaged in (data[:-1], data + b"x", b"x" + data[1:]):
        tiny.base_file.write_bytes(damaged)
        difference = f"{len(damaged)} bytes, expected {len(data)}"
        if len(damaged) == len(data):
            difference = f"the SHA-256 [0-9a-f]{{16}}, expected {tiny.about.base.sha256[:16]}"
        message = rf"super\.tflite is damaged: it has {difference}, as the manifest says: copy it"
        with pytest.raises(ValueError, match=message):
            bundle.Bundle(tiny.path).base()
    tiny.base_file.unlink()
    with pytest.raises(
        ValueError, match=r"super\.tflite is missing, the bundle is not whole: copy"
    ):
        bundle.Bundle(tiny.path).base()


def test_files_of_another_size_are_not_read(make_bundle):
    tiny = make_bundle()
    with tiny.base_file.open("ab") as file:
        file.truncate(1 << 40)  # Takes no room on disk, and would take a terabyte in memory.
    with pytest.raises(ValueError, match=r"super\.tflite is damaged"):
        bundle.Bundle(tiny.path).base()


def test_what_cannot_be_read_is_named(make_bundle):
    tiny = make_bundle()
    whole, path = bundle.Bundle(tiny.path), tiny.path / "deltas" / "bird.delta"
    path.unlink()
    path.symlink_to("/proc/self/mem")
    with pytest.raises(ValueError, match=r"bird\.delta (is damaged|cannot be read)"):
        whole.sub("bird", base=whole.base())


def test_delta_of_another_superclass_is_refused(make_bundle):
    """As if someone had exchanged files, and their digests in the manifest."""
    tiny = make_bundle()
    base = tiny.base_file.read_bytes()
    fields = json.loads(tiny.about.to_json())
    fields["subs"]["bird"]["delta"] = fields["subs"]["fish"]["delta"]
    (tiny.path / "manifest.json").write_text(json.dumps(fields))
    deltas = tiny.path / "deltas"
    (deltas / "bird.delta").write_bytes((deltas / "fish.delta").read_bytes())
    with pytest.raises(ValueError, match=r"bird\.delta gives the network .*, expected "):
        bundle.Bundle(tiny.path).sub("bird", base=base)


def test_what_was_made_is_not_checked_before_it_is_asked_for(make_bundle, monkeypatch):
    tiny = make_bundle()
    base = tiny.base_file.read_bytes()
    whole = bundle.Bundle(tiny.path)
    delta = whole.delta("bird")
    network = delta.restore(base)
    assert network == whole.sub("bird", base=base)
    delta.check(network)
    monkeypatch.setattr(bundle.patch, "apply_unchecked", lambda base, *_, **__: base)
    with pytest.raises(ValueError, match=r"bird\.delta cannot be used: .* another SHA-256"):
        whole.sub("bird", base=base)


@pytest.mark.parametrize("name", ["../secret", "a/b", "", ".hidden", "a\0b", "a\\b"])
def test_names_stay_inside_the_bundle(tmp_path, name):
    with pytest.raises(ValueError, match="cannot name a file"):
        bundle.delta_file(tmp_path, name)
