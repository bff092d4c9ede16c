"""The learning rates that `prep train` takes on its command line."""

from click.testing import CliRunner

from pipeline.cli import main
from pipeline.cli.train import Rate, Rates


def test_a_learning_rate_is_a_number_or_auto():
    assert [Rate().convert(value, None, None) for value in ("2e-4", "auto")] == [2e-4, "auto"]


def test_rates_to_try_have_commas_between_them():
    assert Rates().convert("1e-4,2e-4,0.0004", None, None) == [1e-4, 2e-4, 4e-4]


def test_a_rate_that_is_no_number_is_named():
    for flag, given in (("--learning-rate", "fast"), ("--lr-sweep", "1e-4,fast")):
        refused = CliRunner().invoke(main, ["train", flag, given])
        assert refused.exit_code == 2
        assert "'fast' is not a valid float" in refused.output
