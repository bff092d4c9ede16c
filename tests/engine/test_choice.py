"""The choice of an engine, by the command line."""

import pytest
from click.testing import CliRunner

from pipeline.cli import main


def said(*arguments):
    done = CliRunner().invoke(main, ["ingest", *arguments])
    return done.exit_code, done.stderr


@pytest.fixture
def source(tmp_path):
    (tmp_path / "a.txt").write_text("A text.")
    return [str(tmp_path / "a.txt"), "--store", str(tmp_path / "store")]


def test_an_engine_whose_package_is_not_installed_is_told_with_what_to_install(source, monkeypatch):
    monkeypatch.setattr("pipeline.engine.executor.find_spec", lambda name: None)
    for engine, package in (("ray", "ray"), ("dask", "distributed"), ("slurm", "submitit")):
        line = f"Error: --engine {engine} needs the package {package}. Install it: pip install 'prep[{engine}]'.\n"
        assert said(*source, "--engine", engine) == (2, line)


def test_an_address_is_for_a_cluster(source):
    line = "Error: --address is for a cluster of ray or dask, and --engine is local. Take it out.\n"
    assert said(*source, "--address", "auto") == (2, line)


def test_options_are_for_slurm(source):
    line = "Error: --engine-options are for slurm, and --engine is local. Take them out.\n"
    assert said(*source, "--engine-options", "partition=cpu") == (2, line)


def test_options_are_pairs(source, monkeypatch):
    line = "Error: --engine-options partition is no key=value pair.\n"
    assert said(*source, "--engine", "slurm", "--engine-options", "partition") == (2, line)
