import pytest
from absl import flags
from absl.testing import flagsaver

from ss_tf import flag_defs


@pytest.fixture(autouse=True)
def _restore_flags():
    with flagsaver.flagsaver():
        yield


def _parse(*arguments):
    flags.FLAGS.unparse_flags()
    for name in flags.FLAGS:
        flags.FLAGS[name].unparse()
    flags.FLAGS(["train.py", *arguments])


def _write_run(tmp_path, *arguments):
    """Keeps the flags of a run, and returns the flagfile."""
    _parse(*arguments)
    flagfile = tmp_path / "flags.flags"
    flagfile.write_text(flag_defs.run_flagfile())
    return flagfile


def test_defaults_train_the_super_network_on_the_bundled_data():
    _parse()
    assert flag_defs.stage() == "super"
    assert str(flag_defs.run_dir()) == "runs/superclass_typefaces"
    assert flag_defs.run_config().data.name == "superclass_typefaces"
    assert flag_defs.run_config().base == "super"


def test_scratch_has_no_base_and_learns_at_the_full_rate():
    _parse("--sub_init=scratch", "--learning_rate=0.3", "--sub_learning_rate=0.01")
    assert flag_defs.run_config().base is None
    assert flag_defs.run_config().sub_fit.learning_rate == 0.3


def test_the_second_flat_network_has_twice_the_blocks():
    _parse("--backbone=resnet50", "--flat_backbone=twice")
    assert flag_defs.run_config().equal_compute_model.resnet_blocks == (6, 8, 12, 6)
    _parse("--resnet_blocks=1,1,2,1")
    assert flag_defs.run_config().equal_compute_model.resnet_blocks == (2, 2, 4, 2)
    _parse("--flat_backbone=none")
    assert flag_defs.run_config().equal_compute_model is None


def test_quantization_aware_phases_have_no_warm_up():
    _parse("--warmup_epochs=2")
    config = flag_defs.run_config()
    assert config.super_fit.warmup_epochs == 2
    assert config.base_qat_fit.warmup_epochs == 0
    assert config.sub_qat_fit.warmup_epochs == 0


@pytest.mark.parametrize(
    "arguments",
    [
        ["--superclass=latin"],
        ["--stage=all", "--superclass=latin"],
        ["--stage=sub", "--superclass="],
        ["--stage=sub", "--superclass=all,latin"],
    ],
)
def test_superclasses_go_with_the_sub_stage(arguments):
    with pytest.raises(flags.IllegalFlagValueError, match="--superclass goes with --stage=sub"):
        _parse(*arguments)


def test_a_named_flat_backbone_keeps_its_own_depth():
    _parse("--resnet_blocks=1,1,1,1", "--flat_backbone=resnet34", "--base_width=8")
    config = flag_defs.run_config()
    assert config.model.resnet_blocks == (1, 1, 1, 1)
    assert config.equal_compute_model.resnet_blocks is None
    assert config.equal_compute_model.base_width == 8


@pytest.mark.parametrize(
    "argument", ["--resnet_blocks=3,4", "--resnet_blocks=a,b,c,d", "--augment=translate,flipp"]
)
def test_lists_are_checked_when_parsed(argument):
    with pytest.raises(flags.IllegalFlagValueError, match=argument.partition("=")[0][2:]):
        _parse(argument)


def test_a_run_is_continued_by_its_folder_alone(tmp_path):
    flagfile = _write_run(
        tmp_path, "--base_width=24", "--augment=", "--deterministic", "--resnet_blocks=1,2,3,4"
    )
    _parse(f"--run_dir={tmp_path}", "--stage=sub")
    flag_defs.adopt_run_flags(flagfile)
    config = flag_defs.run_config()
    assert config.model.base_width == 24
    assert config.model.resnet_blocks == (1, 2, 3, 4)
    assert config.flat_fit.augment == ()
    assert config.deterministic
    assert flag_defs.stage() == "sub"


def test_a_flag_that_disagrees_with_the_run_is_named(tmp_path):
    flagfile = _write_run(tmp_path, "--base_width=24")
    _parse("--base_width=16")
    with pytest.raises(
        ValueError, match=r"with --base_width=24, got --base_width=16.*another --run"
    ):
        flag_defs.adopt_run_flags(flagfile)


def test_places_may_change_from_call_to_call(tmp_path):
    flagfile = _write_run(tmp_path, "--data_dir=/old")
    _parse("--data_dir=/new", "--checkpoint_minutes=5")
    flag_defs.adopt_run_flags(flagfile)
    assert str(flag_defs.data_config().data_dir) == "/new"


def test_a_new_run_adopts_nothing(tmp_path):
    _parse("--base_width=16")
    flag_defs.adopt_run_flags(tmp_path / "flags.flags")
    assert flag_defs.run_config().model.base_width == 16


def test_networks_come_from_runs_that_differ_in_sub_networks_alone(tmp_path):
    _write_run(tmp_path, "--sub_epochs=3", "--base_width=24")
    _parse(f"--networks_from={tmp_path}", "--sub_init=flat", "--base_width=24")
    flag_defs.check_networks_from()
    _parse(f"--networks_from={tmp_path}", "--sub_init=flat", "--base_width=16")
    with pytest.raises(ValueError, match=r"with --base_width=24, this run has --base_width=16"):
        flag_defs.check_networks_from()


def test_networks_come_from_runs_only(tmp_path):
    _parse(f"--networks_from={tmp_path}")
    with pytest.raises(ValueError, match="is no run"):
        flag_defs.check_networks_from()
