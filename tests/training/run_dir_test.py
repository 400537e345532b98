import concurrent.futures
import dataclasses
import pathlib

import numpy as np
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
    facts = RunDir(tmp_path).data_facts()
    assert facts["dataset"] == "stripes"
    assert facts["num_examples"] == {"train": 96, "minival": 24, "validation": 36}
    assert facts["unreadable"] == [["ü.jpg", "truncated"]]


def test_the_first_flags_of_a_run_stay(stripes, tmp_path):
    RunDir(tmp_path).open(stripes, flagfile="--seed=1\n")
    RunDir(tmp_path).open(stripes, flagfile="--seed=2\n")
    assert RunDir(tmp_path).flags_file.read_text() == "--seed=1\n"


def test_a_run_keeps_its_classes(stripes, tmp_path):
    RunDir(tmp_path).open(stripes, flagfile="")
    other = dataclasses.replace(stripes, superclass_map=SuperclassMap.from_groups({"a": ["a/0"]}))
    with pytest.raises(ValueError, match=r"\(6 then, 1 now, or other names\)"):
        RunDir(tmp_path).open(other, flagfile="")


def test_a_run_keeps_its_images_in_any_order(stripes, tmp_path):
    run = RunDir(tmp_path)
    run.open(stripes, flagfile="")
    backwards = stripes.train.select(np.arange(96)[::-1])
    run.open(dataclasses.replace(stripes, train=backwards), flagfile="")
    swapped = dataclasses.replace(stripes, train=stripes.minival, minival=stripes.train)
    with pytest.raises(ValueError, match=r"other train images than stripes.*96 then, 24 now"):
        run.open(swapped, flagfile="")


def test_one_relabelled_image_is_noticed(stripes, tmp_path):
    RunDir(tmp_path).open(stripes, flagfile="")
    labels = stripes.validation.labels.copy()
    labels[0] += 1
    changed = dataclasses.replace(stripes.validation, labels=labels)
    with pytest.raises(ValueError, match=r"other validation images.*36 then, 36 now"):
        RunDir(tmp_path).check_data(dataclasses.replace(stripes, validation=changed))


def test_processes_may_open_a_new_run_at_once(stripes, tmp_path):
    """Each writes files of the same names, which must not get mixed up."""
    run = RunDir(tmp_path)
    # File locks keep threads apart as they do processes: each opens the lock for itself.
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        opened = [
            pool.submit(run.open, stripes, flagfile=f"--seed={number}\n") for number in range(8)
        ]
    for future in opened:
        future.result()
    run.check_data(stripes)
    assert run.flags_file.read_text() in {f"--seed={number}\n" for number in range(8)}
    assert not list(tmp_path.glob("*.tmp"))
