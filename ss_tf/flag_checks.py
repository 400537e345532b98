"""Which values flags take, alone and together: checked as they are parsed."""

from __future__ import annotations

from absl import flags

from ss_tf import config
from ss_tf import flag_defs as defs


@flags.multi_flags_validator(
    [defs.STAGE, defs.SUPERCLASS],
    message="--superclass goes with --stage=sub; name at least one, or all",
)
def _superclasses_go_with_sub(values: dict[str, object]) -> bool:
    names = values["superclass"]
    if values["stage"] != "sub":
        return names == ["all"]
    return bool(names) and all(names) and ("all" not in names or names == ["all"])


@flags.multi_flags_validator(
    [defs.FLAT_BACKBONE, defs.EQUAL_COMPUTE_INIT],
    message="--equal_compute_init is for the network that --flat_backbone=none omits",
)
def _second_flat_network_is_there(values: dict[str, object]) -> bool:
    return values["equal_compute_init"] is None or values["flat_backbone"] != "none"


@flags.validator(defs.DATASET, message=f"expected {', '.join(config.DATASETS)}")
def _is_data_set(value: str) -> bool:
    return value.partition("/")[0] in config.DATASETS


@flags.validator(defs.RESNET_BLOCKS, message="expected four whole numbers, e.g. 3,4,6,3")
def _are_four_numbers(values: list[str]) -> bool:
    return not values or (len(values) == 4 and all(value.isdigit() for value in values))


@flags.validator(defs.AUGMENT, message=f"expected any of {', '.join(config.AUGMENTATIONS)}")
def _are_augmentations(values: list[str]) -> bool:
    return all(value in config.AUGMENTATIONS for value in values if value)


@flags.multi_flags_validator(
    [defs.SUB_QAT_EPOCHS, defs.DELTA_BITS, defs.SUB_INIT],
    message="--sub_qat_epochs=0 needs --delta_bits=8: a coarse grid has to be trained on",
)
def _coarse_grids_are_trained_on(values: dict[str, object]) -> bool:
    is_trained = values["sub_qat_epochs"] > 0 or values["sub_init"] == "scratch"
    return is_trained or values["delta_bits"] == config.FREE_BITS
