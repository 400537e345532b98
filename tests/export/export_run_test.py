import pytest
import tensorflow as tf

from ss_tf.export import export_run
from ss_tf.hierarchy.superclass_map import SuperclassMap
from ss_tf.routing import fitted_policy, int8_networks, loading
from ss_tf.routing.policy import HARD, RoutingPolicy
from ss_tf.routing.router import Router
from ss_tf.training.run_dir import RunDir

MAP = SuperclassMap.from_groups({"bird": ["owl", "hen"], "boat": ["tug"]})


class TwoPixels(tf.Module):
    """Networks whose logits are the first two values of an image."""

    image_shape = (2, 2, 3)

    def features(self, images):
        return tf.reshape(images, [-1, 12])

    def base_logits(self, features):
        return features[:, :2]

    def sub_logits(self, superclass, features):
        return features[:, :2]


@pytest.fixture
def run(tmp_path, monkeypatch):
    """A run of photos whose networks are `TwoPixels`."""
    run = RunDir(tmp_path / "run")
    run.path.mkdir()
    run.map_file.write_text(MAP.to_json())

    def load_router(config, run, *, image_format, policy):
        assert image_format.channels == 3
        return Router(TwoPixels(), MAP, base_kind="super", policy=policy)

    monkeypatch.setattr(loading, "load_router", load_router)
    return run


def _export(run_config, run, output, *, routing="hard"):
    return export_run.export_saved_model(run_config(), run, routing=routing, output=output)


@pytest.mark.slow
def test_text_tells_size_signatures_and_what_to_do_next(run_config, run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    output = run.export_dir("saved_model").relative_to(tmp_path)
    text = _export(run_config, run, output)
    size = sum(path.stat().st_size for path in output.rglob("*") if path.is_file()) / 1e6
    assert text.startswith(
        f"run/export/saved_model: SavedModel of {run.path}, {size:.1f} MB, hard routing, "
        "2 superclasses, 3 labels.\n"
    )
    assert "  classify_super(images: float32 [batch, 2, 2, 3])\n    -> probabilities: " in text
    # Once for the three that have the same outputs.
    assert text.count("opened: bool [batch, 2]") == 1
    assert "  serving_jpeg(encoded: string [batch])\n" in text
    assert "  serving_uint8(images: uint8 [batch, any, any, 3])\n" in text
    assert "docs/EXPORT.md" in text
    assert max(len(line) for line in export_run.signature_lines(output)) <= 100

    # What it says runs as it stands.
    shown = text.partition("without ss_tf:\n")[2].splitlines()
    code = "\n".join(line.strip() for line in shown if line.startswith("  "))
    tf.io.write_file("photo.jpg", tf.io.encode_jpeg(tf.zeros([5, 5, 3], tf.uint8)))
    names = {}
    exec(code, names)
    assert set(names["model"].signatures) == {
        "classify_super",
        "serving_default",
        "serving_jpeg",
        "serving_uint8",
    }


@pytest.mark.slow
def test_soft_routing_takes_the_fitted_policy(run_config, run, tmp_path):
    digest = int8_networks.stored_digest(run, MAP, base="super")
    fitted_policy.store(RoutingPolicy(top_k=2), run, networks=digest)
    images = tf.zeros([1, 2, 2, 3])
    opened = {}
    for routing in ("hard", "soft"):
        assert f"{routing} routing" in _export(run_config, run, tmp_path / routing, routing=routing)
        model = tf.saved_model.load(str(tmp_path / routing))
        result = model.signatures["serving_default"](images=images)
        opened[routing] = result["opened"].numpy().sum()
    assert opened == {"hard": HARD.top_k, "soft": 2}


def test_what_is_wrong_is_said_before_networks_are_read(run_config, run, tmp_path, monkeypatch):
    monkeypatch.setattr(loading, "load_router", None)
    with pytest.raises(ValueError, match=r"--routing=soft needs .*Run eval\.py"):
        _export(run_config, run, tmp_path / "new", routing="soft")
    with pytest.raises(ValueError, match=r"run is there already, expected a new folder\. Remove"):
        _export(run_config, run, run.path)
    with pytest.raises(ValueError, match=r"is not a run: superclass_map\.json is missing"):
        _export(run_config, RunDir(tmp_path), tmp_path / "new")
