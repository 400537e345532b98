"""Tests of what the benchmark of routing says, on tiny networks; never of its times."""

import dataclasses
import hashlib
import json
import sys
import types

import numpy as np
import pytest
import routing
import tensorflow as tf
from routing_systems import cases, measure, memory, mixes, process, runs, systems, worker

_GOALS = {
    "resident_bytes_ratio",
    "peak_rss_ratio",
    "memory_per_superclass_ratio",
    "switch_over_forward",
    "throughput_vs_flat",
    "throughput_vs_flat_shared_trunk",
    "throughput_vs_vanilla",
    "identical_predictions",
    "soft_minus_hard_points",
}


class _LocalWorker:
    """Does in this process what a worker does in its own, which would import TensorFlow again."""

    def __enter__(self):
        self._commands = worker.Commands()
        return self

    def __exit__(self, *_):
        del self._commands

    def wait_ready(self):
        pass

    def ask(self, do, **arguments):
        given = json.loads(json.dumps(arguments))
        return json.loads(json.dumps(getattr(self._commands, do)(**given)))


@pytest.mark.slow
def test_it_measures_all_that_has_goals(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(measure, "Worker", _LocalWorker)
    file, work_dir = tmp_path / "routing.json", tmp_path / "work"
    options = ["--small", "--rounds", "1", "--json", str(file), "--work_dir", str(work_dir)]
    monkeypatch.setattr(sys, "argv", ["routing.py", *options])
    routing.main()
    results = json.loads(file.read_text())
    assert results.keys() >= _GOALS | {"command", "cores", "machine", "versions"}
    assert results["identical_predictions"] is True
    # A quarter, and batch norm of four filters.
    assert 0.25 < results["resident_bytes_ratio"] < 0.6
    assert results["soft_minus_hard_points"] == "not evaluated"
    for key in ("switch_over_forward", "throughput_vs_flat", "throughput_vs_vanilla"):
        assert results[key] > 0
    drawn = results["drawn"]
    assert drawn["identical"]["scores_are_bit_equal"] is True
    # Six images in batches of 1, then in one of 6.
    assert drawn["identical"]["calls"] == 7
    vanilla, flat = (drawn["memory"][name]["weight_bytes"] for name in ("vanilla", "flat"))
    assert vanilla["deltas"] == flat["deltas"] == 0
    assert vanilla["networks"] > 3.5 * drawn["fp32_bytes"]
    assert [row["superclasses"] for row in drawn["growth"]] == [2, 3]
    deltas = [row["weight_bytes"]["deltas"] for row in drawn["growth"]]
    assert deltas[1] == pytest.approx(1.5 * deltas[0], rel=0.1)
    shared = drawn["memory"]["efficient shared trunk"]["weight_bytes"]
    assert shared["deltas"] < drawn["memory"]["efficient"]["weight_bytes"]["deltas"]
    assert {row["system"] for row in drawn["profile"]} == {
        "efficient",
        "efficient shared trunk",
        "vanilla",
    }
    opened = {(row["system"], row["batch"]): row["opened"] for row in drawn["profile"]}
    assert opened["efficient", 1] == 1
    assert opened["vanilla", 6] == 3
    printed = capsys.readouterr().out
    assert "0 of 6 images get different labels" in printed
    assert "in 0 of 7 calls any bit" in printed
    plt = pytest.importorskip("matplotlib.pyplot", reason="matplotlib is not installed")
    from routing_systems import figure

    figure.draw(drawn, tmp_path / "routing.png")
    assert (tmp_path / "routing.svg").stat().st_size > 0
    assert not plt.get_fignums()


@pytest.mark.slow
def test_a_process_answers_until_one_of_its_answers_is_an_error(capfd):
    with process.Worker() as one:
        assert one.ask("memory")["peak"] >= 0
        with pytest.raises(RuntimeError, match="ended with 1; what it printed above says why"):
            one.ask("dance")
    assert "no attribute 'dance'" in capfd.readouterr().err


def test_drawn_mixes_are_even_or_have_their_shares():
    source = mixes.Drawn(num_images=6, superclasses=4)
    first, second = source.calls("even", batch=6, count=2)
    assert first["superclasses"] == [0, 1, 2, 3, 0, 1]
    assert second["superclasses"] == [2, 3, 0, 1, 2, 3]
    assert first["rows"] == second["rows"] == [0, 1, 2, 3, 4, 5]
    (call,) = source.calls("shares", batch=4000, count=1)
    counts = np.bincount(call["superclasses"])
    np.testing.assert_allclose(counts / counts[0], [1, 1 / 2, 1 / 3, 1 / 4], atol=0.05)
    assert source.calls("shares", batch=4000, count=1) == [call]
    assert source.calls("shares", batch=4000, count=1, turn=1) != [call]


def test_mixes_of_real_images_are_routed_by_the_base():
    superclasses = np.array([0, 0, 0, 1, 0, 2])
    source = mixes.Real(superclasses)
    (call,) = source.calls("even", batch=6, count=1)
    assert superclasses[call["rows"]].tolist() == [0, 1, 2, 0, 1, 2]
    assert call["superclasses"] is None
    assert source.told_call(3)["superclasses"] == [0, 1, 2]
    assert [call["rows"] for call in source.all_calls(4)] == [[0, 1, 2, 3], [4, 5]]


def test_a_peak_is_forgotten():
    def use():
        np.ones(2**24).sum()

    memory.reset_peak()
    before = memory.peak_bytes()
    use()
    assert memory.peak_bytes() >= before + 2**26
    memory.reset_peak()
    assert memory.peak_bytes() <= before + 2**26


def test_memory_per_superclass_is_a_slope():
    rows = [{"superclasses": count} for count in (2, 5, 50)]
    assert measure.slope(rows, [102, 105, 150]) == pytest.approx(1)


_ROUTING = {
    "soft": {"sub_networks_per_image": 1.2},
    "soft_minus_hard_points": 0.25,
    "soft_minus_hard_p_value": 0.03,
}


@pytest.mark.parametrize(
    ("results", "routing_entry", "points"),
    [
        (None, "not evaluated", "not evaluated"),
        ({}, "not evaluated", "not evaluated"),
        ({"routing": "not evaluated"}, "not evaluated", "not evaluated"),
        ({"routing": _ROUTING}, _ROUTING, 0.25),
    ],
)
def test_what_the_fitted_policy_gains_is_read_off_the_report(
    tmp_path, results, routing_entry, points
):
    if results is not None:
        (tmp_path / "report").mkdir()
        (tmp_path / "report" / "results.json").write_text(json.dumps(results))
    reported = cases.reported_routing(tmp_path)
    assert reported == routing_entry
    assert cases.soft_minus_hard(reported) == points


def test_what_was_drawn_otherwise_is_not_taken(tmp_path, monkeypatch):
    folder = runs.drawn_dir(tmp_path, runs.SMALL)
    assert folder == runs.drawn_dir(tmp_path, dataclasses.replace(runs.SMALL))
    assert folder != runs.drawn_dir(tmp_path, dataclasses.replace(runs.SMALL, subclasses=5))
    source = tmp_path / "runs.py"
    source.write_text(
        runs._SOURCES[0].read_text().replace("_STEP, _SPREAD = 3", "_STEP, _SPREAD = 4")
    )
    monkeypatch.setattr(runs, "_SOURCES", (source, *runs._SOURCES[1:]))
    assert folder != runs.drawn_dir(tmp_path, runs.SMALL)


class _FixedWorker:
    """Gives image i the label i, and scores that may hang on the size of the batch."""

    def __init__(self, scores=lambda rows: b"", labels=lambda rows: rows):
        self._scores, self._labels = scores, labels

    def ask(self, do, *, calls, results):
        assert do == "classify"
        assert results
        rows = [call["rows"] for call in calls]
        digests = [hashlib.sha256(self._scores(of_call)).hexdigest() for of_call in rows]
        return {"labels": [self._labels(of_call) for of_call in rows], "scores": digests}


@pytest.mark.parametrize(
    ("peer", "different", "scores_differ"),
    [
        (_FixedWorker(), 0, 0),
        (_FixedWorker(scores=lambda rows: b"x" * (len(rows) == 2)), 0, 3),
        # Image 0 alone, and in batches of one alone.
        (_FixedWorker(labels=lambda rows: [7] if rows == [0] else rows), 1, 0),
    ],
)
def test_labels_and_scores_are_compared_for_all_batch_sizes(peer, different, scores_differ):
    workers = {"efficient": peer, "vanilla": _FixedWorker()}
    source = mixes.Drawn(num_images=5, superclasses=2)
    found = measure.identical(workers, source, effort=measure.Effort(batches=(1, 2)))
    assert found.pop("labels").tolist() == [0, 1, 2, 3, 4]
    assert found == {
        "images": 5,
        "different": different,
        "calls": 5 + 3,
        "scores_differ": scores_differ,
        "scores_are_bit_equal": scores_differ == 0,
    }


def test_bytes_of_weights_are_counted_without_a_copy(monkeypatch):
    # As a cache's slots: of a length that the graph does not know.
    of_any_length = tf.Variable(tf.zeros([7]), shape=[None])
    variables = [
        tf.Variable(tf.zeros([3, 2], tf.int8)),
        of_any_length,
        tf.Variable([[b"abc", b""], [b"\x00\xff", b"d"]], name="deltas/kernels"),
        tf.Variable([1, 2], name="deltas/numbers"),
    ]
    networks = types.SimpleNamespace(variables=variables)
    monkeypatch.setattr(type(variables[0]), "numpy", None)
    system = systems.System(networks=networks, classify=None)
    assert system.weight_bytes() == {"networks": 6 + 28, "deltas": 6 + 8}
