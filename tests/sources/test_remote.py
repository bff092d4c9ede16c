"""Sources elsewhere, by URL: an S3 server on this machine, and a web server; what they hold is as if it lay here."""

import functools
import gzip
import http.server
import os
import socket
import subprocess
import sys
import threading
import urllib.request
from pathlib import Path
from time import monotonic, sleep

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline.artifacts import Store
from pipeline.engine.local import Local
from pipeline.errors import SourceError, StoreError
from pipeline.ingesting.plan import plan
from pipeline.run import Run
from pipeline.sources.remote import RemoteSource, remote_sources, shown
from pipeline.stages.ingest import ingest
from pipeline.tables import Column, Table, suggestion, tables_of

PAGE = "<html><body><p>The mill stands by the river, page {}.</p></body></html>"


@pytest.fixture
def run(tmp_path):
    return Run(Store(tmp_path / "store"), Local(1))


@pytest.fixture
def folder(tmp_path):
    """A folder of everything: pages, packed ones, one without a suffix, a hidden one, a table, an archive."""
    root = tmp_path / "here" / "pages"
    (root / "2024").mkdir(parents=True)
    (root / "a.html").write_text(PAGE.format("a"))
    (root / "2024/b.html.gz").write_bytes(gzip.compress(PAGE.format("b").encode(), mtime=0))
    (root / "page").write_text(f"<!doctype html>{PAGE.format('c')}")
    (root / ".hidden.html").write_text(PAGE.format("hidden"))
    (root / "style.css").write_text("p { color: red }")
    pq.write_table(pa.table({"text": [f"row {number}" for number in range(1000)]}), root / "rows.parquet")
    subprocess.run([sys.executable, "-m", "zipfile", "-c", "more.zip", "a.html"], cwd=root, check=True)
    return root


def bytes_of(artifact):
    return {entry["path"]: entry["sha256"] for entry in artifact.manifest.files}


def rejected(artifact):
    return [(row["source"], row["error"]) for file in artifact.files("rejected") for row in pq.read_table(file).to_pylist()]


def refused(named, run):
    with pytest.raises(SourceError) as caught:
        ingest([named], "x", run)
    return str(caught.value)


def test_a_url_is_shown_without_its_secrets():
    assert shown("https://me:pass@example.org:8080/in/a%20b.csv?X-Amz-Signature=f00#x") == "https://example.org:8080/in/a b.csv"
    assert shown("S3://bucket/pages/") == "s3://bucket/pages"
    assert [shown(named) for named in ("posts.csv", "mysql://host/shop", "C:\\posts.csv")] == ["", "", ""]


def test_no_secret_of_a_url_is_in_a_source():
    (source,) = remote_sources("https://me:pass@example.org/a.csv?X-Amz-Signature=f00")
    assert (source.name, source.path) == ("a.csv", "https://example.org/a.csv")
    assert "pass" not in repr(source)
    assert "f00" not in repr(source)


def test_two_urls_that_differ_in_their_query_alone_are_two_sources():
    with pytest.raises(SourceError, match=r"two sources would be named 'a\.csv'"):
        plan(["https://example.org/a.csv?day=1", "https://example.org/a.csv?day=2"], {})


def test_a_folder_on_a_web_server_cannot_be_listed():
    with pytest.raises(SourceError, match=r"^https://example\.org/in: a web server lists no folders\. Name a file there\.$"):
        remote_sources("https://example.org/in/")


def test_a_missing_driver_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "gcsfs", None)
    with pytest.raises(SourceError) as caught:
        remote_sources("gs://bucket/pages/")
    assert str(caught.value) == "gs://bucket/pages: gs:// needs gcsfs. Install it with: pip install 'prep[cloud]'"


class Full:
    """A driver that finds this disk full."""

    def get_file(self, _there, _here):
        raise OSError(28, os.strerror(28))


def test_a_full_disk_is_told_as_such(run, monkeypatch):
    monkeypatch.setattr("pipeline.sources.remote._system", lambda url: (Full(), url))
    with pytest.raises(StoreError, match=r"cannot write \(No space left on device\)"):
        ingest(["https://example.org/a.csv"], "a", run)


# S3


