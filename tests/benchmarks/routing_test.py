"""Tests of what the benchmark of routing says, on tiny networks; never of its times."""

import json
import sys

import numpy as np
import pytest
import routing
from routing_systems import cases, measure, memory, mixes, process, worker

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
    vanilla, flat = (drawn["memory"][name]["weight_bytes"] for name in ("vanilla", "flat"))
    assert vanilla["deltas"] == flat["deltas"] == 0
    assert vanilla["networks"] > 3.5 * drawn["fp32_bytes"]
    assert [row["superclasses"] for row in drawn["growth"]] == [2, 3]
    deltas = [row["weight_bytes"]["deltas"] for row in drawn["growth"]]
    assert deltas[1] == pytest.approx(1.5 * deltas[0], rel=0.05)
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
    assert "0 of 6 images get different labels" in capsys.readouterr().out
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
    assert source.oracle_call(3)["superclasses"] == [0, 1, 2]
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


@pytest.mark.parametrize(
    ("results", "expected"),
    [
        (None, "not evaluated"),
        ({}, "not evaluated"),
        ({"routing": "not evaluated"}, "not evaluated"),
        ({"routing": {"soft_minus_hard_points": 0.25}}, 0.25),
    ],
)
def test_points_of_the_fitted_policy_are_read_off_the_report(tmp_path, results, expected):
    if results is not None:
        (tmp_path / "report").mkdir()
        (tmp_path / "report" / "results.json").write_text(json.dumps(results))
    assert cases.soft_minus_hard(tmp_path) == expected
