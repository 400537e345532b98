"""Trains the networks of a run: flat, super and sub.

python train.py                                 the super network, on the bundled data set
python train.py --stage=all                     all networks, then the deltas
python train.py --stage=sub --superclass=latin,thai
python train.py --dataset=folder --data_dir=PHOTOS --image_size=128 --stem=imagenet --stage=all

A run that was stopped continues: give the same --run_dir again.
"""

from absl import flags

from ss_tf import command_line, flag_defs
from ss_tf.training.run_dir import RunDir

flags.adopt_module_key_flags(flag_defs)


def main(argv: list[str]) -> None:
    """Trains what --stage asks for."""
    if len(argv) > 1:
        raise ValueError(f"unexpected argument {argv[1]!r}, expected --flags only (--helpshort).")
    run = RunDir(flag_defs.run_dir())
    flag_defs.adopt_run_flags(run.flags_file)
    flag_defs.check_networks_from()
    config = flag_defs.run_config()

    from ss_tf.training import stages  # After the flags: --help need not wait for TensorFlow.

    stages.train(
        config,
        run,
        stage=flag_defs.stage(),
        superclasses=flag_defs.superclasses(),
        flagfile=flag_defs.run_flagfile(),
    )


if __name__ == "__main__":
    command_line.run(main)
