"""Tests of what the benchmark of delta codings says, on tiny deltas; never of its times."""

import dataclasses
import sys

import delta_codecs
import numpy as np
import pytest
from delta_coding import cases, coders, peers, synthetic, timing

from ss_tf.deltas import bank
from ss_tf.models import integer_network


@pytest.fixture(scope="module", name="drawn")
def _drawn():
    """Returns the synthetic deltas of a network of 44 thousand weights."""
    return synthetic.draw(base_width=4)


def test_full_width_has_the_kernels_of_a_resnet18():
    shapes = synthetic.kernel_shapes(64)
    # torchvision's resnet18: 11,689,512 parameters, less batch norm (9,600) and fc (513,000).
    assert sum(np.prod(shape) for shape in shapes.values()) == 11_689_512 - 9_600 - 513_000
    assert shapes["layer3.0.downsample.0/kernel"] == (1, 1, 128, 256)


def test_drawn_deltas_have_about_the_bits_they_are_named_for():
    for case in synthetic.draw(base_width=16):
        bits = case.residual_entropy_bytes() * 8 / case.weights
        assert bits == pytest.approx(float(case.name.removesuffix(" bit")), rel=0.2)


def test_residuals_are_whole_steps_but_where_the_sum_was_clipped(drawn):
    coarse = drawn[0]
    for name, residuals in coarse.residuals.items():
        odd = residuals % 4 != 0
        assert (np.abs(coarse.sub_kernels[name][odd]) == 127).all()


def test_the_same_seed_draws_the_same_networks(drawn):
    again = synthetic.draw(base_width=4)
    for one, other in zip(drawn, again, strict=True):
        assert integer_network.digest(one.sub) == integer_network.digest(other.sub)


@pytest.mark.parametrize("peer", peers.PEERS, ids=lambda peer: peer.name)
def test_a_peer_restores_every_delta(peer, drawn):
    if peer.package == "zipnn":
        pytest.skip("It imports torch, for seconds.")
    try:
        coder = peer.load()
    except ImportError as error:
        pytest.skip(str(error))
    for case in drawn:
        stored = coder.encode(case)
        # The base is all that it may look at.
        blind = cases.Case(name=case.name, base=case.base, sub=case.base)
        restored = coder.decode(stored, blind)
        assert restored.keys() == case.sub_kernels.keys()
        for name, kernel in case.sub_kernels.items():
            np.testing.assert_array_equal(restored[name], kernel, strict=True)


def test_a_package_that_is_not_installed_gets_a_row_that_says_so(drawn, monkeypatch):
    (bz2,) = (peer for peer in peers.PEERS if peer.name == "bz2")
    monkeypatch.setattr(peers, "PEERS", (peers.PEERS[1], bz2))
    monkeypatch.setitem(sys.modules, "bz2", None)
    row = timing.measure(drawn[0], turns=1)[-1]
    assert row == {"coder": "bz2", "note": "not installed (pip install -e .[bench])"}
    assert "bz2                not installed" in delta_codecs.table_text([row])


def test_ratios_are_those_of_the_bytes(drawn, monkeypatch):
    monkeypatch.setattr(peers, "PEERS", peers.PEERS[:2])
    case = drawn[2]
    rows = {row["coder"]: row for row in timing.measure(case, turns=2)}
    assert list(rows) == ["ours", "bank file", "raw file", "py7zr"]
    counts = [np.unique(x, return_counts=True)[1] for x in case.residuals.values()]
    entropy_bits = sum(np.sum(-c * np.log2(c / c.sum())) for c in counts)
    raw = rows["raw file"]
    assert raw["bytes"] == raw["weights"] == case.weights
    assert raw["ratio_to_int8"] == 1
    assert raw["ratio_to_entropy"] == pytest.approx(case.weights / (entropy_bits / 8))
    assert rows["py7zr"]["decode_speed_over_py7zr"] == 1
    assert rows["bank file"]["bytes"] > rows["ours"]["bytes"]


def test_a_peer_that_restores_something_else_is_out_and_ours_an_error(drawn, monkeypatch):
    forgetful = coders.Coder(lambda case: b"", lambda data, case: case.base_kernels)
    peer = peers.Peer(name="forgetful", package=None, make=lambda _: forgetful)
    monkeypatch.setattr(peers, "PEERS", (peers.PEERS[1], peer))
    row = timing.measure(drawn[0], turns=1)[-1]
    assert row.keys() == {"coder", "note"}
    assert row["note"].startswith("fails: forgetful does not restore 'conv1/kernel' of '0.6 bit'")
    monkeypatch.setattr(peers, "PEERS", (dataclasses.replace(peer, name="py7zr"),))
    with pytest.raises(ValueError, match=r"py7zr does not restore 'conv1/kernel' of '0\.6 bit'"):
        timing.measure(drawn[0], turns=1)


def test_a_slow_coder_gets_the_largest_kernel_of_a_large_delta(drawn, monkeypatch):
    slow = dataclasses.replace(peers.PEERS[0], name="slow", most_weights=100)
    monkeypatch.setattr(peers, "PEERS", (peers.PEERS[1], slow))
    row = timing.measure(drawn[0], turns=1)[-1]
    assert row["weights"] == row["bytes"] == 3 * 3 * 32 * 32
    assert row["note"] == "largest kernel only"


def test_the_bank_counts_as_a_whole_and_speed_by_its_slowest_delta():
    def table(bank_bytes, limit, *, speed):
        ratio = bank_bytes / limit
        row = {"bytes": bank_bytes, "ratio_to_entropy": ratio, "decode_speed_over_py7zr": speed}
        return [{**row, "coder": "ours"}, {**row, "coder": "bank file"}]

    results = delta_codecs.summarise(
        {"a": table(300, 200, speed=7.0), "b": table(900, 1000, speed=6.0)}
    )
    assert results["bank_over_entropy"] == pytest.approx(1200 / 1200)
    assert results["bank_over_entropy_worst"] == 1.5
    assert results["decode_speedup_over_py7zr"] == 6.0
    assert results["read_speedup_over_py7zr"] == 6.0


def test_the_deltas_of_a_run_are_those_of_its_bank(tmp_path, drawn):
    base, sub = drawn[0].base, drawn[0].sub
    for superclass in ("dog", "cat"):
        bank.write_entry(tmp_path / "bank", superclass, base=base, sub=sub)
    with pytest.raises(ValueError, match=r"has no network [0-9a-f]{16}, expected the base"):
        cases.of_run(tmp_path)
    (tmp_path / "networks" / "flat").mkdir(parents=True)
    (tmp_path / "networks" / "super").mkdir(parents=True)
    integer_network.save(sub, tmp_path / "networks" / "super" / "int8.safetensors")
    integer_network.save(base, tmp_path / "networks" / "flat" / "int8.safetensors")
    read = cases.of_run(tmp_path)
    assert [case.name for case in read] == ["cat", "dog"]
    for case in read:
        assert integer_network.digest(case.base) == integer_network.digest(base)
        assert integer_network.digest(case.sub) == integer_network.digest(sub)


def test_a_run_without_a_bank_is_refused(tmp_path):
    with pytest.raises(ValueError, match="bank has no entries, expected the bank of a trained run"):
        cases.of_run(tmp_path)
