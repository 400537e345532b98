"""Tests of the builder, on archives of ImageNet's form with few and tiny images."""

import collections
import io
import json
import pathlib
import runpy
import shutil
import subprocess
import sys
import tarfile
from unittest import mock

import numpy as np
import pytest
import tensorflow_datasets as tfds
from PIL import Image

from ss_tf.hierarchy import groupings
from tfds_superclass.superclass_imagenet import archives
from tfds_superclass.superclass_imagenet import superclass_imagenet_dataset_builder as imagenet

_FOLDER = pathlib.Path(imagenet.__file__).parent
_DUMMY = _FOLDER / "dummy_data"
_ROOT = _FOLDER.parents[1]
# Elephants and bicycles: the classes of the dummy archives.
_ROOTS = ("n02503517", "n02834778")
_TWO_GROUPS = imagenet.GroupingConfig(name="two_groups", roots=_ROOTS)


class SuperclassImagenetTest(tfds.testing.DatasetBuilderTestCase):
    """TFDS's own checks."""

    DATASET_CLASS = imagenet.Builder
    BUILDER_CONFIG_NAMES_TO_TEST = [_TWO_GROUPS]
    SPLITS = {
        **{"train": 8, "train_elephant": 4, "train_bicycle": 4},
        **{"validation": 4, "validation_elephant": 2, "validation_bicycle": 2},
    }
    OVERLAPPING_SPLITS = ["train", "validation"]
    SKIP_TF1_GRAPH_MODE = True


def _config(manual_dir, **kwargs):
    return tfds.download.DownloadConfig(manual_dir=manual_dir, **kwargs)


def _build(data_dir, *, manual_dir=_DUMMY, **kwargs):
    """Builds the data set of two groups, or what `kwargs` say."""
    builder = imagenet.Builder(data_dir=data_dir, config=_TWO_GROUPS)
    builder.download_and_prepare(download_config=_config(manual_dir, **kwargs))
    return builder


def _read(builder, split):
    """Returns the examples of a split, images as their encoded bytes."""
    decoders = {"image": tfds.decode.SkipDecoding()}
    return list(tfds.as_numpy(builder.as_dataset(split=split, decoders=decoders)))


def _unpack(data):
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        return {member.name: archive.extractfile(member).read() for member in archive}


@pytest.fixture(scope="module", name="archive_dir")
def _archive_dir(tmp_path_factory):
    directory = tmp_path_factory.mktemp("archives")
    fake_imagenet = runpy.run_path(str(_ROOT / "tools" / "fake_imagenet.py"))
    fake_imagenet["write"](directory, images_per_class=2, side=16)
    return directory


@pytest.fixture(scope="module", name="built")
def _built(archive_dir, tmp_path_factory):
    """Returns the default data set, and the warnings while it was built."""
    builder = imagenet.Builder(data_dir=tmp_path_factory.mktemp("tfds"))
    with mock.patch.object(imagenet.logging, "warning") as warning:
        builder.download_and_prepare(download_config=_config(archive_dir))
    return builder, [call.args[0] for call in warning.call_args_list]


@pytest.fixture(name="builder")
def _builder(built):
    return built[0]


def test_numbers_of_subclasses_are_those_of_the_papers_table(builder):
    """DESIGN: bird, boat, car, cat, dog, fruit, fungus, insect, monkey, truck."""
    counts = collections.Counter()
    seen = {example["label"]: example["superclass"] for example in _read(builder, "validation")}
    for label in sorted(seen):
        counts[builder.info.features["superclass"].int2str(seen[label])] += 1
    assert list(counts.values()) == [52, 6, 10, 8, 116, 7, 7, 27, 13, 7]
    assert list(counts) == list(imagenet.table_1.IMAGES)


