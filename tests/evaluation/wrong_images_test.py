import numpy as np

from ss_tf.evaluation import wrong_images


def test_images_of_the_largest_cells_come_first():
    true = np.array([0, 0, 0, 1, 1, 2, 2])
    labels = {
        "a": np.array([1, 0, 0, 2, 2, 2, 2]),  # 0->1 once, 1->2 twice.
        "b": np.array([1, 1, 1, 1, 1, 2, 0]),  # 0->1 three times, 2->0 once.
    }
    # Image 0 goes by the three of b, not by the one of a.
    np.testing.assert_array_equal(
        wrong_images.largest_cells_first(labels, true), [0, 1, 2, 3, 4, 6]
    )


def test_right_systems_have_no_wrong_images():
    true = np.arange(5)
    assert not len(wrong_images.largest_cells_first({"a": true, "b": true.copy()}, true))
    assert not len(wrong_images.largest_cells_first({}, true))


def test_it_names_exactly_the_images_that_a_loop_finds():
    rng = np.random.default_rng(0)
    true = rng.integers(0, 5, 200)
    labels = {name: rng.integers(0, 5, 200) for name in "ab"}
    found = wrong_images.largest_cells_first(labels, true)
    expected = [i for i in range(200) if any(d[i] != true[i] for d in labels.values())]
    assert sorted(found.tolist()) == expected
    cell = [
        max(
            np.sum((true == true[i]) & (d == d[i])) if d[i] != true[i] else 0
            for d in labels.values()
        )
        for i in found
    ]
    assert cell == sorted(cell, reverse=True)
