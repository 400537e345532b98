from PIL import Image

from ss_tf.edge import command
from ss_tf.edge.classifier import EdgeClassifier
from ss_tf.routing.policy import RoutingPolicy


def _files(images, folder):
    paths = []
    for number, image in enumerate(images):
        paths.append(str(folder / f"{number}.png"))
        Image.fromarray(image[..., 0]).save(paths[-1])
    return paths


def test_each_image_is_a_line(make_bundle, images, tmp_path, capsys):
    tiny = make_bundle()
    paths = _files(images[:5], tmp_path)
    assert command.main([str(tiny.path), *paths, "--num_threads=2", "--cache_mb=1"]) == 0
    lines = capsys.readouterr().out.splitlines()
    answers = EdgeClassifier(tiny.path).classify_many(images[:5])
    for line, path, answer in zip(lines, paths, answers, strict=True):
        percent = f"{100 * answer.probability:.1f} %"
        assert line == f"{path}: {answer.label_name} ({answer.superclass_name}) {percent}"


def test_unreadable_images_are_told_and_others_answered(make_bundle, images, tmp_path, capsys):
    tiny = make_bundle(policy=RoutingPolicy(abstain_below=1.0))
    (path,) = _files(images[:1], tmp_path)
    assert command.main([str(tiny.path), "missing.png", path]) == 1
    printed = capsys.readouterr()
    assert printed.err == "ss_tf.edge: error: missing.png: No such file or directory\n"
    assert len(printed.out.splitlines()) == 1


def test_what_is_no_bundle_is_one_line(tmp_path, capsys):
    assert command.main([str(tmp_path), "a.png"]) == 1
    assert "is no edge bundle" in capsys.readouterr().err
