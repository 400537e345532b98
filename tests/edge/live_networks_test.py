import pytest

from ss_tf.edge.bundle import Bundle
from ss_tf.edge.live_networks import LiveNetworks


def _live(tiny, networks):
    size = tiny.about.base.num_bytes
    cache_bytes = None if networks is None else networks * size
    return LiveNetworks(Bundle(tiny.path), num_threads=1, cache_bytes=cache_bytes)


def test_what_was_used_last_stays(make_bundle):
    live = _live(make_bundle(), None)
    bird = live.sub("bird")
    assert live.sub("bird") is bird
    live.sub("fish")
    assert live.loaded == ("fish",)
    assert live.sub("bird") is not bird


def test_budget_of_two_keeps_both(make_bundle):
    live = _live(make_bundle(), 2.5)
    bird = live.sub("bird")
    live.sub("fish")
    assert live.loaded == ("bird", "fish")
    assert live.sub("bird") is bird
    assert live.loaded == ("fish", "bird")


def test_without_a_budget_one_network_is_live(make_bundle):
    live = _live(make_bundle(), 0.9)
    before = live.base()
    live.sub("bird")
    assert live.loaded == ("bird",)
    assert live.base() is not before
    assert live.loaded == ()


def test_a_network_that_cannot_be_made_displaces_none(make_bundle):
    tiny = make_bundle()
    live = _live(tiny, None)
    bird, base = live.sub("bird"), live.base()
    (tiny.path / "deltas" / "fish.delta").unlink()
    with pytest.raises(ValueError, match="missing"):
        live.sub("fish")
    assert live.sub("bird") is bird
    assert live.base() is base
