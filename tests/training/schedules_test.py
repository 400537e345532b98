import numpy as np
import pytest

from ss_tf.training import schedules


def _rates(total_steps, warmup_steps):
    return [
        schedules.warmup_cosine(step, peak=0.4, warmup_steps=warmup_steps, total_steps=total_steps)
        for step in range(total_steps)
    ]


def test_warm_up_is_linear_and_ends_at_the_peak():
    np.testing.assert_allclose(_rates(100, 4)[:4], [0.1, 0.2, 0.3, 0.4])


def test_decay_is_half_a_cosine_over_what_is_left():
    rates = _rates(104, 4)
    assert rates[4] == pytest.approx(0.4)
    assert rates[54] == pytest.approx(0.2)  # Half way of the 100 steps after the warm-up.
    assert rates[29] == pytest.approx(0.2 * (1 + np.sqrt(0.5)))  # cos(45 degrees).


@pytest.mark.parametrize("warmup_steps", [0, 0.5, 7, 20])
def test_every_step_of_a_short_run_learns(warmup_steps):
    rates = _rates(20, warmup_steps)
    assert min(rates) > 0
    assert max(rates) <= 0.4
