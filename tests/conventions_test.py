"""The repository keeps its own conventions. Each failure says what to do instead."""

import ast
import configparser
import pathlib
import re
import shutil
import subprocess

import pytest

_ROOT = pathlib.Path(__file__).parents[1]
_PACKAGES = ("ss_tf", "tfds_superclass")
_SOURCES = sorted(
    path
    for package in (*_PACKAGES, "tools")
    for path in (_ROOT / package).rglob("*.py")
    if not path.name.endswith("_test.py")
)
_SCRIPTS = sorted(_ROOT.glob("*.py"))
_ROOMS = (*_PACKAGES, "docs", "flags", "tests", "tools")
_PAGES = sorted([_ROOT / "README.md", *_ROOT.glob("docs/*.md"), *_ROOT.glob("flags/**/*.*")])

# Packages that one module alone may import, so that they can be replaced there.
_SOLE_IMPORTERS = {
    "tensorflow_model_optimization": "ss_tf/models/tfmot.py",
    "nltk": "ss_tf/hierarchy/wordnet.py",
    "py7zr": "ss_tf/deltas/codecs.py",
    "keras_cv": "ss_tf/data/augmentation.py",
    "ai_edge_litert": "ss_tf/edge/network.py",
}
_LONGEST_FILE = 260
_LONGEST_FUNCTION = 60


def _name(path):
    return path.relative_to(_ROOT).as_posix()


def _tree(path):
    return ast.parse(path.read_text(encoding="utf-8"))


def _imported_packages(path):
    for node in ast.walk(_tree(path)):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            yield node.module.partition(".")[0]


_each_source = pytest.mark.parametrize("path", [*_SOURCES, *_SCRIPTS], ids=_name)


@_each_source
def test_files_and_functions_are_short(path):
    lines = path.read_text(encoding="utf-8").count("\n")
    assert lines <= _LONGEST_FILE, f"Split {_name(path)}: {lines} lines, one subject per file."
    for node in ast.walk(_tree(path)):
        if isinstance(node, ast.FunctionDef):
            length = node.end_lineno - node.lineno + 1
            assert length <= _LONGEST_FUNCTION, f"Split {node.name}: {length} lines."


@_each_source
def test_modules_and_public_names_have_docstrings(path):
    tree = _tree(path)
    if path.read_text(encoding="utf-8").strip():
        assert ast.get_docstring(tree), f"Say in one line what {_name(path)} is."
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_"):
            assert ast.get_docstring(node), f"Document {node.name}."


@_each_source
def test_nothing_is_swallowed_pickled_or_asserted(path):
    for node in ast.walk(_tree(path)):
        assert not isinstance(node, ast.Assert), "Raise a ValueError: assert vanishes under -O."
        if isinstance(node, ast.ExceptHandler):
            assert node.type is not None, "Name the exception: a bare except hides bugs."
            assert not all(isinstance(line, ast.Pass) for line in node.body), (
                "Handle it, or let go."
            )
    unsafe = {"pickle", "marshal", "shelve", "joblib"} & set(_imported_packages(path))
    assert not unsafe, f"{unsafe} runs code from files; use JSON, safetensors or npz."


@_each_source
def test_heavy_packages_have_one_importer(path):
    for package in set(_imported_packages(path)) & set(_SOLE_IMPORTERS):
        assert _name(path) == _SOLE_IMPORTERS[package], f"Import {package} there only."


@_each_source
def test_flags_are_read_in_one_module(path):
    if _name(path) != "ss_tf/run_flags.py":
        assert "FLAGS" not in path.read_text(encoding="utf-8"), "Take arguments, or a config."


@_each_source
def test_private_tensorflow_is_left_alone(path):
    text = path.read_text(encoding="utf-8")
    for private in ("tensorflow.python", "compat.v1"):
        assert private not in text, f"{private} changes without notice."


