import json
import os

import pytest
from PIL import Image

from ss_tf.edge import command
from ss_tf.edge.classifier import EdgeClassifier
from ss_tf.routing.policy import RoutingPolicy


def _files(images, folder):
    paths = []
    for number, image in enumerate(images):
        paths.append(str(folder / f"{number}.png"))
        Image.fromarray(image[..., 0]).save(paths[-1])
    return paths


def test_each_image_is_a_line(make_bundle, images, tmp_path, capsys):
    tiny = make_bundle()
    paths = _files(images[:5], tmp_path)
    assert command.main([str(tiny.path), *paths, "--num_threads=2", "--cache_mb=1"]) == 0
    lines = capsys.readouterr().out.splitlines()
    answers = EdgeClassifier(tiny.path).classify_many(images[:5])
    for line, path, answer in zip(lines, paths, answers, strict=True):
        percent = f"{100 * answer.probability:.1f} %"
        assert line == f"{path}: {answer.label_name} ({answer.superclass_name}) {percent}"


def test_accelerator_in_use_is_told(make_bundle, images, tmp_path, capsys):
    tiny = make_bundle()
    paths = _files(images[:1], tmp_path)
    assert command.main([str(tiny.path), *paths, "--accelerator=gpu_or_cpu"]) == 0
    printed = capsys.readouterr()
    found = EdgeClassifier(tiny.path, accelerator="gpu_or_cpu").accelerator
    assert f"ss_tf.edge: runs on the {found}\n" in printed.err
    assert len(printed.out.splitlines()) == 1
    assert command.main([str(tiny.path), *paths, "--accelerator=gpu"]) == int(found == "cpu")
    if found == "cpu":
        printed = capsys.readouterr().err
        assert "ss_tf.edge: error: LiteRT cannot run the network on a GPU" in printed


def test_unreadable_images_are_told_and_others_answered(make_bundle, images, tmp_path, capsys):
    tiny = make_bundle(policy=RoutingPolicy(abstain_below=1.0))
    (path,) = _files(images[:1], tmp_path)
    assert command.main([str(tiny.path), "missing.png", path]) == 1
    printed = capsys.readouterr()
    assert printed.err == "ss_tf.edge: error: missing.png: No such file or directory\n"
    assert len(printed.out.splitlines()) == 1


def test_more_images_than_are_in_memory_at_a_time(
    make_bundle, images, tmp_path, capsys, monkeypatch
):
    monkeypatch.setattr(command, "_IMAGES_TOGETHER", 2)
    tiny = make_bundle()
    paths = _files(images[:5], tmp_path)
    assert command.main([str(tiny.path), *paths[:3], "missing.png", *paths[3:]]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert [line.partition(": ")[0] for line in lines] == paths


def test_images_of_other_superclasses_are_answered_where_a_delta_is_missing(
    make_bundle, images, tmp_path, capsys
):
    tiny = make_bundle()
    paths = ["missing.png", *_files(images, tmp_path)]
    answers = EdgeClassifier(tiny.path).classify_many(images)
    is_fish = [answer.superclass_name == "fish" for answer in answers]
    assert 0 < sum(is_fish) < len(images)
    (tiny.path / "deltas" / "fish.delta").unlink()
    assert command.main([str(tiny.path), *paths]) == 1
    printed = capsys.readouterr()
    answered = [line.partition(": ")[0] for line in printed.out.splitlines()]
    told = printed.err.splitlines()
    assert answered == [path for path, fish in zip(paths[1:], is_fish, strict=True) if not fish]
    assert told[0] == "ss_tf.edge: error: missing.png: No such file or directory"
    for line, path in zip(
        told[1:], sorted({*paths[1:]} - {*answered}, key=paths.index), strict=True
    ):
        assert line.startswith(f"ss_tf.edge: error: {path} has no answer: {tiny.path}")
        assert "fish.delta is missing" in line


def test_a_file_given_twice_is_answered_twice(make_bundle, images, tmp_path, capsys):
    (path,) = _files(images[:1], tmp_path)
    assert command.main([str(make_bundle().path), path, path]) == 0
    first, second = capsys.readouterr().out.splitlines()
    assert first == second


def test_file_names_of_other_encodings_are_printed(make_bundle, images, tmp_path, capsys):
    (path,) = _files(images[:1], tmp_path)
    odd = os.fsdecode(os.fsencode(tmp_path) + b"/\xff.png")
    os.rename(path, odd)
    assert command.main([str(make_bundle().path), odd]) == 0
    assert capsys.readouterr().out.startswith(rf"{tmp_path}/\xff.png: ")


def test_names_cannot_write_control_characters(make_bundle, images, tmp_path, capsys):
    tiny = make_bundle()
    fields = json.loads(tiny.about.to_json())
    fields["superclass_map"]["label_names"] = [f"{n}\x1b[2J\n\ud800é" for n in "abcdef"]
    # Which is printed from right to left, and is no control character.
    (tiny.path / "deltas" / "bird.delta").rename(tiny.path / "deltas" / "\u202ebird.delta")
    fields["superclass_map"]["superclass_names"][0] = "\u202ebird"
    fields["subs"]["\u202ebird"] = fields["subs"].pop("bird")
    (tiny.path / "manifest.json").write_text(json.dumps(fields))
    assert command.main([str(tiny.path), *_files(images, tmp_path)]) == 0
    printed = capsys.readouterr().out
    assert printed.count("\n") == len(images)
    assert r"\x1b[2J\n\ud800é (\u202ebird) " in printed
    assert "\u202e" not in printed


@pytest.mark.parametrize("value", ["nan", "inf", "-1", "many"])
def test_other_budgets_are_refused(make_bundle, value, capsys):
    with pytest.raises(SystemExit, match="2"):
        command.main([str(make_bundle().path), "a.png", f"--cache_mb={value}"])
    expected = f"argument --cache_mb: it is '{value}', expected a number of MB from 0 to 1,000"
    assert expected in capsys.readouterr().err


def test_what_is_no_bundle_is_one_line(tmp_path, capsys):
    assert command.main([str(tmp_path), "a.png"]) == 1
    assert "is no edge bundle" in capsys.readouterr().err