def test_every_image_of_the_classes_is_there_once_with_its_labels(builder, archive_dir):
    wnids = builder.info.features["label"].names
    by_number = tfds.core.tfds_path(archives.VALIDATION_LABELS).read_text().split()
    outer = _unpack((archive_dir / archives.TRAIN_TAR).read_bytes())
    expected = {
        "train": {name: wnid for wnid in wnids for name in _unpack(outer[f"{wnid}.tar"])},
        "validation": {
            name: by_number[int(name[15:23]) - 1]
            for name in _unpack((archive_dir / archives.VALIDATION_TAR).read_bytes())
            if by_number[int(name[15:23]) - 1] in wnids
        },
    }
    groups = list(groupings.by_name("superclassing").groups.values())
    for part, names in expected.items():
        examples = _read(builder, part)
        found = {example["file_name"].decode(): wnids[example["label"]] for example in examples}
        assert found == names
        assert len(examples) == len(names)
        for example in examples:
            group = groups[example["superclass"]]
            assert group[example["subclass"]] == wnids[example["label"]]
    assert len(expected["train"]) == 2 * 253
    assert len(expected["validation"]) == 253


def test_original_bytes_are_kept_but_for_known_defects(builder, archive_dir):
    outer = _unpack((archive_dir / archives.TRAIN_TAR).read_bytes())
    originals = {n: data for inner in outer.values() for n, data in _unpack(inner).items()}
    mended = {}
    for example in _read(builder, "train"):
        name = example["file_name"].decode()
        if example["image"] != originals[name]:
            mended[name] = example["image"]
    # Of ImageNet's 22 CMYK images, two are in these classes.
    assert set(mended) == {
        "n02492035_15739.JPEG",
        "n13037406_4650.JPEG",
        "n02105855_2933.JPEG",
    }
    for name, data in mended.items():
        image, original = Image.open(io.BytesIO(data)), Image.open(io.BytesIO(originals[name]))
        assert (image.format, image.mode) == ("JPEG", "RGB")
        assert (original.format, original.mode) in [("JPEG", "CMYK"), ("PNG", "RGB")]
        difference = np.float32(image) - np.float32(original.convert("RGB"))
        # Encoded once more; inverted, as CMYK files often come out, it would be over 100.
        assert np.abs(difference).mean() < 20


def test_whole_is_the_union_of_its_superclasses(builder):
    whole = [example["file_name"] for example in _read(builder, "validation")]
    parts = [
        example["file_name"]
        for superclass in builder.info.features["superclass"].names
        for example in _read(builder, f"validation_{superclass}")
    ]
    assert sorted(parts) == sorted(whole)
    assert builder.info.splits["validation"].num_examples == len(set(whole)) == 253


def test_splits_are_sliced_and_added_as_any(builder):
    splits = builder.info.splits
    for split, count in {
        "train[:10]": 10,
        "train[10:]": 496,
        "train+validation": 759,
        "train_dog[50%:]": 116,
        "train_cat+validation_cat": 24,
    }.items():
        assert splits[split].num_examples == count
        assert len(_read(builder, split)) == count
    assert len(builder.as_dataset()) == len(splits) == 22


def test_reading_a_superclass_opens_only_its_files(builder, tmp_path):
    copy = tmp_path / "copy"
    shutil.copytree(builder.data_dir, copy)
    kept = {
        pathlib.Path(part.filename).name
        for part in builder.info.splits["train_boat"].file_instructions
    }
    for path in copy.glob("*.tfrecord*"):
        if path.name not in kept:
            path.unlink()
    alone = tfds.builder_from_directory(copy)
    assert len(_read(alone, "train_boat")) == 12
    with pytest.raises(Exception, match="No such file"):
        _read(alone, "train_car")


def test_data_set_is_read_without_this_code(builder):
    generic = tfds.builder_from_directory(builder.data_dir)
    assert type(generic) is not imagenet.Builder
    for split in ("train", "train_truck", "validation[:5]"):
        assert _read(generic, split) == _read(builder, split)
    assert generic.info.metadata["grouping"] == "superclassing"


