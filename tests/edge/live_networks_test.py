import json

import numpy as np
import pytest

from ss_tf.edge import live_networks
from ss_tf.edge.bundle import Bundle, Delta
from ss_tf.edge.live_networks import LiveNetworks
from ss_tf.edge.network import Network, NoGpuError


def _live(tiny, networks, *, accelerator="cpu"):
    size = tiny.about.base.num_bytes
    cache_bytes = None if networks is None else networks * size
    bundle = Bundle(tiny.path)
    return LiveNetworks(bundle, num_threads=1, cache_bytes=cache_bytes, accelerator=accelerator)


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


def test_a_network_of_another_digest_is_not_handed_out(make_bundle, monkeypatch):
    """As if patching had gone wrong, after all that is checked before it."""
    live = _live(make_bundle(), None)
    bird = live.sub("bird").content
    restore = Delta.restore

    def wrong(self, base, **arguments):
        content = bytearray(restore(self, base, **arguments))
        content[-1] ^= 1
        return bytes(content)

    monkeypatch.setattr(Delta, "restore", wrong)
    with pytest.raises(ValueError, match=r"fish\.delta cannot be used.*another SHA-256"):
        live.sub("fish")
    assert live.loaded == ()
    monkeypatch.undo()
    assert live.sub("bird").content == bird


def test_file_of_a_network_that_is_not_as_the_manifest_says_is_named(make_bundle):
    tiny = make_bundle()
    fields = json.loads(tiny.about.to_json()) | {"image_size": 5}
    (tiny.path / "manifest.json").write_text(json.dumps(fields))
    with pytest.raises(
        ValueError, match=r"super\.tflite cannot be used: .*expected image: float32"
    ):
        _live(tiny, None)


class _WithoutGpu(Network):
    """Networks where there is no GPU."""

    def __init__(self, content, manifest, *, num_threads, accelerator):
        if accelerator == "gpu":
            raise NoGpuError("no GPU")
        super().__init__(content, manifest, num_threads=num_threads, accelerator=accelerator)


def test_cpu_takes_the_place_of_a_missing_gpu_if_it_may(make_bundle, images, monkeypatch, caplog):
    tiny = make_bundle()
    monkeypatch.setattr(live_networks, "Network", _WithoutGpu)
    live = _live(tiny, None, accelerator="gpu_or_cpu")
    assert live.accelerator == "cpu"
    assert caplog.messages == ["The CPU takes the GPU's place: no GPU"]
    inputs = ((images / 255 - 0.5) / 0.25).astype(np.float32)
    found = live.sub("bird").logits(inputs, width=4)
    np.testing.assert_allclose(found, tiny.logits("bird", images), rtol=1e-4, atol=1e-5)
    with pytest.raises(NoGpuError, match="no GPU"):
        _live(tiny, None, accelerator="gpu")


def test_gpu_is_used_for_all_networks_where_there_is_one(make_bundle, monkeypatch):
    used = []

    class OnGpu(Network):
        def __init__(self, content, manifest, *, num_threads, accelerator):
            used.append(accelerator)
            super().__init__(content, manifest, num_threads=num_threads)

    monkeypatch.setattr(live_networks, "Network", OnGpu)
    live = _live(make_bundle(), None, accelerator="gpu_or_cpu")
    live.sub("bird")
    assert (live.accelerator, used) == ("gpu", ["gpu", "gpu"])
