import pytest
from absl import flags


@pytest.mark.parametrize(
    "arguments",
    [
        ["--superclass=latin"],
        ["--stage=all", "--superclass=latin"],
        ["--stage=sub", "--superclass="],
        ["--stage=sub", "--superclass=all,latin"],
    ],
)
def test_superclasses_go_with_the_sub_stage(parse_flags, arguments):
    with pytest.raises(flags.IllegalFlagValueError, match="--superclass goes with --stage=sub"):
        parse_flags(*arguments)


@pytest.mark.parametrize(
    "argument",
    [
        "--resnet_blocks=3,4",
        "--resnet_blocks=a,b,c,d",
        "--augment=translate,flipp",
        "--dataset=imagenet",
    ],
)
def test_values_are_checked_when_parsed(parse_flags, argument):
    with pytest.raises(flags.IllegalFlagValueError, match=argument.partition("=")[0][2:]):
        parse_flags(argument)


def test_a_data_set_may_name_a_config(parse_flags):
    parse_flags("--dataset=superclass_imagenet/living_9")
    assert flags.FLAGS.dataset == "superclass_imagenet/living_9"


def test_weights_for_a_network_that_is_not_there_are_refused(parse_flags):
    with pytest.raises(flags.IllegalFlagValueError, match="--flat_backbone=none omits"):
        parse_flags("--flat_backbone=none", "--equal_compute_init=resnet34.npz")


def test_a_coarse_grid_needs_an_epoch(parse_flags):
    with pytest.raises(flags.IllegalFlagValueError, match="needs --delta_bits=8"):
        parse_flags("--sub_qat_epochs=0")
    parse_flags("--sub_qat_epochs=0", "--delta_bits=8")
    parse_flags("--sub_qat_epochs=0", "--sub_init=scratch")
