import numpy as np
import pytest

from ss_tf.edge.bundle import Bundle
from ss_tf.edge.diff import Region
from ss_tf.export import edge_bundle, tflite
from ss_tf.hierarchy.superclass_map import SuperclassMap
from ss_tf.routing import fitted_policy, int8_networks
from ss_tf.routing.policy import RoutingPolicy
from ss_tf.training.run_dir import RunDir

MAP = SuperclassMap.from_groups({"bird": ["owl", "hen"], "boat": ["tug"], "cat": list("abcde")})
# Stand for .tflite files.
NETWORKS = {
    name: np.random.default_rng(seed).integers(0, 256, 500).astype(np.uint8).tobytes()
    for seed, name in enumerate(["", "bird", "cat"])
}


@pytest.fixture
def run(tmp_path, monkeypatch):
    """A run whose conversion gives `NETWORKS`."""
    run = RunDir(tmp_path / "run")
    run.path.mkdir()
    run.map_file.write_text(MAP.to_json())

    class Converter:
        def __init__(self, model):
            assert model.output_shape == (None, 5)  # The cats are most.

        def convert(self, network):
            return NETWORKS[network]

    named = {name: name for name in NETWORKS}
    monkeypatch.setattr(int8_networks, "load", lambda config, run, labels_map: named)
    monkeypatch.setattr(int8_networks, "digest", lambda networks: "5" * 64)
    monkeypatch.setattr(tflite, "Converter", Converter)
    monkeypatch.setattr(tflite, "check_same_layout", lambda networks: [Region(0, 500, False)])
    return run


def _export(run_config, run, output, *, routing="hard"):
    return edge_bundle.export_bundle(run_config(), run, routing=routing, output=output)


def test_bundle_gives_every_network_back(run_config, run, tmp_path):
    output = tmp_path / "new" / "bundle"
    text = _export(run_config, run, output)
    bundle = Bundle(output)
    base = bundle.base()
    assert base == NETWORKS[""]
    for name in ("bird", "cat"):
        assert bundle.sub(name, base=base) == NETWORKS[name]
    about = bundle.manifest
    assert (about.superclass_map, about.head_width, about.channels) == (MAP, 5, 3)
    assert about.source == "5" * 64
    assert (about.image_size, about.base_kind, about.policy) == (16, "super", RoutingPolicy())
    size = sum(path.stat().st_size for path in output.rglob("*") if path.is_file())
    assert f"{size / 1500:.3f} of 3 full int8 .tflite files" in text
    assert sorted(path.name for path in tmp_path.rglob("*.delta")) == ["bird.delta", "cat.delta"]
    assert [path.name for path in output.parent.iterdir()] == ["bundle"]


def test_soft_routing_takes_the_fitted_policy(run_config, run, tmp_path):
    policy = RoutingPolicy(top_k=2, tau=0.75, temperatures={"cat": 1.5})
    digest = int8_networks.stored_digest(run, MAP, base="super")
    fitted_policy.store(policy, run, networks=digest)
    _export(run_config, run, tmp_path / "soft", routing="soft")
    assert Bundle(tmp_path / "soft").manifest.policy == policy


def test_what_is_wrong_is_said_before_networks_are_read(run_config, run, tmp_path, monkeypatch):
    monkeypatch.setattr(int8_networks, "load", None)
    with pytest.raises(ValueError, match=r"run is there already, expected a new folder\. Remove"):
        _export(run_config, run, run.path)
    with pytest.raises(ValueError, match=r"--routing=soft needs .*Run eval\.py"):
        _export(run_config, run, tmp_path / "new", routing="soft")
    (tmp_path / "file").touch()
    with pytest.raises(FileExistsError, match="file"):
        _export(run_config, run, tmp_path / "file" / "new")


def test_network_of_another_layout_leaves_nothing_behind(run_config, run, tmp_path, monkeypatch):
    monkeypatch.setattr(tflite, "check_same_layout", lambda networks: [Region(0, 499, False)])
    with pytest.raises(ValueError, match="differ outside the regions"):
        _export(run_config, run, tmp_path / "new")
    assert not (tmp_path / "new").exists()
