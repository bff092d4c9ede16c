"""The folder of a store in a bucket; and a store in a folder, which knows of no bucket."""

import subprocess
import sys

import pytest
from click.testing import CliRunner

from pipeline.artifacts import Store
from pipeline.artifacts.cache import cache_of
from pipeline.cli import main
from pipeline.errors import UsageError


@pytest.mark.parametrize("url", ["s3://", "s3:///", "https://example.org/sets", "s3://box/sets?x=1", "s3://box/*"])
def test_what_names_no_bucket_is_refused(url):
    with pytest.raises(UsageError, match=r"no bucket\. Name one, like s3://bucket/prefix"):
        Store(url)


def test_a_password_in_a_url_is_refused_and_not_shown():
    with pytest.raises(UsageError) as caught:
        Store("s3://key:s3cr3t@box/sets")
    assert "s3cr3t" not in str(caught.value)


def test_a_bucket_of_each_server_has_a_folder_of_its_own(tmp_path, monkeypatch):
    monkeypatch.setenv("PREP_CACHE", str(tmp_path))
    folders = {cache_of("s3://box/sets"), cache_of("s3://box/other"), cache_of("s3://box/sets")}
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9000")
    folders.add(cache_of("s3://box/sets"))
    assert len(folders) == 3
    assert {folder.parent for folder in folders} == {tmp_path}


def test_without_prep_cache_the_folder_is_in_the_users_cache(tmp_path, monkeypatch):
    monkeypatch.delenv("PREP_CACHE", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_of("s3://box/sets").parent == tmp_path / "prep"


@pytest.mark.parametrize("engine", [["--engine", "slurm"], ["--engine", "dask"], ["--engine", "ray", "--address", "head:6379"]])
def test_a_cluster_and_a_bucket_need_a_folder_that_every_node_sees(engine, tmp_path, monkeypatch):
    monkeypatch.delenv("PREP_CACHE", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    result = CliRunner().invoke(main, ["clean", "--store", "s3://box/sets", *engine])
    assert (result.exit_code, result.stderr.strip()) == (
        2,
        "Error: the nodes of a cluster share what is being made, and s3://box/sets takes only what is done. "
        "Set PREP_CACHE to a folder that every node sees under the same path, on a network file system.",
    )


def test_a_store_in_a_folder_imports_nothing_of_buckets(tmp_path):
    code = (
        "import sys\nfrom pipeline.artifacts import Identity, Store\n"
        f"with Store({str(tmp_path / 'store')!r}).draft(Identity('train', {{}}), 'wiki') as draft:\n"
        "    draft.publish({}, versions={}, run={})\n"
        f"Store({str(tmp_path / 'store')!r}).find('wiki').verify()\n"
        "print(sorted({'fsspec', 'pyarrow', 'pipeline.artifacts.mirror', 'pipeline.artifacts.bucket'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"
