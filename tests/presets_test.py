import pathlib

import pytest
from absl import flags
from absl.testing import flagsaver

from ss_tf import run_flags

_ROOT = pathlib.Path(__file__).parents[1]
_PRESETS = sorted(path.relative_to(_ROOT) for path in (_ROOT / "flags").glob("*.flags"))


def _run_config(preset, monkeypatch):
    monkeypatch.chdir(_ROOT)
    with flagsaver.flagsaver():
        flags.FLAGS(["train.py", f"--flagfile={preset}", "--data_dir=photos"])
        return run_flags.run_config()


def test_presets_are_found():
    assert {"demo.flags", "typefaces_resnet18.flags"} <= {preset.name for preset in _PRESETS}


@pytest.mark.parametrize("preset", _PRESETS, ids=str)
def test_preset_parses(preset, monkeypatch):
    """A misspelt flag, a wrong value or a trailing comment fails here."""
    config = _run_config(preset, monkeypatch)
    assert config.flat_fit.epochs > 0
    # Two-stage is never shown without a rival of equal compute, but for a preset that is one.
    is_rival = "imagenet_resnet455" in preset.name
    assert (config.equal_compute_model is None) == is_rival


@pytest.mark.parametrize("preset", _PRESETS, ids=str)
def test_warm_up_ends_before_its_phase(preset, monkeypatch):
    """A phase that is all warm-up never reaches its learning rate, nor decays from it."""
    config = _run_config(preset, monkeypatch)
    for fit in (config.flat_fit, config.super_fit, config.sub_fit):
        assert 0 < fit.warmup_epochs < fit.epochs
    for fit in (config.base_qat_fit, config.sub_qat_fit):
        assert fit.epochs == 0 or fit.warmup_epochs < fit.epochs


@pytest.mark.parametrize("preset", _PRESETS, ids=str)
def test_preset_says_how_it_is_run_and_is_listed(preset):
    text = (_ROOT / preset).read_text()
    assert text.startswith(f"# {preset.name}: ")
    assert (
        f"--flagfile={preset}" in text or f"flags/{preset.name}" in (_ROOT / "Makefile").read_text()
    )
    assert f"`{preset.name}`" in (_ROOT / "flags" / "README.md").read_text()


def test_resnet455_has_455_layers(monkeypatch):
    blocks = _run_config("flags/imagenet_resnet455.flags", monkeypatch).model.blocks
    assert 2 + 3 * sum(blocks) == 455  # The first convolution, three in every block, the head.