@pytest.fixture(scope="module")
def s3():
    """Start an S3 server; return a client of it."""
    for package in ("s3fs", "moto.server", "flask"):
        pytest.importorskip(package)
    import boto3

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    process = subprocess.Popen(
        [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)], stderr=subprocess.DEVNULL
    )
    own = {
        "AWS_ENDPOINT_URL": url,
        "AWS_ACCESS_KEY_ID": "me",
        "AWS_SECRET_ACCESS_KEY": "s3cr3t",
        "AWS_DEFAULT_REGION": "us-east-1",
    }
    with pytest.MonkeyPatch.context() as patched:
        for name, value in own.items():
            patched.setenv(name, value)
        try:
            _wait_for(url, process)
            yield boto3.client("s3")
        finally:
            process.terminate()
            process.wait(30)


def _wait_for(url, process):
    patience = monotonic() + 60
    while True:
        assert process.poll() is None
        assert monotonic() < patience, "the S3 server does not answer"
        try:
            urllib.request.urlopen(url, timeout=5).close()
        except OSError:
            sleep(0.1)
        else:
            return


@pytest.fixture
def bucket(s3):
    """An empty bucket; returns how to put a local folder into it."""
    s3.create_bucket(Bucket="box")

    def put(root):
        for path in (path for path in root.rglob("*") if path.is_file()):
            s3.upload_file(str(path), "box", path.relative_to(root.parent).as_posix())

    yield put
    s3.delete_bucket_policy(Bucket="box")
    for entry in s3.list_objects_v2(Bucket="box").get("Contents", []):
        s3.delete_object(Bucket="box", Key=entry["Key"])
    s3.delete_bucket(Bucket="box")


def test_a_folder_in_a_bucket_gives_the_artifact_of_the_same_folder_here(bucket, folder, run, tmp_path):
    bucket(folder)
    here = ingest([str(folder)], "pages", run)
    there = ingest(["s3://box/pages/"], "pages", Run(Store(tmp_path / "other"), Local(1)))
    assert there.manifest.fingerprint == here.manifest.fingerprint
    assert bytes_of(there) == bytes_of(here)
    assert here.manifest.rows["kept"] == 1004
    assert [path.name for path in (tmp_path / "other").iterdir()] == ["ingest"]  # no copy is left


def test_a_file_a_glob_and_a_bucket_name_what_they_would_name_here(bucket, folder, s3):
    bucket(folder)
    s3.put_object(Bucket="box", Key="pages/empty/", Body=b"")  # the mark of an empty folder
    names = lambda named: sorted(source.name for source in remote_sources(named))
    assert names("s3://box/pages/a.html") == ["a.html"]
    assert names("s3://box/pages/*.html") == ["pages/a.html"]
    assert names("s3://box/pages/**/*.gz") == ["pages/2024/b.html.gz"]
    assert [name for name in names("s3://box") if name.startswith("box/pages/2024")] == ["box/pages/2024/b.html.gz"]


def test_what_tells_of_a_data_set_is_passed_over_in_a_bucket_too(bucket, tmp_path):
    root = tmp_path / "set"
    root.mkdir()
    (root / "README.md").write_text("---\nlicense: mit\n---\n# A set\n")
    (root / "rows.jsonl").write_text('{"text": "Hi"}\n')
    bucket(root)
    planned = {source.name: source.format for source, _ in plan(["s3://box/set"], {})}
    assert planned == {"set/README.md": "passed_over", "set/rows.jsonl": "jsonl"}


def test_what_is_not_in_a_bucket_says_so(bucket, s3, run):
    why = "no such file, folder or bucket. Check the URL."
    assert refused("s3://box/nope.csv", run) == f"s3://box/nope.csv: {why}"
    assert refused("s3://nobucket/a.csv", run) == f"s3://nobucket/a.csv: {why}"
    assert refused("s3://box/*.csv", run) == "s3://box/*.csv: matches no file. Check the URL; hidden files are passed over."


DENY = (
    '{"Version": "2012-10-17", "Statement": [{"Effect": "Deny", "Principal": "*", "Action": "s3:GetObject", "Resource": "%s"}]}'
)


def test_an_object_that_may_not_be_read_stops_where_it_is_named_and_is_rejected_among_others(bucket, folder, s3, run):
    bucket(folder)
    s3.put_bucket_policy(Bucket="box", Policy=DENY % "arn:aws:s3:::box/pages/a.html")
    why = "no permission to read it. Check the credentials that the driver finds, and the URL."
    assert refused("s3://box/pages/a.html", run) == f"s3://box/pages/a.html: {why}"
    assert ("pages/a.html", why) in rejected(ingest(["s3://box/pages"], "pages", run))


