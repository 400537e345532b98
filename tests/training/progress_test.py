import pytest

from ss_tf.training.progress import Progress


def _progress(fit, *, is_shown=True, done_steps=2):
    return Progress("flat", fit, num_steps=4, done_steps=done_steps, is_shown=is_shown)


def test_the_line_counts_images_and_tells_the_epoch(fit_config, capsys):
    with _progress(fit_config(epochs=2)) as progress:
        progress.advance()
        progress.show(epoch=1, loss=0.5, top1=0.25)
    line = capsys.readouterr().err
    assert "24/32" in line  # Three steps of 8 images, of four.
    assert "epoch 2/2, loss 0.500, top-1 25.0 %" in line


def test_other_workers_than_the_chief_show_nothing(fit_config, capsys):
    with _progress(fit_config(), is_shown=False) as progress:
        assert not progress.advance()
        progress.show(epoch=0, loss=0.5, top1=0.25)
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("loss", [float("nan"), float("inf")])
def test_a_loss_that_is_not_finite_stops_the_run(fit_config, loss):
    with (
        pytest.raises(ValueError, match=r"flat: the loss is \w+ in epoch 1.*Lower the learning"),
        _progress(fit_config(), is_shown=False) as progress,
    ):
        progress.show(epoch=0, loss=loss, top1=0.0)
