import pytest
from absl import flags

from ss_tf import run_flags


def test_routing_is_hard_unless_asked(parse_flags):
    parse_flags()
    assert run_flags.routing() == "hard"
    parse_flags("--routing=soft")
    assert run_flags.routing() == "soft"


def test_unknown_routing_is_refused(parse_flags):
    with pytest.raises(flags.IllegalFlagValueError, match="routing"):
        parse_flags("--routing=medium")
