"""Tests of what the benchmark of bundles says, on tiny networks; never of its times."""

import importlib.util
import json
import pathlib
import sys
import types

import edge
import numpy as np
import pytest
from edge_systems import bundles, measure, worker

_GOALS = {
    "bundle_ratio",
    "switch_over_inference",
    "first_answer_ms",
    "loaded_answer_ms",
    "peak_rss_ratio",
}


class _LocalWorker:
    """Does in this process what a worker does in its own."""

    def __init__(self, module):
        assert module == "edge_systems.worker"

    def __enter__(self):
        self._commands = worker.Commands()
        return self

    def __exit__(self, *_):
        del self._commands

    def ask(self, do, **arguments):
        given = json.loads(json.dumps(arguments))
        return json.loads(json.dumps(getattr(self._commands, do)(**given)))


@pytest.fixture
def bundle(tmp_path):
    """Returns a bundle of tiny networks, those of tests/edge."""
    file = pathlib.Path(__file__).parents[1] / "edge" / "conftest.py"
    spec = importlib.util.spec_from_file_location("edge_conftest", file)
    conftest = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(conftest)
    return conftest.TinyBundle(tmp_path / "bundle")


def test_it_measures_all_that_has_goals(bundle, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(measure, "Worker", _LocalWorker)
    monkeypatch.setattr(edge, "drawn_run", lambda work_dir, shape: tmp_path / "plain")
    monkeypatch.setattr(bundles, "export", lambda run_dir, work_dir: bundle.path)
    file = tmp_path / "edge.json"
    options = ["--rounds", "1", "--json", str(file), "--work_dir", str(tmp_path / "work")]
    monkeypatch.setattr(sys, "argv", ["edge.py", *options])
    edge.main()
    results = json.loads(file.read_text())
    assert results.keys() >= _GOALS | {"command", "cores", "machine", "threads", "versions"}
    assert results["identical_logits"] is True
    for key in ("switch_over_inference", "first_answer_ms", "loaded_answer_ms"):
        assert results[key] > 0
    found = results["networks"]["drawn"]
    size = found["size"]
    whole = sum(path.stat().st_size for path in bundle.path.rglob("*") if path.is_file())
    full_bytes = 3 * bundle.base_file.stat().st_size
    assert (size["full_files"], size["full_bytes"], size["bundle_bytes"]) == (3, full_bytes, whole)
    assert size["bundle_ratio"] == results["bundle_ratio"] == whole / full_bytes
    assert {"manifest.json", "super.tflite", "deltas/fish.delta"} < set(size["files"])
    assert set(found["memory"]["of"]) == {"bundle", "all"}
    assert len(found["speed"]["parts_ms"]) == 4
    assert found["speed"].keys() == found["speed_of_one_thread"].keys()
    printed = capsys.readouterr().out
    assert "== drawn" in printed
    assert "with one thread: switch " in printed
    assert "logits are the same, bit by bit" in printed
    assert "deltas/bird.delta" in printed


def test_export_is_that_of_users_and_kept(tmp_path, monkeypatch):
    commands = []

    def run(command, *, check):
        commands.append([str(part) for part in command])
        return types.SimpleNamespace(returncode=int("bad" in str(command)))

    monkeypatch.setattr(bundles.subprocess, "run", run)
    made = bundles.export(tmp_path / "run", tmp_path)
    assert made.parent == tmp_path
    assert made.name.startswith("run_bundle_")
    ((_, script, *options),) = commands
    assert script.endswith("export.py")
    assert options == [f"--run_dir={tmp_path}/run", "--format=tflite", f"--output={made}"]
    made.mkdir()
    assert bundles.export(tmp_path / "run", tmp_path) == made
    assert len(commands) == 1
    with pytest.raises(RuntimeError, match=r"export of .*bad failed"):
        bundles.export(tmp_path / "bad", tmp_path)


def test_memory_is_counted_above_imports(monkeypatch):
    """Forty MB of imports, and 20 MB beside them against 80."""
    found = iter(
        {"imports": 40, "peak": peak, "held": peak, "held_anonymous": anonymous}
        for peak, anonymous in ((60, 30), (120, 60))
    )

    class Fake(_LocalWorker):
        def __enter__(self):
            return self

        def __exit__(self, *_):
            pass

        def ask(self, do, **arguments):
            if do == "memory":
                return next(found)
            return {"logits": [arguments.get("names")]}

    monkeypatch.setattr(measure, "Worker", Fake)
    memory = measure.memory("bundle", "full", ["a", "b"])
    assert memory["peak_rss_ratio"] == 0.25
    assert memory["with_imports"] == 0.5
    assert memory["of_held_anonymous"] == 0.5
    assert memory["identical_logits"] is True


def test_ratios_are_of_turns(monkeypatch):
    """A machine that gets slower during the run changes times, and no ratio."""
    slowdown = iter(np.linspace(1, 3, 4))

    class Fake(_LocalWorker):
        def __enter__(self):
            return self

        def __exit__(self, *_):
            pass

        def ask(self, do, **arguments):
            if do == "switch":
                self.factor = next(slowdown)
                return {"switch": 0.02 * self.factor, "inferences": [0.01 * self.factor] * 3}
            if do == "answer" and len(arguments["names"]) == 2:
                return {"seconds": [0.05, 0.03]}
            return {"patch": 0.004} if do == "parts" else {"seconds": [0.1]}

    monkeypatch.setattr(measure, "Worker", Fake)
    speed = measure.speed("bundle", "full", ["a", "b"], effort=measure.Effort(rounds=2))
    assert speed["switch_over_inference"] == pytest.approx(2)
    assert (speed["first_answer_ms"], speed["loaded_answer_ms"]) == (50, 30)
    assert speed["parts_ms"] == {"patch": 4}
