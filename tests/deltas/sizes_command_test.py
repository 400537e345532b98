import pathlib
import subprocess
import sys

import pytest

from ss_tf.deltas import bank, sizes_command, sizes_table
from ss_tf.models import integer_network


@pytest.fixture
def run(make_network, tmp_path):
    """Returns the folder of a run: a base, another network, and a bank of two entries."""
    base = make_network(0, num_classes=3)
    integer_network.save(base, tmp_path / "networks" / "super" / "int8.safetensors")
    other = make_network(9, num_classes=3)
    integer_network.save(other, tmp_path / "networks" / "flat" / "int8.safetensors")
    for seed, name in enumerate(("cat", "dog"), start=1):
        sub = make_network(seed, num_classes=4)
        bank.write_entry(tmp_path / "bank", name, base=base, sub=sub)
    return tmp_path


def _refusal(capsys, *arguments):
    with pytest.raises(SystemExit) as exit_info:
        sizes_command.main([str(argument) for argument in arguments])
    assert exit_info.value.code == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.count("\n") == 1
    return printed.err


def test_the_base_is_found_by_its_digest(run):
    base = sizes_command.find_base(run / "bank")
    assert integer_network.digest(base) == bank.load_entry(run / "bank", "cat").base


def test_the_table_has_a_line_for_each_superclass_and_the_total(run, capsys):
    sizes_command.main([str(run / "bank")])
    titles, *rows = (line.split() for line in capsys.readouterr().out.splitlines())
    assert titles[:5] == ["file", "header", "entropy", "grouped", "/entropy"]
    measured = sizes_table.table(run / "bank", sizes_command.find_base(run / "bank"))
    for cells, name in zip(rows, ("cat", "dog", "total"), strict=False):
        row = measured["superclasses"].get(name, measured["total"])
        assert cells[:3] == [name, f"{row['file_bytes']:,}", f"{row['header_bytes']:,}"]
        assert cells[-1] == f"{100 * row['clipped_share']:.2f}%"
    assert rows[3] == ["bank", "/", "entropy:", f"{measured['total']['file_over_entropy']:.4f}"]


def test_tensors_are_listed_on_demand(run, capsys):
    base_file = run / "networks" / "super" / "int8.safetensors"
    sizes_command.main([str(run / "bank"), "--base", str(base_file), "--tensors"])
    lines = capsys.readouterr().out.splitlines()
    assert sum(line.startswith("kernels/layer1.0.conv1/kernel") for line in lines) == 2
    (gamma, _) = (line.split() for line in lines if line.startswith("floats/bn1/gamma"))
    assert gamma[1] == "4"
    assert gamma[-3:] == ["-", "-", "-"]


def test_what_cannot_be_measured_takes_one_line(run, make_network, capsys):
    assert "nowhere holds no entry" in _refusal(capsys, run / "nowhere")
    flat_file = run / "networks" / "flat" / "int8.safetensors"
    assert "belongs to the base" in _refusal(capsys, run / "bank", "--base", flat_file)
    assert "nothing.safetensors" in _refusal(capsys, run / "bank", "--base", "nothing.safetensors")
    (run / "networks" / "super" / "int8.safetensors").unlink()
    assert "give --base" in _refusal(capsys, run / "bank")
    (run / "bank" / "cat.safetensors").write_bytes(b"short")
    assert "cat.safetensors is not a whole" in _refusal(capsys, run / "bank")


def test_it_runs_as_a_module():
    golden = pathlib.Path(__file__).parent / "golden"
    arguments = [golden / "bank", "--base", golden / "base.safetensors"]
    command = [sys.executable, "-W", "error", "-m", "ss_tf.deltas.sizes", *map(str, arguments)]
    printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert "trucks  " in printed
    assert "bank / entropy: " in printed
