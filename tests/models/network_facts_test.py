import dataclasses
import json
import subprocess
import sys

import pytest

from ss_tf.config import ModelConfig
from ss_tf.hierarchy.superclass_map import SuperclassMap
from ss_tf.models import network_facts
from ss_tf.models.network_facts import NetworkFacts

_MAP = SuperclassMap.from_groups({"cat": ["lion", "tiger"], "dog": ["husky", "malamute", "ねこ"]})


def _facts(**changes):
    facts = NetworkFacts(
        network="super",
        origin="random weights",
        version="0.1.0",
        superclass_map=_MAP,
        superclass=None,
        class_names=("cat", "dog"),
        model=ModelConfig(
            backbone="resnet18", resnet_blocks=(1, 1, 1, 2), base_width=8, stem="small"
        ),
        image_size=32,
        channels=3,
        mean=(0.485, 0.456, 0.406),
        std=(0.229, 0.224, 0.225),
        crop_fraction=0.875,
        dataset="folder",
        train_digest="a" * 64,
        float_epochs=10,
        qat_epochs=1,
        seed=0,
    )
    return dataclasses.replace(facts, **changes)


def _sub(**changes):
    of_sub = {
        "network": "sub/dog",
        "origin": f"base {'b' * 64}",
        "superclass_map": None,
        "superclass": "dog",
        "class_names": ("husky", "malamute", "ねこ"),
        "float_epochs": 5,
    }
    return _facts(**{**of_sub, **changes})


def _edited(section, **fields):
    """Returns the metadata with fields of one entry changed."""
    metadata = _facts().to_metadata()
    metadata[section] = json.dumps({**json.loads(metadata[section]), **fields})
    return metadata


@pytest.mark.parametrize(
    "facts",
    [
        _facts(),
        _facts(network="flat", class_names=_MAP.label_names),
        _facts(model=dataclasses.replace(_facts().model, resnet_blocks=None)),
        _sub(),
    ],
    ids=["super", "flat", "backbone's depth", "sub"],
)
def test_metadata_give_the_facts_back(facts):
    metadata = facts.to_metadata()
    assert all(isinstance(text, str) for text in metadata.values())
    assert NetworkFacts.from_metadata(metadata) == facts


def test_network_and_origin_are_plain_text():
    metadata = _sub().to_metadata()
    assert metadata["network"] == "sub/dog"
    assert metadata["origin"] == f"base {'b' * 64}"


def test_there_are_as_many_classes_as_names():
    assert _facts().num_classes == 2
    assert _sub().num_classes == 3


def test_a_sub_network_says_little_that_its_base_does_not():
    base, sub = _facts().to_metadata(), _sub().to_metadata()
    own = network_facts.relative_to_base(sub, base)
    assert own.keys() == {"network", "origin", "classes", "training"}
    assert len(json.dumps(own)) < 300
    assert network_facts.completed_by_base(own, base) == sub


def test_classes_that_the_base_does_not_know_are_kept():
    base = _facts().to_metadata()
    for sub in (_sub(class_names=("husky", "malamute", "wolf")), _sub(superclass="wolf")):
        own = network_facts.relative_to_base(sub.to_metadata(), base)
        assert network_facts.completed_by_base(own, base) == sub.to_metadata()


def test_metadata_without_facts_stay_as_they_are():
    base = {"network": "super", "origin": "random weights"}
    sub = {"network": "sub/dog", "origin": "base 1"}
    assert network_facts.relative_to_base(sub, base) == sub
    assert network_facts.relative_to_base(_sub().to_metadata(), base) == _sub().to_metadata()


def test_a_superclass_that_the_base_does_not_have_is_refused():
    own = {**_sub().to_metadata(), "classes": '{"superclass":"wolf"}'}
    with pytest.raises(ValueError, match="Unknown superclass 'wolf', expected one of cat, dog"):
        network_facts.completed_by_base(own, _facts().to_metadata())
    with pytest.raises(ValueError, match=r"classes .*expected the superclass map of a base"):
        network_facts.completed_by_base(own, _sub().to_metadata())


@pytest.mark.parametrize("field", sorted(_facts().to_metadata()))
def test_missing_entries_are_named(field):
    metadata = _facts().to_metadata()
    del metadata[field]
    with pytest.raises(ValueError, match=f"^{field} is missing from the network's metadata"):
        NetworkFacts.from_metadata(metadata)


@pytest.mark.parametrize(
    ("section", "field", "value", "expected"),
    [
        ("preprocessing", "image_size", 0, "a whole number, at least 1"),
        ("preprocessing", "image_size", 32.5, "a whole number"),
        ("preprocessing", "channels", True, "a whole number"),
        ("preprocessing", "mean", "0.5", "a list of numbers"),
        ("preprocessing", "mean", [0.5], "one number per channel"),
        ("preprocessing", "mean", [0.5, 0.5, float("nan")], "a list of numbers"),
        ("preprocessing", "std", [1, 1, 0], "numbers above 0"),
        ("preprocessing", "crop_fraction", 1.5, r"a number in \(0, 1\]"),
        ("model", "backbone", None, "text"),
        ("model", "resnet_blocks", [1, 1, "1", 1], "null or a list of"),
        ("data", "train_digest", 7, "text"),
        ("training", "seed", "0", "a whole number"),
        ("training", "qat_epochs", -1, "a whole number, at least 0"),
    ],
)
def test_wrong_fields_are_named(section, field, value, expected):
    with pytest.raises(ValueError, match=rf"^{section}\.{field} of .*, expected {expected}"):
        NetworkFacts.from_metadata(_edited(section, **{field: value}))


@pytest.mark.parametrize("section", ["data", "model", "preprocessing", "training"])
def test_missing_and_unknown_fields_are_named(section):
    with pytest.raises(ValueError, match=rf"{section}\.new of the network's metadata is unknown"):
        NetworkFacts.from_metadata(_edited(section, new=1))
    metadata = _facts().to_metadata()
    fields = json.loads(metadata[section])
    field, _ = fields.popitem()
    metadata[section] = json.dumps(fields)
    with pytest.raises(ValueError, match=rf"{section}\.{field} is missing"):
        NetworkFacts.from_metadata(metadata)


@pytest.mark.parametrize(
    ("field", "text", "message"),
    [
        ("model", "{", "model of the network's metadata is no JSON"),
        ("model", "[]", r"model of the network's metadata is \[\], expected a JSON object"),
        ("network", 7, "network of the network's metadata is 7, expected text"),
        ("classes", "{}", "metadata have bad classes: A superclass map lacks the fields"),
        ("classes", '{"names":[1],"superclass":"dog"}', r"classes\.names .* expected a list of"),
        ("classes", '{"names":[],"superclass":1}', r"classes\.superclass .* expected text"),
    ],
)
def test_entries_that_are_no_facts_are_named(field, text, message):
    with pytest.raises(ValueError, match=message):
        NetworkFacts.from_metadata({**_facts().to_metadata(), field: text})


def test_a_shape_that_no_resnet_has_is_refused():
    with pytest.raises(ValueError, match=r"bad model: backbone is 'vgg'"):
        NetworkFacts.from_metadata(_edited("model", backbone="vgg"))


def test_module_imports_without_tensorflow():
    code = "import sys, ss_tf.models.network_facts; print('tensorflow' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
