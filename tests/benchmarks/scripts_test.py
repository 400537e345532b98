"""Every benchmark starts; what it measures is tested in a file of its own, where that is cheap."""

import importlib
import pathlib
import sys

import pytest

_FOLDER = pathlib.Path(__file__).parents[2] / "benchmarks"
_SCRIPTS = sorted(path.stem for path in _FOLDER.glob("*.py"))


@pytest.mark.parametrize("name", _SCRIPTS)
def test_help_says_what_is_measured_and_how_it_is_run(name, monkeypatch, capsys):
    script = importlib.import_module(name)
    assert pathlib.Path(script.__file__) == _FOLDER / f"{name}.py"
    monkeypatch.setattr(sys, "argv", [f"{name}.py", "--help"])
    with pytest.raises(SystemExit) as stopped:
        script.main()
    assert stopped.value.code == 0
    printed = capsys.readouterr().out
    assert script.__doc__.splitlines()[0] in printed
    assert f"python benchmarks/{name}.py" in printed
    assert "--json" in printed


def test_readme_lists_every_benchmark():
    readme = (_FOLDER / "README.md").read_text()
    assert [name for name in _SCRIPTS if f"| `{name}.py` |" not in readme] == []


def test_every_part_of_a_benchmark_can_be_imported():
    """A name that moved elsewhere in the package fails here."""
    parts = sorted(_FOLDER.glob("*/*.py"))
    assert len(parts) > 20
    for path in parts:
        importlib.import_module(f"{path.parent.name}.{path.stem}".removesuffix(".__init__"))
