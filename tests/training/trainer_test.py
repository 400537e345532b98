import numpy as np
import pytest
import tensorflow as tf
import tf_keras as keras

from ss_tf import config
from ss_tf.models import variables
from ss_tf.models.resnet import build_resnet
from ss_tf.training import checkpoint, distribution, plan
from ss_tf.training.trainer import Task, Trainer


def _model(run_config, *, num_classes=6):
    return build_resnet(
        run_config().model, num_classes=num_classes, image_size=None, channels=1, seed=3
    )


def _trainer(model, fit, *, jit_compile=False):
    devices = distribution.start(
        config.DeviceConfig(strategy="default", mixed_precision=False, jit_compile=False)
    )
    return Trainer(model, fit, devices=devices, jit_compile=jit_compile)


def _task(dataset, directory, *, network="flat", records=None):
    labels = dataset.superclass_map
    return Task(
        title=network,
        train=plan.examples_of(network, dataset.train, labels),
        minival=plan.examples_of(network, dataset.minival, labels),
        dataset=dataset,
        num_classes=plan.num_classes(network, labels),
        image_size=16,
        checkpoint_file=directory / "checkpoint.safetensors",
        origin="random weights",
        on_epoch=lambda epoch, values: (
            records.append((epoch, values)) if records is not None else 0
        ),
    )


@pytest.mark.slow
def test_training_learns_and_records_each_epoch(stripes, run_config, fit_config, tmp_path):
    records = []
    trainer = _trainer(_model(run_config), fit_config(epochs=3, mixup=0.1))
    before = trainer.top1(stripes.minival, _task(stripes, tmp_path))
    trainer.fit(_task(stripes, tmp_path, records=records))
    assert [epoch for epoch, _ in records] == [0, 1, 2]
    assert [values["images"] for _, values in records] == [96, 192, 288]
    assert records[-1][1]["loss"] < records[0][1]["loss"]
    assert records[-1][1]["minival_top1"] > before


@pytest.mark.slow
def test_training_images_may_be_smaller_than_those_of_evaluation(
    stripes, run_config, fit_config, tmp_path
):
    sizes = []
    trainer = _trainer(_model(run_config), fit_config(image_size=8))
    take_step = trainer._steps.train
    trainer._steps.train = lambda batch, rate: (
        sizes.append(batch.images.shape[1]),
        take_step(batch, rate),
    )
    records = []
    trainer.fit(_task(stripes, tmp_path, records=records))
    assert set(sizes) == {8}
    assert records[-1][1]["minival_top1"] is not None


@pytest.mark.slow
@pytest.mark.parametrize("num_steps", [12, 17])  # Of 12 an epoch: at its end, and in the second.
def test_a_stopped_phase_ends_like_an_uninterrupted_one(
    stripes, run_config, fit_config, tmp_path, num_steps
):
    fit = fit_config(epochs=2, checkpoint_minutes=0.0, augment=("translate",))
    whole = _trainer(_model(run_config), fit)
    whole_records = []
    whole.fit(_task(stripes, tmp_path / "whole", records=whole_records))

    stopped = _trainer(_model(run_config), fit)
    steps = iter(range(num_steps))
    take_step = stopped._steps.train

    def step_or_die(batch, rate):
        if next(steps, None) is None:
            raise KeyboardInterrupt
        take_step(batch, rate)

    stopped._steps.train = step_or_die
    with pytest.raises(KeyboardInterrupt):
        stopped.fit(_task(stripes, tmp_path))
    resumed = _trainer(_model(run_config), fit)
    records = []
    resumed.fit(_task(stripes, tmp_path, records=records))

    # At the end of an epoch, its record may not have been written: it is written again.
    assert [epoch for epoch, _ in records] == ([0, 1] if num_steps == 12 else [1])
    for (_, again), (_, values) in zip(reversed(records), reversed(whole_records), strict=False):
        assert again["loss"] == pytest.approx(values["loss"], rel=1e-3)
        assert again["train_top1"] == pytest.approx(values["train_top1"], abs=0.02)
    expected = variables.values_by_name(whole.model)
    for name, value in variables.values_by_name(resumed.model).items():
        np.testing.assert_allclose(value, expected[name], rtol=1e-3, atol=1e-4, err_msg=name)


