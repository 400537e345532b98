"""Tests of the builder and of the data file that is shipped with it."""

import collections
import csv
import hashlib
import pathlib
import re
import shutil
from unittest import mock

import numpy as np
import pytest
import tensorflow_datasets as tfds

from tfds_superclass.superclass_typefaces import superclass_typefaces_dataset_builder as typefaces

_FOLDER = pathlib.Path(typefaces.__file__).parent
_DUMMY = _FOLDER / "dummy_data"

# Table 1 of arXiv 2201.08098 has these numbers of subclasses, for other superclasses.
_TYPEFACES = {
    "arabic": 8,
    "devanagari": 10,
    "digits": 7,
    "georgian": 7,
    "han": 52,
    "hebrew": 13,
    "hiragana": 7,
    "katakana": 6,
    "latin": 116,
    "thai": 27,
}

# Prepared data sets are found by version alone, so a version stands for one data file.
_DIGESTS = {"1.0.0": "8cda41782f54beac919d21bf4063f2015013b2b51dac4128409ebcc66e26b8db"}

# All let anyone use the font, draw with it and pass on the drawings.
_FREE_LICENCES = {
    *("AGPL-3.0-only", "GPL-2.0-only", "GPL-2.0-or-later", "GPL-3.0-or-later"),
    *("LGPL-2.0-only", "LGPL-2.0-or-later", "EPL-2.0"),
    *("Font-exception-2.0", "PS-or-PDF-font-exception-20170817"),
    *("OFL-1.0", "OFL-1.1", "IPA", "Arphic-1999", "Baekmuk", "mplus"),
    *("Bitstream-Charter", "Bitstream-Vera", "Apache-2.0", "BSD-3-Clause", "MIT"),
    *("CC-BY-3.0", "CC-BY-SA-3.0", "CC-BY-SA-4.0", "OGDL-Taiwan-1.0"),
    *("LicenseRef-GUST-Font-License", "LicenseRef-Hanazono", "LicenseRef-Liberation"),
    *("LicenseRef-Oradano", "LicenseRef-ParaType-Free-Font", "LicenseRef-Poonlap"),
    *("LicenseRef-Public-Domain", "LicenseRef-Sazanami"),
}


class SuperclassTypefacesTest(tfds.testing.DatasetBuilderTestCase):
    """TFDS's own checks, on the small copy in dummy_data."""

    DATASET_CLASS = typefaces.Builder
    SPLITS = {"train": 253 * 2, "validation": 253}
    # The second pass, in TF1 graph mode, checks nothing that this builder has.
    SKIP_TF1_GRAPH_MODE = True

    def setUp(self):
        super().setUp()
        patch = mock.patch.object(typefaces.Builder, "DATA_FOLDER", _DUMMY)
        patch.start()
        self.addCleanup(patch.stop)


@pytest.fixture(scope="module", name="images")
def _images():
    return typefaces.read_images(_FOLDER)


@pytest.fixture(scope="module", name="manifest")
def _manifest():
    with open(_FOLDER / "manifest.tsv", newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file, delimiter="\t"))


@pytest.fixture(scope="module", name="builder")
def _builder(tmp_path_factory):
    return typefaces.Builder(data_dir=tmp_path_factory.mktemp("tfds"))


def test_scripts_have_as_many_typefaces_as_the_papers_table(builder):
    names = builder.info.features["label"].names
    counts = collections.Counter(name.partition("/")[0] for name in names)
    assert dict(counts) == _TYPEFACES
    assert builder.info.features["superclass"].names == list(_TYPEFACES)


def test_labels_are_grouped_by_superclass_and_unique(builder):
    names = builder.info.features["label"].names
    assert names == sorted(names)
    assert len(set(names)) == 253


def test_every_typeface_has_its_share_of_both_splits(images):
    assert images["train"].shape == (253, 110, 32, 32)
    assert images["validation"].shape == (253, 50, 32, 32)


def test_no_image_occurs_twice_within_or_across_splits(images):
    pictures = np.concatenate([split.reshape(-1, 32 * 32) for split in images.values()])
    digests = {hashlib.sha256(picture.tobytes()).digest() for picture in pictures}
    assert len(digests) == len(pictures) == 253 * 160


def test_every_image_has_ink_and_sixteen_levels(images):
    for split in images.values():
        assert split.dtype == np.uint8
        assert split.max(axis=(2, 3)).min() >= 102
        assert not np.any(split % 17)


def test_manifest_lists_the_labels_in_order(manifest, builder):
    assert [row["label"] for row in manifest] == builder.info.features["label"].names
    assert all(row["label"].startswith(row["superclass"] + "/") for row in manifest)


def test_no_family_and_no_font_file_serves_two_typefaces(manifest):
    for columns in (("family",), ("file", "face_index")):
        keys = [tuple(row[column] for column in columns) for row in manifest]
        assert [key for key, count in collections.Counter(keys).items() if count > 1] == []


def test_every_typeface_has_a_package_version_and_licence(manifest):
    assert [row for row in manifest if not all(row.values())] == []


def test_every_licence_is_a_known_free_one(manifest):
    names = {
        name
        for row in manifest
        for name in re.split(r" AND | OR | WITH |[()]", row["licence"])
        if name
    }
    assert names == _FREE_LICENCES


def test_info_says_where_the_licences_are(builder):
    assert "manifest.tsv" in builder.info.redistribution_info.license


def test_another_data_file_needs_another_version():
    digest = (_FOLDER / "sha256.txt").read_text(encoding="utf-8").split()[0]
    assert digest == _DIGESTS[str(typefaces.Builder.VERSION)]
    assert set(_DIGESTS) == set(typefaces.Builder.RELEASE_NOTES)


def test_shipped_file_is_small_enough_for_a_package():
    assert (_FOLDER / "typefaces.npz").stat().st_size <= 12_000_000


def test_a_changed_data_file_is_refused(tmp_path):
    for file in _DUMMY.iterdir():
        shutil.copy(file, tmp_path)
    data = bytearray((tmp_path / "typefaces.npz").read_bytes())
    data[1000] ^= 1
    (tmp_path / "typefaces.npz").write_bytes(data)
    with pytest.raises(ValueError, match=r"typefaces\.npz: got SHA-256 [0-9a-f]{64}, expected "):
        typefaces.read_images(tmp_path)


def test_unpack_puts_the_high_half_of_a_byte_left():
    packed = np.array([[0x0F, 0xA1]], np.uint8)
    np.testing.assert_array_equal(typefaces.unpack(packed), [[0, 255, 170, 17]])


def test_subclass_counts_within_the_superclass(builder, images):
    few = images["train"][:, :1]
    examples = [example for _, example in builder._generate_examples("train", few)]
    names = builder.info.features["label"].names
    for example in examples:
        members = [name for name in names if name.startswith(example["superclass"] + "/")]
        assert members[example["subclass"]] == names[example["label"]]
    assert examples[0]["file_name"] == f"{names[0]}/train_000"


if __name__ == "__main__":
    tfds.testing.test_main()
