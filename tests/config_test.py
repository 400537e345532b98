import pytest

from ss_tf import config


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"epochs": -1}, "epochs is -1, expected at least 0"),
        ({"batch_size": 0}, "batch_size is 0, expected at least 1"),
        ({"learning_rate": -0.1}, r"learning_rate is -0\.1, expected at least 0"),
        ({"augment": ("mixup",)}, "augment is 'mixup', expected translate or"),
    ],
)
def test_fit_settings_out_of_range_are_named(fit_config, change, message):
    with pytest.raises(ValueError, match=message):
        fit_config(**change)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"backbone": "vgg"}, "backbone is 'vgg', expected resnet18 or"),
        ({"stem": "big"}, "stem is 'big', expected imagenet or small"),
        ({"base_width": 0}, "base_width is 0, expected at least 1"),
        (
            {"resnet_blocks": (1, 2, 0, 1)},
            r"resnet_blocks is \(1, 2, 0, 1\), expected four numbers",
        ),
    ],
)
def test_network_shapes_out_of_range_are_named(change, message):
    good = {"backbone": "resnet18", "resnet_blocks": None, "base_width": 16, "stem": "small"}
    with pytest.raises(ValueError, match=message):
        config.ModelConfig(**{**good, **change})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"image_size": 4}, "image_size is 4, expected at least 8 pixels"),
        ({"minival_fraction": 1.0}, r"minival_fraction is 1\.0, expected \[0, 1\)"),
    ],
)
def test_data_settings_out_of_range_are_named(change, message):
    good = {
        "name": "folder",
        "data_dir": None,
        "image_size": 32,
        "minival_fraction": 0.1,
        "skip_unreadable": False,
    }
    with pytest.raises(ValueError, match=message):
        config.DataConfig(**{**good, **change})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"bits": 0.0}, r"delta_bits is 0\.0, expected above 0, to 8"),
        ({"bits": 8.5}, r"delta_bits is 8\.5, expected above 0, to 8"),
        ({"penalty": -1.0}, r"delta_penalty is -1\.0, expected at least 0"),
        ({"freeze_through": "fc"}, "freeze_through is 'fc', expected stem or layer1 or"),
    ],
)
def test_delta_settings_out_of_range_are_named(change, message):
    good = {"bits": 1.0, "penalty": 0.0, "freeze_through": None}
    with pytest.raises(ValueError, match=message):
        config.DeltaConfig(**{**good, **change})


def test_without_a_base_there_is_nothing_to_freeze(run_config):
    frozen = config.DeltaConfig(bits=8.0, penalty=0.0, freeze_through="layer1")
    assert run_config(sub_init="flat", delta=frozen).delta is frozen
    with pytest.raises(ValueError, match="freeze_through is 'layer1', expected none, as --sub_in"):
        run_config(sub_init="scratch", delta=frozen)


def test_base_is_what_sub_networks_start_from(run_config):
    bases = [run_config(sub_init=init).base for init in ("super", "flat", "scratch")]
    assert bases == ["super", "flat", None]
    with pytest.raises(ValueError, match="sub_init is 'random', expected super or flat or scratch"):
        run_config(sub_init="random")