@pytest.mark.parametrize(
    "path",
    [
        path
        for path in _SOURCES
        if path.name != "__init__.py" and not _name(path).startswith("tools/")
    ],
    ids=_name,
)
def test_each_source_file_has_a_test_file(path):
    if path.is_relative_to(_ROOT / "ss_tf"):
        folder = _ROOT / "tests" / path.parent.relative_to(_ROOT / "ss_tf")
    else:
        folder = path.parent  # TFDS wants a builder's test beside it.
    test = folder / f"{path.stem}_test.py"
    assert test.is_file(), f"Write {_name(test)}."


def test_scripts_hold_no_logic():
    for path in _SCRIPTS:
        assert path.read_text().count("\n") <= 70, f"Move logic of {path.name} into ss_tf/."


def test_no_file_is_a_drawer():
    drawers = [_name(path) for path in _SOURCES if path.stem in ("utils", "helpers", "common")]
    assert not drawers, "Name the subject."


def test_every_dependency_is_explained():
    config = configparser.ConfigParser()
    config.read(_ROOT / "setup.cfg")
    extras = config["options.extras_require"].items()
    page = (_ROOT / "docs" / "ARCHITECTURE.md").read_text()
    for extra, required in [("none", config["options"]["install_requires"]), *extras]:
        lines = [line for line in required.split("\n") if line and not line.startswith("ss_tf[")]
        for name, *versions in map(str.split, lines):
            row = rf"\| [a-z, ]*\b{extra}\b[a-z, ]* \| [^|]*(?<![\w-]){name}(?![\w-])"
            assert re.search(row, page), f"Say in ARCHITECTURE.md why {extra} brings {name}."
            good = re.fullmatch(r">=[\w.]+, <[\w.]+|==[\w.]+", " ".join(versions))
            assert good, f"Give the range of {name} that was tested."


@pytest.mark.parametrize("page", _PAGES, ids=_name)
def test_links_lead_somewhere(page):
    text = page.read_text(encoding="utf-8")
    for link in re.findall(r"\]\(([^)#\s]+)", text):
        assert "://" in link or (page.parent / link).exists(), f"Mend the link to {link}."


@pytest.mark.parametrize("page", _PAGES, ids=_name)
def test_paths_that_are_told_exist(page):
    """A path begins with a room, or ends as a module or preset does; NAME stands for any name."""
    text = page.read_text(encoding="utf-8")
    in_rooms = re.findall(rf"(?<![\w./-])(?:{'|'.join(_ROOMS)})/[\w./-]*", text)
    for path in {path.rstrip(".") for path in in_rooms if "NAME" not in path}:
        assert (_ROOT / path).exists(), f"There is no {path}."
    files = [f"/{_name(path)}" for room in _ROOMS for path in (_ROOT / room).rglob("*.*")]
    files += [f"/{path.name}" for path in _ROOT.glob("*.*")]
    for path in set(re.findall(r"[\w./-]*\w\.(?:py|flags|cfg|toml)\b", text)):
        known = any(file.endswith(f"/{path}") for file in files)
        assert known or "NAME" in path, f"There is no {path}."


def test_readme_has_no_gaps():
    text = (_ROOT / "README.md").read_text(encoding="utf-8")
    prose = re.sub(r"```.*?```|`[^`\n]*`", "", text, flags=re.DOTALL)
    gaps = re.findall(r"\b[A-Z]+_[A-Z_]+\b", prose)
    assert not gaps, "Fill in what was measured."


def test_files_that_git_knows_are_small():
    if not (_ROOT / ".git").exists() or not shutil.which("git"):
        pytest.skip("This is no clone, or git is not installed.")
    listed = subprocess.run(
        ["git", "ls-files"], cwd=_ROOT, capture_output=True, text=True, check=True
    ).stdout.splitlines()
    for name in listed:
        path = _ROOT / name
        limit = 12 if path.parent.name == "superclass_typefaces" else 1
        if path.is_file():
            assert path.stat().st_size <= limit * 2**20, f"{name} is over {limit} MiB."
