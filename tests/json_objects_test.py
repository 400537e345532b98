import json

import pytest

from ss_tf import json_objects


def test_an_object_is_what_json_says():
    fields = {"a": [1, 2.5, None, True], "ß": {"b": {}}}
    assert json_objects.read(json.dumps(fields), subject="It") == fields


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "It is no JSON: Expecting value"),
        ('{"a": 1', "It is no JSON: "),
        ("[1]", r"It is \[1\], expected an object"),
        ("[" * 100_000, "It is nested too deep"),
        ('{"a": 1, "b": 2, "a": 1}', "field 'a' is there twice"),
        ('{"a": {"c": 1, "c": 1}}', "field 'c' is there twice"),
        ('{"a": -Infinity}', "There is a -Infinity, expected finite numbers"),
        ('{"a": [NaN]}', "There is a NaN"),
        ('{"a": [-1e999]}', "There is a '-1e999', expected finite numbers"),
        ('{"a": ' + "9" * 10**6 + ".0}", r"There is a '9+\.\.\.9+\.0', expected finite"),
    ],
    ids=range(10),
)
def test_other_texts_are_refused_in_one_line(text, message):
    with pytest.raises(ValueError, match=message) as caught:
        json_objects.read(text, subject="It")
    assert "\n" not in str(caught.value)


def test_missing_and_unknown_fields_are_named_in_short():
    json_objects.check_names({"a": 1, "b": 2}, ["b", "a"], subject="It")
    with pytest.raises(ValueError, match=r"It lacks the fields \['b'\] and has \['c'\] beside"):
        json_objects.check_names({"a": 1, "c": 2}, ["a", "b"], subject="It")
    with pytest.raises(ValueError, match="It is 'a', expected an object"):
        json_objects.check_names("a", ["a"], subject="It")
    with pytest.raises(ValueError, match="expected") as caught:
        json_objects.check_names({"x" * 10**6: 1}, ["a"], subject="It")
    assert len(str(caught.value)) < 200