def test_an_object_that_changes_behind_the_listing_stops_the_run(bucket, folder, s3, run, monkeypatch):
    bucket(folder)
    listed = plan(["s3://box/pages/a.html"], {})
    s3.put_object(Bucket="box", Key="pages/a.html", Body=b"<p>Another")
    monkeypatch.setattr("pipeline.stages.ingest.plan", lambda *given: listed)
    assert refused("s3://box/pages/a.html", run) == (
        "s3://box/pages/a.html: changed while it was read. Run the same command again when nothing writes to it."
    )
    assert run.store.list() == []


# the web


class Site(http.server.SimpleHTTPRequestHandler):
    """Serves files; `/locked` to `me:s3cr3t` alone, `/cut.csv` cut short, `/packed` with an encoding that packs it again."""

    def log_message(self, *_arguments):
        """Say nothing."""

    def do_GET(self):
        path = self.path.partition("?")[0]
        if path == "/locked.csv" and self.headers.get("Authorization") != "Basic bWU6czNjcjN0":
            self.send_error(401)
        elif path == "/cut.csv":
            self.send_response(200)
            self.send_header("Content-Length", "100")
            self.end_headers()
            self.wfile.write(b"text\n")
        else:
            super().do_GET()

    def end_headers(self):
        if self.path.endswith(".gz"):
            self.send_header("Content-Encoding", "gzip")  # as many servers say of a file that is packed itself
        super().end_headers()


@pytest.fixture
def site(tmp_path):
    """Serve a folder; return its URL."""
    pytest.importorskip("aiohttp")
    (tmp_path / "www").mkdir()
    handler = functools.partial(Site, directory=tmp_path / "www")
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_the_tables_of_a_dump_on_the_web_are_listed(site, tmp_path):
    dump = b"CREATE TABLE t (body text);\nINSERT INTO t VALUES ('Hello');"
    (tmp_path / "www" / "dump.sql.gz").write_bytes(gzip.compress(dump))
    url = f"{site}/dump.sql.gz?key=secret"
    assert tables_of(url) == [Table("t", 1, [Column("body", "text", 5.0, 5)])]
    assert suggestion(url, tables_of(url)) == f"prep ingest {site}/dump.sql.gz --table t --text-column body"


def test_a_file_on_the_web_gives_the_artifact_of_the_same_file_here(site, tmp_path, run):
    path = tmp_path / "www" / "a b.csv.gz"
    path.write_bytes(gzip.compress(b"text\nHello\n", mtime=0))
    there = ingest([f"{site}/a%20b.csv.gz?token=s3cr3t"], "a", run)
    here = ingest([str(path)], "a", Run(Store(tmp_path / "other"), Local(1)))
    assert (there.ref, bytes_of(there)) == (here.ref, bytes_of(here))


def test_a_password_in_a_url_opens_the_file_and_is_written_nowhere(site, tmp_path, run):
    (tmp_path / "www/locked.csv").write_text("text\nHello\n")
    made = ingest([f"{site.replace('//', '//me:s3cr3t@')}/locked.csv"], "a", run)
    assert made.manifest.rows["kept"] == 1
    assert all(b"s3cr3t" not in path.read_bytes() for path in Path(made.path).rglob("*") if path.is_file())
    assert refused(f"{site}/locked.csv", run) == (
        f"{site}/locked.csv: no permission to read it. Check the credentials that the driver finds, and the URL."
    )


def test_what_the_web_refuses_is_one_line_without_secrets(site, run):
    url = f"{site.replace('//', '//me:s3cr3t@')}"
    assert refused(f"{url}/nope.csv?X-Amz-Signature=s3cr3t", run) == (
        f"{site}/nope.csv: no such file, folder or bucket. Check the URL."
    )
    message = refused(f"{url}/cut.csv?sig=s3cr3t", run)
    assert message.startswith(f"{site}/cut.csv: cannot be read (")
    nobody = refused("http://me:s3cr3t@127.0.0.1:1/a.csv?sig=s3cr3t", run)
    assert nobody.startswith("http://127.0.0.1:1/a.csv: cannot be read (")
    for line in (message, nobody):
        assert line.endswith("Run the same command again, or check the URL.")
        assert "s3cr3t" not in line
        assert "\n" not in line


def test_a_file_without_a_suffix_is_told_by_its_start(site, tmp_path):
    (tmp_path / "www/page").write_text("<!doctype html><p>Hi")
    ((source, _),) = plan([f"{site}/page"], {})
    assert (source.format, type(source)) == ("html", RemoteSource)
