import dataclasses
import json
import pathlib

import pytest

from ss_tf.hierarchy.superclass_map import SuperclassMap
from ss_tf.training import run_dir
from ss_tf.training.run_dir import RunDir


def test_each_network_has_a_folder_of_its_own():
    run = RunDir(pathlib.Path("runs/demo"))
    assert run.float_file("super") == pathlib.Path("runs/demo/networks/super/float.safetensors")
    assert run.int8_file(run_dir.sub("ก ข")) == pathlib.Path(
        "runs/demo/networks/sub/ก ข/int8.safetensors"
    )


def test_a_folder_that_is_no_run_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"is not a run: superclass_map\.json is missing"):
        RunDir(tmp_path).superclass_map()


def test_numbers_of_images_and_what_was_left_out_are_kept(stripes, tmp_path):
    dataset = dataclasses.replace(stripes, unreadable=(("ü.jpg", "truncated"),))
    RunDir(tmp_path).open(dataset, flagfile="--a\n")
    assert json.loads(RunDir(tmp_path).data_file.read_text(encoding="utf-8")) == {
        "dataset": "stripes",
        "num_examples": {"train": 96, "minival": 24, "validation": 36},
        "unreadable": [["ü.jpg", "truncated"]],
    }


def test_the_first_flags_of_a_run_stay(stripes, tmp_path):
    RunDir(tmp_path).open(stripes, flagfile="--seed=1\n")
    RunDir(tmp_path).open(stripes, flagfile="--seed=2\n")
    assert RunDir(tmp_path).flags_file.read_text() == "--seed=1\n"


def test_a_run_keeps_its_classes(stripes, tmp_path):
    RunDir(tmp_path).open(stripes, flagfile="")
    other = dataclasses.replace(stripes, superclass_map=SuperclassMap.from_groups({"a": ["a/0"]}))
    with pytest.raises(ValueError, match=r"\(6 then, 1 now, or other names\)"):
        RunDir(tmp_path).open(other, flagfile="")
