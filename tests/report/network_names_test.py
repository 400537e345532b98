import pytest

from ss_tf.config import BACKBONES
from ss_tf.report import network_names
from ss_tf.report.network_names import Names


def _flags(backbone="resnet18", blocks="", second="none", width=64):
    return [
        f"--backbone={backbone}",
        f"--resnet_blocks={blocks}",
        f"--flat_backbone={second}",
        f"--base_width={width}",
        "--deterministic",
    ]


@pytest.mark.parametrize("backbone", BACKBONES)
def test_a_backbone_has_its_own_number_of_layers(backbone):
    found = network_names.names(_flags(backbone))
    assert found == Names(f"ResNet-{backbone[6:]}", None, "")


def test_blocks_give_the_depth():
    # 151 bottleneck blocks of 3 layers, and 4 basic ones of 2.
    assert network_names.names(_flags("resnet152", "9,24,109,9")).backbone == "ResNet-455"
    assert network_names.names(_flags("resnet18", "1,1,1,1")).backbone == "ResNet-10"


def test_the_second_flat_network_is_named_or_twice_as_deep():
    assert network_names.names(_flags(second="resnet34")).second_flat == "ResNet-34"
    # 2 * 8 basic blocks of 2 layers; and 2 * 50 bottleneck blocks of 3.
    assert network_names.names(_flags(second="twice")).second_flat == "ResNet-34"
    assert network_names.names(_flags("resnet152", second="twice")).second_flat == "ResNet-302"


def test_an_unusual_width_is_told():
    assert network_names.names(_flags(width=16)).width == ", 16 filters"


def test_networks_of_a_run_without_these_flags_are_unknown():
    assert network_names.names(["--backbone=resnet18"]) == Names("unknown", "unknown", "")


def test_other_values_are_refused():
    with pytest.raises(ValueError, match=r"--backbone is 'vgg', expected one of \['resnet18'"):
        network_names.names(_flags("vgg"))
