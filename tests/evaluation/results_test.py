import json
import pathlib
import re

import numpy as np
import pytest

from ss_tf.evaluation import results

_PAGE = pathlib.Path(__file__).parents[2] / "docs" / "RESULTS.md"


def test_results_come_back_as_written(measured, tmp_path):
    path = tmp_path / "report" / "results.json"
    results.write(measured, path)
    assert json.loads(path.read_text(encoding="utf-8")) == measured


def test_equal_results_give_equal_bytes_whatever_their_order(measured, tmp_path):
    results.write(measured, tmp_path / "first.json")
    results.write(dict(reversed(measured.items())), tmp_path / "second.json")
    assert (tmp_path / "first.json").read_bytes() == (tmp_path / "second.json").read_bytes()


def test_only_seconds_depend_on_time(measured, tmp_path):
    results.write(measured, tmp_path / "first.json")
    results.write({**measured, "seconds": {"evaluation": 9.0}}, tmp_path / "second.json")
    first, second = (json.loads((tmp_path / f"{n}.json").read_text()) for n in ("first", "second"))
    assert {key for key in first if first[key] != second[key]} == {"seconds"}


@pytest.mark.parametrize("path", results.REQUIRED)
def test_gap_is_refused_by_name_and_the_old_file_stays(measured, tmp_path, path):
    file = tmp_path / "results.json"
    results.write(measured, file)
    before = file.read_bytes()
    *parents, key = path.split(".")
    level = measured
    for parent in parents:
        level = level[parent]
    del level[key]
    with pytest.raises(ValueError, match=f"lack '{path}', expected a value or 'not evaluated'"):
        results.write(measured, file)
    assert file.read_bytes() == before


def test_number_that_is_none_counts_as_a_gap(measured):
    measured["top1"]["hard"] = None
    with pytest.raises(ValueError, match=r"lack 'top1\.hard'"):
        results.check(measured)


def test_nan_is_refused(measured, tmp_path):
    measured["top1"]["hard"] = float("nan")
    with pytest.raises(ValueError, match="not JSON compliant"):
        results.write(measured, tmp_path / "results.json")


def test_results_are_read_as_written(measured, tmp_path):
    results.write(measured, tmp_path / "results.json")
    assert results.read(tmp_path / "results.json") == measured


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "is no results.json that eval.py wrote"),
        ("[]", "is no results.json that eval.py wrote"),
        ("{}", "is no results.json that eval.py wrote: 'schema_version'"),
        ('{"schema_version": 1}', "The results lack 'balanced_top1'"),
        ("[" * 100_000, "is no results.json that eval.py wrote"),
    ],
)
def test_other_files_are_refused(tmp_path, text, message):
    (tmp_path / "results.json").write_text(text)
    with pytest.raises(ValueError, match=message):
        results.read(tmp_path / "results.json")


def test_results_of_another_version_are_refused(measured, tmp_path):
    results.write({**measured, "schema_version": 99}, tmp_path / "results.json")
    with pytest.raises(ValueError, match="has schema_version 99, expected 1"):
        results.read(tmp_path / "results.json")


def test_what_is_no_number_is_undefined():
    assert results.number(float("nan")) == results.UNDEFINED
    assert results.number(np.float64(0.5)) == 0.5


def test_every_entry_is_documented(measured):
    # `top1.SYSTEM`, `flags`: the first word of what stands in backticks.
    documented = set(re.findall(r"`([a-z0-9_]+)[.`]", _PAGE.read_text(encoding="utf-8")))
    assert set(measured) <= documented
    assert {path.partition(".")[0] for path in results.REQUIRED} <= documented
    assert f"results.json, version {results.SCHEMA_VERSION}" in _PAGE.read_text(encoding="utf-8")
