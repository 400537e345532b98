from ss_tf import files
from ss_tf.training import other_run
from ss_tf.training.run_dir import RunDir


def test_a_finished_network_is_copied_once(run_config, tmp_path):
    source, run = RunDir(tmp_path / "first"), RunDir(tmp_path / "second")
    config = run_config(networks_from=source.path)
    files.write_atomically(source.float_file("super"), b"weights")
    files.write_atomically(source.network_dir("super") / "metrics.jsonl", b"records")
    other_run.copy(config, run, "super")
    assert run.float_file("super").read_bytes() == b"weights"
    assert (run.network_dir("super") / "metrics.jsonl").read_bytes() == b"records"
    assert not run.int8_file("super").exists()
    files.write_atomically(source.float_file("super"), b"others")
    other_run.copy(config, run, "super")
    assert run.float_file("super").read_bytes() == b"weights"


def test_without_another_run_nothing_is_copied_or_checked(run_config, stripes, tmp_path):
    run = RunDir(tmp_path / "run")
    other_run.check(run_config(), run, dataset=stripes, names=["flat"])
    other_run.copy(run_config(), run, "flat")
    assert not run.path.exists()
