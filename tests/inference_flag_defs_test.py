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


def test_nothing_is_cached_unless_asked(parse_flags):
    parse_flags()
    assert run_flags.cache_bytes() == 0
    parse_flags("--cache_mb=30")
    assert run_flags.cache_bytes() == 30_000_000
    with pytest.raises(flags.IllegalFlagValueError, match="cache_mb"):
        parse_flags("--cache_mb=-1")
