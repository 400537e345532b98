import pytest

from ss_tf import run_flags


@pytest.fixture
def write_run(parse_flags, tmp_path):
    """Returns a function that keeps the flags of a run, and returns the flagfile."""

    def write(*arguments):
        parse_flags(*arguments)
        flagfile = tmp_path / "flags.flags"
        flagfile.write_text(run_flags.run_flagfile())
        return flagfile

    return write


def test_defaults_train_the_super_network_on_the_bundled_data(parse_flags):
    parse_flags()
    assert run_flags.stage() == "super"
    assert str(run_flags.run_dir()) == "runs/superclass_typefaces"
    assert run_flags.run_config().data.name == "superclass_typefaces"
    assert run_flags.run_config().base == "super"


def test_scratch_has_no_base_and_learns_at_the_full_rate(parse_flags):
    parse_flags("--sub_init=scratch", "--learning_rate=0.3", "--sub_learning_rate=0.01")
    assert run_flags.run_config().base is None
    assert run_flags.run_config().sub_fit.learning_rate == 0.3


def test_the_second_flat_network_has_twice_the_blocks(parse_flags):
    parse_flags("--backbone=resnet50", "--flat_backbone=twice")
    assert run_flags.run_config().equal_compute_model.resnet_blocks == (6, 8, 12, 6)
    parse_flags("--resnet_blocks=1,1,2,1")
    assert run_flags.run_config().equal_compute_model.resnet_blocks == (2, 2, 4, 2)
    parse_flags("--flat_backbone=none")
    assert run_flags.run_config().equal_compute_model is None


def test_quantization_aware_phases_have_no_warm_up(parse_flags):
    parse_flags("--warmup_epochs=2")
    config = run_flags.run_config()
    assert config.super_fit.warmup_epochs == 2
    assert config.base_qat_fit.warmup_epochs == 0
    assert config.sub_qat_fit.warmup_epochs == 0


def test_deltas_are_trained_as_the_flags_say(parse_flags):
    parse_flags("--delta_bits=1.5", "--delta_penalty=2", "--sub_qat_learning_rate=0.02")
    run = run_flags.run_config()
    assert (run.delta.bits, run.delta.penalty, run.delta.freeze_through) == (1.5, 2.0, None)
    assert (run.sub_qat_fit.learning_rate, run.base_qat_fit.learning_rate) == (0.02, 0.005)
    parse_flags("--freeze_through=layer2")
    assert run_flags.run_config().delta.freeze_through == "layer2"


def test_a_named_flat_backbone_keeps_its_own_depth(parse_flags):
    parse_flags("--resnet_blocks=1,1,1,1", "--flat_backbone=resnet34", "--base_width=8")
    config = run_flags.run_config()
    assert config.model.resnet_blocks == (1, 1, 1, 1)
    assert config.equal_compute_model.resnet_blocks is None
    assert config.equal_compute_model.base_width == 8


def test_a_run_is_continued_by_its_folder_alone(parse_flags, tmp_path, write_run):
    flagfile = write_run(
        "--base_width=24", "--augment=", "--deterministic", "--resnet_blocks=1,2,3,4"
    )
    parse_flags(f"--run_dir={tmp_path}", "--stage=sub")
    run_flags.adopt_run_flags(flagfile)
    config = run_flags.run_config()
    assert config.model.base_width == 24
    assert config.model.resnet_blocks == (1, 2, 3, 4)
    assert config.flat_fit.augment == ()
    assert config.deterministic
    assert run_flags.stage() == "sub"


def test_a_run_of_before_deltas_were_made_small_stays_what_it_was(parse_flags, tmp_path):
    (tmp_path / "flags.flags").write_text("--qat_learning_rate=0.003\n")
    parse_flags(f"--run_dir={tmp_path}")
    run_flags.adopt_run_flags(tmp_path / "flags.flags")
    config = run_flags.run_config()
    assert (config.delta.bits, config.sub_qat_fit.learning_rate) == (8, 0.003)


def test_a_flag_that_disagrees_with_the_run_is_named(parse_flags, tmp_path, write_run):
    flagfile = write_run("--base_width=24")
    parse_flags("--base_width=16")
    with pytest.raises(
        ValueError, match=r"with --base_width=24, got --base_width=16.*another --run"
    ):
        run_flags.adopt_run_flags(flagfile)


def test_places_may_change_from_call_to_call(parse_flags, tmp_path, write_run):
    flagfile = write_run("--data_dir=/old")
    parse_flags("--data_dir=/new", "--checkpoint_minutes=5")
    run_flags.adopt_run_flags(flagfile)
    assert str(run_flags.data_config().data_dir) == "/new"


def test_a_run_is_opened_with_its_own_flags(parse_flags, tmp_path, write_run):
    write_run("--base_width=8")
    parse_flags(f"--run_dir={tmp_path}")
    config, run = run_flags.open_run()
    assert (config.model.base_width, run.path) == (8, tmp_path)


def test_a_new_run_adopts_nothing(parse_flags, tmp_path):
    parse_flags("--base_width=16")
    run_flags.adopt_run_flags(tmp_path / "flags.flags")
    assert run_flags.run_config().model.base_width == 16


def test_networks_come_from_runs_that_differ_in_sub_networks_alone(
    parse_flags, tmp_path, write_run
):
    write_run("--sub_epochs=3", "--base_width=24", "--delta_bits=2")
    parse_flags(f"--networks_from={tmp_path}", "--sub_init=flat", "--base_width=24")
    run_flags.check_networks_from()
    parse_flags(f"--networks_from={tmp_path}", "--sub_init=flat", "--base_width=16")
    with pytest.raises(ValueError, match=r"with --base_width=24, this run has --base_width=16"):
        run_flags.check_networks_from()


def test_networks_come_from_runs_only(parse_flags, tmp_path):
    parse_flags(f"--networks_from={tmp_path}")
    with pytest.raises(ValueError, match="is no run"):
        run_flags.check_networks_from()


def test_training_images_have_the_input_size_unless_told(parse_flags):
    parse_flags("--image_size=224")
    assert run_flags.run_config().flat_fit.image_size == 224
    parse_flags("--image_size=224", "--train_image_size=176")
    assert run_flags.run_config().flat_fit.image_size == 176
    assert run_flags.run_config().data.image_size == 224


def test_quantization_aware_phases_see_whole_images_and_keep_no_average(parse_flags):
    parse_flags("--mixup=0.2", "--cutmix=1", "--ema_decay=0.99")
    config = run_flags.run_config()
    assert (config.sub_fit.mixup, config.sub_fit.cutmix, config.sub_fit.ema_decay) == (0.2, 1, 0.99)
    for fit in (config.base_qat_fit, config.sub_qat_fit):
        assert (fit.mixup, fit.cutmix, fit.ema_decay) == (0, 0, 0)


def test_devices_belong_to_a_call_and_the_precision_to_the_run(write_run, parse_flags):
    flagfile = write_run("--strategy=mirrored")
    parse_flags("--jit_compile")
    run_flags.adopt_run_flags(flagfile)
    assert run_flags.run_config().devices.strategy == "default"
    assert run_flags.run_config().devices.jit_compile
    parse_flags("--mixed_precision")
    with pytest.raises(ValueError, match="trained with --nomixed_precision"):
        run_flags.adopt_run_flags(flagfile)


def test_a_run_keeps_to_the_weights_it_began_with(write_run, parse_flags):
    flagfile = write_run("--init=one.npz")
    parse_flags("--init=other.npz")
    with pytest.raises(ValueError, match=r"trained with --init=one.npz, got --init=other.npz"):
        run_flags.adopt_run_flags(flagfile)