def test_data_set_is_loaded_by_name_without_the_archives(builder):
    dataset, info = tfds.load(
        "superclass_imagenet", split="train", data_dir=builder.data_dir_root, with_info=True
    )
    assert len(dataset) == 506
    assert info.metadata["label_names"]["n02099601"] == "golden retriever"
    assert info.metadata["roots"]["dog"] == "n02084071"
    assert list(info.metadata["label_names"]) == info.features["label"].names
    image = next(iter(dataset))["image"]
    assert image.shape[0] == 16
    assert image.shape[2] == 3


def test_each_superclass_that_differs_from_the_papers_table_is_warned_of(built):
    _, warnings = built
    assert len(warnings) == 10
    for superclass, warning in zip(imagenet.table_1.IMAGES, warnings, strict=True):
        assert f"Superclass {superclass!r} has" in warning
    assert "has 232 training and 116 validation images, expected 145,273 and 5,800" in warnings[4]


def test_grouping_by_roots_is_read_again_without_the_roots(tmp_path):
    built = _build(tmp_path)
    reread = tfds.builder("superclass_imagenet/two_groups", data_dir=tmp_path)
    assert _read(reread, "train") == _read(built, "train")
    assert reread.info.metadata["grouping"] == "two_groups"
    assert reread.info.metadata["roots"]["elephant"] == "n02503517"


def test_other_roots_under_a_built_name_are_refused(tmp_path):
    _build(tmp_path)
    _build(tmp_path)  # The same ones are reused.
    other = imagenet.GroupingConfig(name="two_groups", roots=_ROOTS[::-1])
    with pytest.raises(ValueError, match=r"has 4 classes of .*, got 4 classes of .*give"):
        imagenet.Builder(data_dir=tmp_path, config=other)


def test_roots_without_a_name_get_one_of_their_own():
    config = imagenet.GroupingConfig(roots=list(_ROOTS))
    assert config.name == groupings.from_roots(_ROOTS).name
    assert config.name != imagenet.GroupingConfig(roots=_ROOTS[::-1]).name


@pytest.mark.parametrize("name", groupings.NAMES)
def test_groupings_with_a_name_are_found_by_it(name, tmp_path):
    builder = tfds.builder(f"superclass_imagenet/{name}", data_dir=tmp_path)
    groups = groupings.by_name(name).groups
    assert builder.info.features["superclass"].names == list(groups)
    assert builder.info.features["label"].num_classes == sum(map(len, groups.values()))
    # Only the default is built by a plain `tfds build`.
    assert [config.name for config in imagenet.Builder.BUILDER_CONFIGS] == ["superclassing"]


def test_json_with_a_name_alone_is_that_grouping(tmp_path):
    config = imagenet.Builder.builder_config_cls(**json.loads('{"name": "living_9"}'))
    builder = imagenet.Builder(data_dir=tmp_path, config=config)
    assert builder.builder_config is imagenet.Builder(config="living_9").builder_config


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"name": "livng_9"}, "Unknown grouping 'livng_9', expected one of superclassing, "),
        ({}, "Unknown grouping ''"),
        ({"name": "pets", "roots": "n02084071"}, "Got 'n02084071' for roots, expected a list"),
        ({"name": "living_9", "roots": _ROOTS}, "Got 'living_9' as the name of a grouping"),
        ({"name": "../x", "roots": _ROOTS}, r"Got '\.\./x' as the name of a grouping"),
        ({"roots": ["n02084071", "n02085374"]}, "dog"),
    ],
)
def test_settings_that_make_no_grouping_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        imagenet.GroupingConfig(**settings)


def test_an_unknown_name_is_answered_with_the_known_ones():
    with pytest.raises(ValueError, match="Unknown grouping 'nine', expected one of superclassing"):
        imagenet.Builder(config="nine")


