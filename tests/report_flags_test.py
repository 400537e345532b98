import pathlib

import pytest

from ss_tf import report_flags


def test_networks_are_run_and_nothing_is_required_or_compared_unless_asked(parse_flags):
    parse_flags("--run_dir=runs/x")
    assert report_flags.predictions() is None
    assert report_flags.required_systems() == ()
    assert report_flags.compared_runs() == ()
    assert report_flags.edge_bundle() is None


def test_flags_are_paths_and_names(parse_flags):
    parse_flags("--predictions=a/predictions.npz", "--require=hard,oracle")
    assert report_flags.predictions() == pathlib.Path("a/predictions.npz")
    assert report_flags.required_systems() == ("hard", "oracle")
    parse_flags("--compare=runs/a,runs/b")
    assert report_flags.compared_runs() == (pathlib.Path("runs/a"), pathlib.Path("runs/b"))


def test_a_report_of_predictions_goes_beside_them_alone(parse_flags):
    parse_flags("--predictions=a.npz", "--run_dir=runs/x")
    with pytest.raises(ValueError, match=r"--predictions=a\.npz came with --run_dir"):
        report_flags.predictions()


def test_systems_that_do_not_exist_cannot_be_required(parse_flags):
    parse_flags("--require=hard,sfot")
    with pytest.raises(ValueError, match="--require has 'sfot', expected any of flat, flat_int8"):
        report_flags.required_systems()


@pytest.mark.parametrize(("runs", "count"), [("a", 1), ("a,b,c", 3)])
def test_two_runs_are_compared_no_more_no_fewer(parse_flags, runs, count):
    parse_flags(f"--compare={runs}")
    with pytest.raises(ValueError, match=f"--compare names {count} runs, expected two"):
        report_flags.compared_runs()


@pytest.mark.parametrize(
    "other", ["--run_dir=x", "--predictions=x", "--require=hard", "--edge_bundle=x"]
)
def test_compare_stands_alone(parse_flags, other):
    parse_flags("--compare=a,b", other)
    with pytest.raises(ValueError, match=f"--compare came with {other.split('=')[0]}, expected it"):
        report_flags.compared_runs()


def test_a_bundle_is_evaluated_beside_a_run(parse_flags):
    parse_flags("--edge_bundle=x/y", "--run_dir=runs/x")
    assert report_flags.edge_bundle() == pathlib.Path("x/y")


@pytest.mark.parametrize("other", ["--predictions=x", "--require=hard"])
def test_a_bundle_makes_no_report(parse_flags, other):
    parse_flags("--edge_bundle=x", other)
    with pytest.raises(
        ValueError, match=f"--edge_bundle came with {other.split('=')[0]}, expected"
    ):
        report_flags.edge_bundle()


def test_an_empty_bundle_is_not_taken_for_none(parse_flags):
    parse_flags("--edge_bundle=", "--run_dir=runs/x")
    with pytest.raises(ValueError, match="--edge_bundle is empty, expected the folder of a bundle"):
        report_flags.edge_bundle()
