import json

import pytest

from ss_tf.edge.manifest import Manifest
from ss_tf.routing.policy import RoutingPolicy


def test_json_round_trip(make_bundle):
    policy = RoutingPolicy(top_k=2, tau=0.5, temperatures={"fish": 2.0})
    about = make_bundle(policy=policy).about
    assert Manifest.from_json(about.to_json()) == about
    assert about.base_width == 3


def test_newer_version_says_what_to_do(make_bundle):
    fields = json.loads(make_bundle().about.to_json()) | {"version": 2}
    with pytest.raises(ValueError, match="version is 2, expected 1: update ss_tf"):
        Manifest.from_json(json.dumps(fields))


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("base_kind", "../../etc", "base_kind is"),
        ("base_kind", ["super"], "base_kind is"),
        ("image_size", 0, "image_size is 0"),
        ("image_size", 10**9, "image_size is 1000000000"),
        ("channels", 2, "channels is 2"),
        ("mean", [0.1, 0.2], "mean is"),
        ("mean", 3, "mean is damaged"),
        ("std", [0.0], "std is"),
        ("crop_fraction", 1.5, "crop_fraction is 1.5"),
        ("signature", None, "signature is None"),
        ("head_width", True, "head_width is True"),
        ("policy", {"version": 1}, "policy is damaged"),
        ("superclass_map", [], "superclass_map is damaged"),
        ("base", {"num_bytes": 1}, "base is damaged"),
        ("base", {"num_bytes": -1, "sha256": "0" * 64}, "num_bytes is -1"),
        ("base", {"num_bytes": 1, "sha256": "x"}, "sha256 is 'x'"),
        ("subs", {}, r"subs is \[\], expected \['bird', 'fish'\]"),
        ("subs", [], "subs is damaged"),
        ("source", "0" * 63, "source is"),
        ("source", None, "source is None"),
        ("format", "zip", "It is no ss_tf edge bundle"),
        ("unknown", 1, "The list of fields is"),
    ],
)
def test_each_field_is_checked(make_bundle, field, value, message):
    fields = json.loads(make_bundle().about.to_json()) | {field: value}
    with pytest.raises(ValueError, match=message):
        Manifest.from_json(json.dumps(fields))


@pytest.mark.parametrize("text", ["", "[]", "[" * 100_000, '{"a": 1', "3"])
def test_other_texts_are_refused_in_one_line(text):
    with pytest.raises(ValueError, match=r"\AIt is .*\Z"):
        Manifest.from_json(text)


def test_file_is_named(tmp_path):
    path = tmp_path / "manifest.json"
    path.write_bytes(b"\xff")
    with pytest.raises(ValueError, match=r"manifest\.json is no manifest of a bundle"):
        Manifest.load(path)