def _truncate(folder):
    path = folder / archives.TRAIN_TAR
    path.write_bytes(path.read_bytes()[:40_000])


def _spoil_last_class(folder):
    """Damages what is read last, when most of the data set is written."""
    path = folder / archives.VALIDATION_TAR
    with tarfile.open(path) as archive:
        start = {member.name: member.offset_data for member in archive}
    data = bytearray(path.read_bytes())
    for offset in start.values():
        data[offset : offset + 2] = b"xx"
    path.write_bytes(data)


@pytest.mark.parametrize("harm", [_truncate, _spoil_last_class])
def test_a_build_that_fails_leaves_no_data_set(tmp_path, harm):
    manual_dir = tmp_path / "archives"
    shutil.copytree(_DUMMY, manual_dir)
    harm(manual_dir)
    with pytest.raises(ValueError, match="ILSVRC2012_img_"):
        _build(tmp_path / "tfds", manual_dir=manual_dir)
    assert list((tmp_path / "tfds" / "superclass_imagenet").rglob("*.0*")) == []
    with pytest.raises(AssertionError, match="could not find data"):
        imagenet.Builder(data_dir=tmp_path / "tfds", config=_TWO_GROUPS).as_dataset()
    assert _build(tmp_path / "tfds").info.splits["train"].num_examples == 8


def test_an_interrupted_build_leaves_no_data_set(tmp_path):
    def interrupt(extents):
        yield next(read_images(extents))
        raise KeyboardInterrupt

    read_images = archives.read_images
    with (
        mock.patch.object(imagenet.archives, "read_images", interrupt),
        pytest.raises(KeyboardInterrupt),
    ):
        _build(tmp_path)
    assert list((tmp_path / "superclass_imagenet").rglob("*.0*")) == []


def test_without_a_manual_dir_the_message_says_what_to_download(tmp_path):
    with pytest.raises(AssertionError, match=r"(?s)does not exist.*ILSVRC2012_img_train\.tar  147"):
        _build(tmp_path, manual_dir=tmp_path / "nowhere")


def test_a_build_of_some_examples_is_not_compared_with_the_paper(tmp_path, archive_dir):
    builder = imagenet.Builder(data_dir=tmp_path)
    with mock.patch.object(imagenet.table_1, "differences") as compare:
        builder.download_and_prepare(download_config=_config(archive_dir, max_examples_per_split=1))
    assert builder.info.splits["train"].num_examples == 10
    compare.assert_not_called()


def test_building_needs_no_beam(tmp_path):
    with mock.patch.dict(sys.modules, {"apache_beam": None}):
        assert _build(tmp_path).info.splits["train"].num_examples == 8


@pytest.mark.slow
def test_beam_makes_the_same_examples(tmp_path):
    """Also where the files are many: order goes on from file to file."""
    from apache_beam.options import pipeline_options

    sequential = _build(tmp_path / "sequential", num_shards=2)
    options = pipeline_options.PipelineOptions(flags=[])
    parallel = _build(tmp_path / "parallel", num_shards=2, beam_options=options)
    assert list(parallel.info.splits) == list(sequential.info.splits)
    for split in sequential.info.splits:
        assert _read(parallel, split) == _read(sequential, split)


@pytest.mark.slow
def test_command_line_builds_from_this_folder(tmp_path):
    config = json.dumps({"name": "two_groups", "roots": _ROOTS})
    result = subprocess.run(
        [
            pathlib.Path(sys.executable).with_name("tfds"),
            "build",
            "superclass_imagenet",
            f"--config={config}",
            f"--manual_dir={_DUMMY}",
            f"--data_dir={tmp_path}",
        ],
        cwd=_FOLDER.parent,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr[-2000:]
    built = tfds.builder("superclass_imagenet/two_groups", data_dir=tmp_path)
    assert built.info.splits["train"].num_examples == 8


if __name__ == "__main__":
    tfds.testing.test_main()
