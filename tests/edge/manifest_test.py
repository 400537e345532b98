import json

import pytest

from ss_tf.edge.manifest import Manifest
from ss_tf.routing.policy import RoutingPolicy


def test_json_round_trip(make_bundle):
    policy = RoutingPolicy(top_k=2, tau=0.5, temperatures={"fish": 2.0})
    about = make_bundle(policy=policy).about
    assert Manifest.from_json(about.to_json()) == about
    assert about.base_width == 3


def test_text_is_short_and_has_a_line_for_each_field(make_bundle):
    text = make_bundle().about.to_json()
    fields = json.loads(text)
    assert len(text.splitlines()) == len(fields) + 2
    assert '"mean": [0.5],\n' in text
    # Names of fields, blanks after them and ends of lines are all there is beside the contents.
    contents = json.dumps(list(fields.values()), separators=(",", ":"))
    assert len(text) < len(contents) + sum(len(name) + 6 for name in fields) + 10


def test_newer_version_says_what_to_do(make_bundle):
    fields = json.loads(make_bundle().about.to_json()) | {"version": 2}
    with pytest.raises(ValueError, match="version is 2, expected 1: update ss_tf"):
        Manifest.from_json(json.dumps(fields))


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("base_kind", "../../etc", "base_kind is"),
        ("base_kind", ["super"], "base_kind is"),
        ("image_size", 0, "image_size is 0, expected a whole number from 1 to 4096"),
        ("image_size", 10**9, "image_size is 1000000000"),
        ("channels", 2, "channels is 2, expected 1 or 3"),
        ("mean", [0.1, 0.2], "mean is"),
        ("mean", 3, "mean is damaged: It is 3, expected a list of numbers"),
        ("mean", "a", "mean is damaged: It is 'a'"),
        ("std", [0.0], r"std is \(0.0,\), expected 1 numbers from 1e-06 to 1e\+06"),
        ("std", [1e-30], "std is"),
        ("std", [float("nan")], "There is a NaN, expected finite numbers"),
        ("mean", [float("inf")], "There is a Infinity, expected finite numbers"),
        ("mean", [10**400], "mean is"),
        ("head_width", 2, "head_width is 2, expected 3 or more"),
        ("crop_fraction", 1.5, "crop_fraction is 1.5"),
        ("signature", None, "signature is None"),
        ("signature", "x" * 101, "signature is 'x.*, expected 1 to 100 characters"),
        ("head_width", True, "head_width is True"),
        ("policy", {"version": 1}, "policy is damaged"),
        ("superclass_map", [], r"superclass_map is \[\], expected an object"),
        ("superclass_map", {}, r"superclass_map lacks the fields \['label_names', "),
        ("base", None, "base is None, expected an object"),
        ("base", {"num_bytes": 1}, r"base lacks the fields \['sha256'\]"),
        ("base", {"num_bytes": -1, "sha256": "0" * 64}, "num_bytes of base is -1, expected 1 to"),
        ("base", {"num_bytes": 1, "sha256": "x"}, "sha256 of base is 'x'"),
        ("subs", {}, r"subs is \[\], expected \['bird', 'fish'\]"),
        ("subs", [], r"subs is damaged: It is \[\], expected superclass name -> facts"),
        ("subs", {"bird": 5}, "'bird' is 5, expected an object"),
        ("subs", {"bird": {"delta": 5, "network": 5}}, "delta of 'bird' is 5, expected an object"),
        ("source", "0" * 63, "source is"),
        ("source", None, "source is None"),
        ("format", "zip", "It is no manifest of an ss_tf edge bundle"),
        ("unknown", 1, r"It lacks the fields \[\] and has \['unknown'\] beside them"),
    ],
)
def test_each_field_is_checked(make_bundle, field, value, message):
    fields = json.loads(make_bundle().about.to_json()) | {field: value}
    with pytest.raises(ValueError, match=message):
        Manifest.from_json(json.dumps(fields))


def test_numbers_that_json_takes_for_infinite_are_refused(make_bundle):
    text = make_bundle().about.to_json().replace('"mean": [0.5]', '"mean": [1e999]')
    with pytest.raises(ValueError, match="There is a '1e999', expected finite numbers"):
        Manifest.from_json(text)


def test_a_missing_field_is_named(make_bundle):
    fields = json.loads(make_bundle().about.to_json())
    del fields["source"]
    with pytest.raises(ValueError, match=r"It lacks the fields \['source'\]"):
        Manifest.from_json(json.dumps(fields))


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("superclass_of_label", [0, 2, 1, 0, 2, 2.0], "superclass_of_label is"),
        ("superclass_of_label", [False, 2, True, 0, 2, 2], "superclass_of_label is"),
        ("superclass_of_label", [0, 2, 1, 0, 2, 3], "has superclass 3, expected 0..2"),
        ("label_names", ["owl", "cod", "tug", "hen", "eel", None], "label_names is"),
        ("label_names", "abcdef", "label_names is 'abcdef'"),
        ("label_names", 6, "superclass_map is damaged: label_names is 6, expected a list"),
        ("superclass_names", ["bird", "../boat", "fish"], "cannot name a file"),
        ("superclass_names", {"bird": 1, "boat": 2, "fish": 3}, "superclass_names is"),
    ],
)
def test_each_field_of_the_map_is_checked(make_bundle, field, value, message):
    fields = json.loads(make_bundle().about.to_json())
    fields["superclass_map"][field] = value
    with pytest.raises(ValueError, match=message):
        Manifest.from_json(json.dumps(fields))


@pytest.mark.parametrize("temperature", ["NaN", "1e-9", "true", '"1"'])
def test_temperatures_are_numbers(make_bundle, temperature):
    text = make_bundle(policy=RoutingPolicy(temperatures={"fish": 2.0})).about.to_json()
    start, _, end = text.partition("2.0")
    with pytest.raises(ValueError, match=r"policy is damaged|There is a NaN"):
        Manifest.from_json(f"{start}{temperature}{end}")


def test_maps_for_which_memory_would_not_do_are_refused(make_bundle):
    fields = json.loads(make_bundle().about.to_json())
    names = [str(number) for number in range(10_000)]
    one_each = {"superclass_names": names, "label_names": names}
    fields["superclass_map"] = {**one_each, "superclass_of_label": [*range(10_000)]}
    with pytest.raises(ValueError, match="Labels times superclasses is 100000000"):
        Manifest.from_json(json.dumps(fields))


@pytest.mark.parametrize("field", ["superclass_map", "policy", "subs", "mean", "base", "signature"])
def test_nesting_that_the_reader_of_json_just_takes_is_refused(make_bundle, field):
    """Writing a field anew needs a little more of the stack than reading it did."""
    text = make_bundle().about.to_json()
    fields = json.loads(text) | {field: "NESTED"}
    before, _, after = json.dumps(fields).partition('"NESTED"')
    for depth in range(850, 1000):
        with pytest.raises(ValueError, match=r"JSON|is damaged|expected"):
            Manifest.from_json(before + "[" * depth + "]" * depth + after)


@pytest.mark.parametrize("text", ["", "[]", "[" * 100_000, '{"a": 1', "3"])
def test_other_texts_are_refused_in_one_line(text):
    with pytest.raises(ValueError, match=r"\AIt is .*\Z"):
        Manifest.from_json(text)


def test_file_is_named(tmp_path):
    path = tmp_path / "manifest.json"
    path.write_bytes(b"\xff")
    with pytest.raises(ValueError, match=r"manifest\.json cannot be used: 'utf-8' codec"):
        Manifest.load(path)
