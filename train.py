"""Trains the networks of a run: flat, super and sub.

python train.py                                 the super network, on the bundled data set
python train.py --stage=all                     all networks, then the deltas
python train.py --stage=sub --superclass=latin,thai
python train.py --dataset=folder --data_dir=PHOTOS --image_size=128 --stem=imagenet --stage=all

A run that was stopped continues: give the same --run_dir again.
"""

from ss_tf import command_line, flag_defs, run_flags
from ss_tf.training.run_dir import RunDir

command_line.show_flags_of(flag_defs)


def main(argv: list[str]) -> None:
    """Trains what --stage asks for."""
    command_line.refuse_arguments(argv)
    run = RunDir(run_flags.run_dir())
    run_flags.adopt_run_flags(run.flags_file)
    run_flags.check_networks_from()
    config = run_flags.run_config()

    from ss_tf.training import stages  # After the flags: --help need not wait for TensorFlow.

    stages.train(
        config,
        run,
        stage=run_flags.stage(),
        superclasses=run_flags.superclasses(),
        flagfile=run_flags.run_flagfile(),
    )


if __name__ == "__main__":
    command_line.run(main)