@pytest.mark.slow
@pytest.mark.parametrize(("rate", "ema_decay"), [(0.0, 0.0), (0.5, 0.9)])
def test_batch_norm_follows_the_final_weights_of_a_short_phase(
    stripes, run_config, fit_config, tmp_path, rate, ema_decay
):
    """Without settling, three steps would leave its averages near their initial 0 and 1."""
    model = _model(run_config)
    fit = fit_config(batch_size=32, learning_rate=rate, ema_decay=ema_decay)
    _trainer(model, fit).fit(_task(stripes, tmp_path))
    inputs = stripes.train.images.astype(np.float32) / 127.5 - 1
    first = keras.Model(model.input, model.get_layer("conv1").output)
    outputs = first(inputs).numpy()
    average = variables.values_by_name(model)["bn1/moving_mean"]
    # 0.9 ** 40 = 1.5 % of the initial zero is left.
    np.testing.assert_allclose(average, outputs.mean((0, 1, 2)), rtol=0.05, atol=0.01)


@pytest.mark.slow
def test_padded_head_trains_as_a_narrow_one_does(stripes, run_config, fit_config, tmp_path):
    """Classes that are not in use change neither the loss nor any gradient."""
    task = _task(stripes, tmp_path, network="sub/c")
    losses = []
    for width in (2, 5):
        keras.utils.set_random_seed(0)
        model = _model(run_config, num_classes=width)
        head = model.get_layer("fc")
        head.kernel.assign(tf.zeros_like(head.kernel))
        records = []
        _trainer(model, fit_config(epochs=2)).fit(
            _task(stripes, tmp_path, network="sub/c", records=records)
        )
        losses.append([values["loss"] for _, values in records])
        np.testing.assert_array_equal(head.kernel[:, 2:], 0)
    assert task.num_classes == 2
    np.testing.assert_allclose(losses[0], losses[1], rtol=1e-3)


@pytest.mark.slow
def test_weight_decay_spares_batch_norm_and_biases(stripes, run_config, fit_config, tmp_path):
    model = _model(run_config)
    before = variables.values_by_name(model)
    fit = fit_config(learning_rate=1e-6, weight_decay=1e5, momentum=0.0, label_smoothing=0.0)
    _trainer(model, fit).fit(_task(stripes, tmp_path))
    after = variables.values_by_name(model)
    # Decay takes lr * decay = 10 % of a kernel at the first of 12 steps; gradients move 1e-6.
    assert np.abs(after["conv1/kernel"]).sum() < 0.7 * np.abs(before["conv1/kernel"]).sum()
    for name in ("bn1/gamma", "bn1/beta", "fc/bias"):
        np.testing.assert_allclose(after[name], before[name], atol=1e-3, err_msg=name)


def test_top1_counts_each_example_once(stripes, run_config, fit_config, tmp_path):
    model = _model(run_config)
    head = model.get_layer("fc")
    head.kernel.assign(tf.zeros_like(head.kernel))
    head.bias.assign([0, 0, 9, 0, 0, 0])  # Always answers label 2: one in six.
    trainer = _trainer(model, fit_config(batch_size=7))
    assert trainer.top1(stripes.minival, _task(stripes, tmp_path)) == pytest.approx(1 / 6)
    nothing = stripes.minival.select(np.array([], np.int64))
    assert trainer.top1(nothing, _task(stripes, tmp_path)) is None


def test_a_loss_that_is_not_finite_stops_the_run(stripes, run_config, fit_config, tmp_path):
    model = _model(run_config)
    model.get_layer("fc").bias.assign(np.full(6, np.nan, np.float32))
    with pytest.raises(ValueError, match=r"flat: the loss is nan in epoch 1.*Lower the learning"):
        _trainer(model, fit_config()).fit(_task(stripes, tmp_path))


def test_a_damaged_checkpoint_is_named(stripes, run_config, fit_config, tmp_path):
    task = _task(stripes, tmp_path)
    trainer = _trainer(_model(run_config), fit_config())
    checkpoint.save(
        task.checkpoint_file,
        [np.float32(1.0)],
        checkpoint.Position(0, 1, 0.0),
        origin="random weights",
    )
    with pytest.raises(
        ValueError, match=r"checkpoint\.safetensors holds 1 tensors that do not fit"
    ):
        trainer.fit(task)
