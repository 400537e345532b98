import copy
import pathlib

import numpy as np
import pytest

from ss_tf.deltas import bank, sizes_table
from ss_tf.models import integer_network


@pytest.fixture
def small_bank(make_network, tmp_path):
    """Returns base, sub network and folder of a bank with one entry, "cat"."""
    base = make_network(0, num_classes=3)
    sub = copy.deepcopy(base)
    # 81 of the second convolution's 288 weights, of which those at -127 and 127 change ends.
    kernel = sub.kernels["layer1.0.conv1/kernel"].reshape(-1)
    kernel[:81] = np.where(kernel[:81] > 0, kernel[:81] - 100, kernel[:81] + 100)
    bank.write_entry(tmp_path, "cat", base=base, sub=sub)
    return base, sub, tmp_path


def _entropy_bytes(values):
    """Computes it from relative frequencies, not from counts."""
    _, counts = np.unique(values, return_counts=True)
    shares = counts / counts.sum()
    return -values.size * float(np.sum(shares * np.log2(shares))) / 8


def test_bytes_are_those_of_the_file(small_bank):
    base, _, folder = small_bank
    row = sizes_table.table(folder, base)["superclasses"]["cat"]
    assert row["file_bytes"] == (folder / "cat.safetensors").stat().st_size
    streams = bank.load_entry(folder, "cat").pools
    assert row["streams"] == {codec: len(stream) for codec, stream in streams.items()}
    assert row["file_bytes"] == row["header_bytes"] + sum(row["streams"].values())


def test_entropy_is_summed_over_stored_tensors(small_bank):
    base, sub, folder = small_bank
    row = sizes_table.table(folder, base)["superclasses"]["cat"]
    stored = {
        "kernels/conv1/kernel": np.zeros(36, np.int8),
        "kernels/layer1.0.conv1/kernel": sub.kernels["layer1.0.conv1/kernel"]
        - base.kernels["layer1.0.conv1/kernel"],
        "kernels/fc/kernel": sub.kernels["fc/kernel"],
    } | {f"floats/{name}": tensor.reshape(-1).view(np.uint8) for name, tensor in sub.floats.items()}
    assert row["tensors"].keys() == stored.keys()
    for name, values in stored.items():
        assert row["tensors"][name]["entropy_bytes"] == pytest.approx(_entropy_bytes(values))
    total = sum(map(_entropy_bytes, stored.values()))
    assert row["entropy_bytes"] == pytest.approx(total)
    assert row["file_over_entropy"] == pytest.approx(row["file_bytes"] / total)


def test_ratios_count_weights_at_1_or_4_bytes_and_all_else_at_4(small_bank):
    base, _, folder = small_bank
    row = sizes_table.table(folder, base)["superclasses"]["cat"]
    # Kernels 3*3*1*4 + 3*3*4*8 + 8*3; scales 4 + 8 + 1; floats 4 + 3 + 1.
    weights, others = 36 + 288 + 24, 13 + 8
    assert row["int8_bytes"] == weights + 4 * others
    assert row["fp32_bytes"] == 4 * (weights + others)
    assert row["int8_ratio"] == row["file_bytes"] / row["int8_bytes"]
    assert row["fp32_ratio"] == row["file_bytes"] / row["fp32_bytes"]


def test_shares_are_of_the_weights_stored_as_residuals(small_bank):
    base, sub, folder = small_bank
    row = sizes_table.table(folder, base)["superclasses"]["cat"]
    body = [sub.kernels[name].ravel() for name in ("conv1/kernel", "layer1.0.conv1/kernel")]
    clipped = sum(int(value) in (-127, 127) for value in np.concatenate(body))
    assert row["zero_share"] == (36 + 288 - 81) / 324
    assert row["clipped_share"] == clipped / 324
    head = row["tensors"]["kernels/fc/kernel"]
    assert (head["is_residual"], head["values"]) == (False, 24)


def test_escapes_are_those_of_the_file_and_groups_follow_its_levels():
    golden = pathlib.Path(__file__).parent / "golden"
    base, sub = (integer_network.load(golden / f"{n}.safetensors") for n in ("base", "cats"))
    row = sizes_table.table(golden / "bank", base)["superclasses"]["cats"]
    name = "layer1.0.conv1/kernel"
    residuals = sub.kernels[name] - base.kernels[name]
    tensor = row["tensors"][f"kernels/{name}"]
    # Its alphabet has the zero alone, so all else is escaped.
    assert tensor["escapes"] == np.count_nonzero(residuals)
    assert tensor["zeros"] == residuals.size - tensor["escapes"]
    assert row["escape_share"] == tensor["escapes"] / (72 + 2304 + 1152 + 32)
    # The 32 channels, four to a level, from the smallest mean magnitude to the largest.
    order = np.argsort(np.abs(residuals.astype(int)).mean((0, 1, 2)), kind="stable")
    groups = [residuals[..., order[start : start + 4]] for start in range(0, 32, 4)]
    assert tensor["grouped_entropy_bytes"] == pytest.approx(sum(map(_entropy_bytes, groups)))
    assert tensor["grouped_entropy_bytes"] < tensor["entropy_bytes"]


def test_total_adds_up_the_superclasses(small_bank, make_network):
    base, _, folder = small_bank
    bank.write_entry(folder, "dog", base=base, sub=make_network(1, num_classes=7))
    measured = sizes_table.table(folder, base)
    cat, dog = (measured["superclasses"][name] for name in ("cat", "dog"))
    total = measured["total"]
    for key in ("file_bytes", "header_bytes", "int8_bytes", "fp32_bytes", "entropy_bytes"):
        assert total[key] == pytest.approx(cat[key] + dog[key])
    files = sum(path.stat().st_size for path in folder.iterdir())
    assert total["file_over_entropy"] == pytest.approx(files / total["entropy_bytes"])
    # Both have equally many residuals.
    assert total["zero_share"] == pytest.approx((cat["zero_share"] + dog["zero_share"]) / 2)
    assert "scales/fc/kernel" in dog["tensors"]


def test_a_bank_that_cannot_be_measured_is_named(small_bank, make_network):
    base, sub, folder = small_bank
    with pytest.raises(ValueError, match=r"nowhere holds no entry"):
        sizes_table.table(folder / "nowhere", base)
    with pytest.raises(ValueError, match=r"cat.safetensors .* belongs to the base"):
        sizes_table.table(folder, sub)
