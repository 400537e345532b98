import pytest
from absl import flags


@pytest.mark.parametrize(
    "argument",
    [
        "--train_image_size=4",
        "--min_crop_area=0",
        "--strategy=tpu",
        "--delta_bits=0",
        "--delta_bits=8.5",
        "--delta_penalty=-1",
        "--freeze_through=layer5",
    ],
)
def test_values_out_of_range_are_refused_as_they_are_parsed(parse_flags, argument):
    with pytest.raises(flags.IllegalFlagValueError, match=argument.partition("=")[0][2:]):
        parse_flags(argument)
