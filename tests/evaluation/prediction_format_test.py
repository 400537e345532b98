import dataclasses
import json
import os
import pathlib

import pytest

from ss_tf.data.image_files import UnreadableImageError
from ss_tf.evaluation import prediction_format
from ss_tf.evaluation.prediction_format import Prediction, ScoredLabel

WREN = ScoredLabel(label="bird/wren", superclass="bird", probability=0.75)
FERRY = ScoredLabel(label="größe", superclass="boat", probability=0.125)


@pytest.fixture
def prediction():
    """A bird, surely, with a single label asked for."""
    return Prediction(
        path=pathlib.Path("photos/größe.png"),
        superclass="bird",
        superclass_probability=0.9876,
        subclass="bird/wren",
        subclass_probability=1.0,
        opened=("bird",),
        top=(WREN,),
    )


def test_line_names_path_superclass_and_subclass(prediction):
    line = prediction_format.text_line(prediction)
    assert line == "photos/größe.png: bird 98.8 %, bird/wren 100.0 %"


def test_labels_beside_the_first_follow_with_joint_probabilities(prediction):
    line = prediction_format.text_line(dataclasses.replace(prediction, top=(WREN, FERRY)))
    assert line == (
        "photos/größe.png: bird 98.8 %, bird/wren 100.0 %; top: bird/wren 75.0 %, größe 12.5 %"
    )


def test_an_image_that_abstains_shows_its_superclass_alone(prediction):
    unsure = dataclasses.replace(
        prediction, subclass=None, subclass_probability=0.0, top=(WREN, FERRY)
    )
    assert prediction_format.text_line(unsure) == "photos/größe.png: bird 98.8 %"
    found = json.loads(prediction_format.json_line(unsure))
    assert found["subclass"] is None
    assert found["subclass_probability"] == 0
    assert [scored["label"] for scored in found["top"]] == ["bird/wren", "größe"]


def test_an_image_that_exited_early_looks_as_others_do(prediction):
    early = dataclasses.replace(prediction, opened=())
    assert prediction_format.text_line(early) == prediction_format.text_line(prediction)
    assert json.loads(prediction_format.json_line(early))["opened"] == []


def test_json_has_all_fields_in_one_line_of_ascii(prediction):
    line = prediction_format.json_line(prediction)
    assert line.isascii()
    assert "\n" not in line
    assert json.loads(line) == {
        "path": "photos/größe.png",
        "superclass": "bird",
        "superclass_probability": 0.9876,
        "subclass": "bird/wren",
        "subclass_probability": 1.0,
        "opened": ["bird"],
        "top": [{"label": "bird/wren", "superclass": "bird", "probability": 0.75}],
    }


def test_json_says_what_is_wrong_with_an_image():
    error = UnreadableImageError("größe\n.png", 'it is no "image"')
    line = prediction_format.json_line(error)
    assert "\n" not in line
    assert json.loads(line) == {"path": "größe\n.png", "error": 'it is no "image"'}


def test_names_that_are_no_text_can_be_shown(prediction):
    odd = dataclasses.replace(prediction, path=pathlib.Path(os.fsdecode(b"\xff.png")))
    assert json.loads(prediction_format.json_line(odd))["path"] == "\\xff.png"
    assert prediction_format.text_line(odd).startswith("\\xff.png: ")


def test_numbers_that_json_lacks_are_refused(prediction):
    with pytest.raises(ValueError, match="not JSON compliant"):
        prediction_format.json_line(
            dataclasses.replace(prediction, superclass_probability=float("nan"))
        )
