import numpy as np
import pytest

from ss_tf.routing.probabilities import softmax
from ss_tf.routing.temperature import best_temperature


def _drawn(temperature, *, n=4000, seed=0):
    """Logits, and subclasses drawn with the probabilities softmax(logits / temperature)."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(size=(n, 5)) * 3
    below = softmax(logits / temperature).cumsum(axis=1) < rng.uniform(size=(n, 1))
    return logits.astype(np.float32), np.minimum(below.sum(axis=1), 4)


@pytest.mark.parametrize("temperature", [0.4, 1.0, 1.7, 3.0])
def test_the_temperature_of_drawn_labels_is_found(temperature):
    assert best_temperature(*_drawn(temperature)) == pytest.approx(temperature, rel=0.07)


def test_no_temperature_of_a_grid_is_likelier():
    logits, subclasses = _drawn(1.3, n=50)
    found = best_temperature(logits, subclasses)

    def loss(temperature):
        rows = softmax(logits.astype(np.float64) / temperature)
        return -np.mean(np.log(rows[np.arange(len(rows)), subclasses]))

    assert loss(found) <= min(loss(t) for t in np.geomspace(0.25, 4, 200)) + 1e-9


def test_the_search_ends_at_its_bounds():
    logits = np.eye(3, dtype=np.float32)
    # All right: the surer the better; all wrong: the less sure the better.
    assert best_temperature(logits, np.arange(3)) == pytest.approx(0.25, rel=1e-4)
    assert best_temperature(logits, np.array([1, 2, 0])) == pytest.approx(4, rel=1e-4)


def test_logits_that_say_nothing_are_left_alone():
    assert best_temperature(np.zeros((30, 3), np.float32), np.zeros(30, int)) == 1


def test_large_logits_stay_finite():
    logits = np.array([[1e38, 0], [0, -1e38], [3e38, -3e38]], np.float32)
    assert best_temperature(logits, np.array([0, 0, 0])) == 1
