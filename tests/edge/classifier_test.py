import threading

import numpy as np
import pytest

from ss_tf.edge.classifier import EdgeClassifier
from ss_tf.routing.policy import RoutingPolicy


def _softmax(logits):
    exponentials = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return exponentials / exponentials.sum(axis=-1, keepdims=True)


def _expected(tiny, images, *, temperatures=None, top_k=1):
    """Returns label and joint probability of each image, by plain numpy."""
    labels_map = tiny.about.superclass_map
    of_superclass = _softmax(tiny.logits("", images)[:, :3])
    scores = np.zeros((len(images), labels_map.num_labels))
    for image, row in enumerate(of_superclass):
        for superclass in np.argsort(-row)[:top_k]:
            name = labels_map.superclass_names[superclass]
            members = list(labels_map.labels_in(superclass))
            within = np.ones(1)
            if len(members) > 1:
                logits = tiny.logits(name, images[image : image + 1])[0, : len(members)]
                within = _softmax(logits / (temperatures or {}).get(name, 1.0))
            scores[image, members] = row[superclass] * within
    return scores.argmax(axis=1), scores.max(axis=1)


def test_hard_routing_is_that_of_numpy(make_bundle, images):
    tiny = make_bundle()
    answers = EdgeClassifier(tiny.path).classify_many(images)
    labels, probabilities = _expected(tiny, images)
    assert [answer.label for answer in answers] == labels.tolist()
    np.testing.assert_allclose([a.probability for a in answers], probabilities, rtol=1e-5)
    labels_map = tiny.about.superclass_map
    assert {answer.superclass for answer in answers} == {0, 1, 2}
    for answer in answers:
        assert answer.label_name == labels_map.label_names[answer.label]
        assert answer.opened == (answer.superclass_name,)


def test_soft_routing_is_that_of_numpy(make_bundle, images):
    temperatures = {"bird": 2.0, "fish": 0.5}
    tiny = make_bundle(policy=RoutingPolicy(top_k=2, temperatures=temperatures))
    answers = EdgeClassifier(tiny.path).classify_many(images)
    labels, probabilities = _expected(tiny, images, temperatures=temperatures, top_k=2)
    assert [answer.label for answer in answers] == labels.tolist()
    np.testing.assert_allclose([a.probability for a in answers], probabilities, rtol=1e-5)
    assert all(len(answer.opened) == 2 for answer in answers)


def test_abstaining_answer_is_the_superclass(make_bundle, images):
    tiny = make_bundle(policy=RoutingPolicy(abstain_below=1.0))
    answer = EdgeClassifier(tiny.path).classify(images[0])
    assert (answer.label, answer.label_name) == (-1, "")
    assert answer.probability == answer.superclass_probability < 1


@pytest.mark.parametrize("networks", [None, 0, 1, 2])
def test_answers_do_not_depend_on_the_cache(make_bundle, images, networks):
    tiny = make_bundle()
    size = tiny.about.base.num_bytes
    cache_bytes = None if networks is None else networks * size
    classifier = EdgeClassifier(tiny.path, cache_bytes=cache_bytes)
    together = classifier.classify_many(images)
    assert [classifier.classify(image) for image in images] == together
    # Without room, the last image may have asked the base alone.
    assert len(classifier.loaded) in {0: (0, 1), 2: (2,)}.get(networks, (1,))


def test_threads_get_the_answers_of_one(make_bundle, images):
    tiny = make_bundle()
    classifier = EdgeClassifier(tiny.path, num_threads=2)
    expected = classifier.classify_many(images)
    found = [None] * 6

    def run(number):
        found[number] = [classifier.classify(image) for image in images]

    threads = [threading.Thread(target=run, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [expected] * 6


@pytest.mark.parametrize("cache_bytes", [None, 0])
def test_a_failed_switch_leaves_the_rest_at_work(make_bundle, images, cache_bytes):
    tiny = make_bundle()
    classifier = EdgeClassifier(tiny.path, cache_bytes=cache_bytes)
    answers = classifier.classify_many(images)
    path = tiny.path / "deltas" / "fish.delta"
    delta = path.read_bytes()
    path.write_bytes(delta[:-1] + bytes([delta[-1] ^ 1]))
    classifier = EdgeClassifier(tiny.path, cache_bytes=cache_bytes)
    for image, answer in zip(images, answers, strict=True):
        if answer.superclass_name == "fish":
            with pytest.raises(ValueError, match=r"fish\.delta is damaged"):
                classifier.classify(image)
            ((name, probability),) = classifier.classify_superclass([image])
            assert (name, round(probability, 6)) == (
                "fish",
                round(answer.superclass_probability, 6),
            )
        else:
            assert classifier.classify(image) == answer
    path.unlink()
    with pytest.raises(ValueError, match=r"fish\.delta is missing"):
        classifier.classify_many(images)
    path.write_bytes(delta)
    assert classifier.classify_many(images) == answers


def test_images_that_are_not_normalised_to_the_size_are_refused(make_bundle):
    classifier = EdgeClassifier(make_bundle().path)
    for inputs, got in (
        (np.zeros((1, 4, 4, 1), np.float32), r"float32 \[1, 4, 4, 1\]"),
        (np.zeros((3, 3, 1), np.float32), r"float32 \[3, 3, 1\]"),
        (np.zeros((1, 3, 3, 1), np.uint8), r"uint8 \[1, 3, 3, 1\]"),
        ([[1.0]], "list"),
    ):
        with pytest.raises(ValueError, match=rf"images are {got}, expected float32 \[n, 3, 3, 1\]"):
            classifier.route(inputs)
    assert classifier.route(np.zeros((2, 3, 3, 1), np.float32)).label.shape == (2,)


def test_bad_arguments_are_named(make_bundle, images):
    tiny = make_bundle()
    with pytest.raises(ValueError, match="accelerator is 'tpu', expected cpu or gpu or gpu_or_cpu"):
        EdgeClassifier(tiny.path, accelerator="tpu")
    assert EdgeClassifier(tiny.path).accelerator == "cpu"
    for num_threads in (0, 1025, 2.0, True, "2"):
        with pytest.raises(ValueError, match=rf"num_threads is {num_threads!r}, .* 1 to 1024"):
            EdgeClassifier(tiny.path, num_threads=num_threads)
    for cache_bytes in (-1, float("nan"), "x", True):
        with pytest.raises(ValueError, match=f"cache_bytes is {cache_bytes!r}, .* or 0 or more"):
            EdgeClassifier(tiny.path, cache_bytes=cache_bytes)
    with pytest.raises(ValueError, match=r"Image 0 is uint8 \[3, 3, 3\], expected .* 1\]"):
        EdgeClassifier(tiny.path).classify(np.zeros((3, 3, 3), np.uint8))
    assert EdgeClassifier(tiny.path).classify_many([]) == []
