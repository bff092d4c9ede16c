"""Archives of files: each member is a source, whatever the archive tries."""

import bz2
import gzip
import io
import json
import lzma
import stat
import struct
import subprocess
import sys
import tarfile
import zipfile

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline.documents import Rejection
from pipeline.errors import SourceError
from pipeline.sources import Source, archives, open_bytes, open_stored
from pipeline.sources.archives import is_archive, members

PACK = {
    ".tar": bytes,
    ".tar.gz": gzip.compress,
    ".tgz": gzip.compress,
    ".tar.bz2": bz2.compress,
    ".tar.xz": lzma.compress,
    ".tar.zst": lambda data: pa.Codec("zstd").compress(data, asbytes=True),
}


def zip_of(files, **how):
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w", zipfile.ZIP_DEFLATED, **how) as archive:
        for name, content in files:
            archive.writestr(name, content)
    return held.getvalue()


def tar_of(files):
    held = io.BytesIO()
    with tarfile.open(fileobj=held, mode="w") as archive:
        for name, content in files:
            entry = name if isinstance(name, tarfile.TarInfo) else tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return held.getvalue()


KINDS = {".zip": zip_of, **{name: lambda files, pack=pack: pack(tar_of(files)) for name, pack in PACK.items()}}
every_kind = pytest.mark.parametrize("kind", KINDS)


def stored(tmp_path, kind, content):
    path = tmp_path / f"pages{kind}"
    path.write_bytes(content)
    return Source(path.name, str(path))


def read(source):
    """Return the members' contents by name, and the rejections."""
    contents, rejected = {}, []
    for found in members(source):
        if isinstance(found, Rejection):
            rejected.append((found.place, found.error))
        else:
            with open_bytes(found) as file:
                contents[found.name] = file.read()
    return contents, rejected


@every_kind
def test_a_member_is_named_by_the_archive_and_its_path_in_there(tmp_path, kind):
    source = stored(tmp_path, kind, KINDS[kind]([("a.html", b"<p>A"), ("b/c.txt", b"C")]))
    assert is_archive(source)
    assert read(source) == ({f"pages{kind}/a.html": b"<p>A", f"pages{kind}/b/c.txt": b"C"}, [])


@every_kind
def test_hidden_members_and_folders_are_passed_over(tmp_path, kind):
    files = [(name, b"x") for name in (".hidden", "a/.git/b", "__MACOSX/a", "./seen")]
    contents, rejected = read(stored(tmp_path, kind, KINDS[kind](files)))
    assert [name.rsplit("/")[-1] for name in contents] == ["seen"]
    assert rejected == []


@every_kind
def test_a_packed_member_is_unpacked(tmp_path, kind):
    contents, _ = read(stored(tmp_path, kind, KINDS[kind]([("a.txt.gz", gzip.compress(b"Hi"))])))
    assert [*contents.values()] == [b"Hi"]


@every_kind
@pytest.mark.parametrize(
    ("name", "error"),
    [
        ("../up.txt", "its path leads out of the archive"),
        ("/etc/passwd", "its path leads out of the archive"),
        ("..\\up.txt", "its path leads out of the archive"),
        ("a/../../b.txt", "its path leads out of the archive"),
        ("inner.zip", "an archive in an archive. Unpack the outer one"),
        ("inner.tar.gz", "an archive in an archive. Unpack the outer one"),
    ],
)
def test_a_member_that_is_none_is_rejected_and_the_rest_is_read(tmp_path, kind, name, error):
    contents, rejected = read(stored(tmp_path, kind, KINDS[kind]([(name, b"x"), ("z.txt", b"Z")])))
    assert ([*contents.values()], rejected) == ([b"Z"], [(name, error)])


@pytest.mark.filterwarnings("ignore:Duplicate name")
@every_kind
def test_a_second_member_of_a_name_is_rejected(tmp_path, kind):
    contents, rejected = read(stored(tmp_path, kind, KINDS[kind]([("a.txt", b"1"), ("a.txt", b"2")])))
    assert ([*contents.values()], rejected) == ([b"1"], [("a.txt", "a second member of this name")])


def test_a_members_name_may_be_any_bytes(tmp_path):
    name = b"caf\xe9.txt".decode("utf-8", "surrogateescape")
    assert read(stored(tmp_path, ".tar", tar_of([(name, b"x")]))) == ({"pages.tar/caf\\xe9.txt": b"x"}, [])


def test_a_link_is_rejected(tmp_path):
    link = tarfile.TarInfo("link.txt")
    link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
    zipped = zipfile.ZipInfo("link.txt")
    zipped.external_attr = (stat.S_IFLNK | 0o777) << 16
    error = [("link.txt", "no plain file, but a link or a device")]
    assert read(stored(tmp_path, ".tar", tar_of([(link, b"")]))) == ({}, error)
    assert read(stored(tmp_path, ".zip", zip_of([(zipped, b"/etc/passwd")]))) == ({}, error)


def test_a_bomb_in_a_zip_is_rejected_unread(tmp_path):
    contents, ((place, error),) = read(stored(tmp_path, ".zip", zip_of([("a.html", bytes(100 << 20)), ("z.txt", b"Z")])))
    assert [*contents.values()] == [b"Z"]
    assert (place, error) == ("a.html", "a bomb: it would unpack to 100 MiB, more than 500 times its size")


def test_a_member_that_is_larger_than_its_entry_says_gives_an_error_and_no_more(tmp_path):
    content = bytearray(zip_of([("a.html", bytes(1 << 20))]))
    entry = content.index(b"PK\x01\x02")
    struct.pack_into("<L", content, entry + 24, 10)
    for member in members(stored(tmp_path, ".zip", bytes(content))):
        with open_bytes(member) as file, pytest.raises(OSError, match="Bad CRC-32"):
            file.read()


def test_a_member_that_cannot_be_opened_says_so(tmp_path):
    content = zip_of([("a.html", b"<p>")]).replace(b"PK\x03\x04", b"PK\x00\x00")
    for member in members(stored(tmp_path, ".zip", content)):
        with pytest.raises(SourceError, match=r"pages\.zip/a\.html: cannot be opened \(Bad magic number"):
            open_bytes(member)


def test_an_encrypted_member_is_rejected(tmp_path):
    content = bytearray(zip_of([("a.html", b"<p>")]))
    content[content.index(b"PK\x01\x02") + 8] |= 1
    assert read(stored(tmp_path, ".zip", bytes(content))) == ({}, [("a.html", "it is encrypted")])


def test_members_that_overlap_are_refused(tmp_path):
    content = bytearray(zip_of([("a.html", b"<p>")]))
    struct.pack_into("<L", content, content.index(b"PK\x01\x02") + 20, 1 << 20)
    ((place, error),) = read(stored(tmp_path, ".zip", bytes(content)))[1]
    assert (place, error) == ("", "the archive cannot be read to its end (its members overlap)")


@pytest.mark.parametrize("kind", PACK)
def test_of_a_cut_tar_the_members_before_the_cut_are_read(tmp_path, kind):
    noise = bytes(range(256)) * 400
    content = KINDS[kind]([("a.txt", b"A"), ("b.bin", noise), ("c.bin", noise)])
    cut = content[: len(content) // 2] if kind == ".tar" else content[:-12]
    contents, ((place, error),) = read(stored(tmp_path, kind, cut))
    assert place == ""
    assert error.startswith("the archive cannot be read to its end (")
    assert b"A" in contents.values() or kind == ".tar.bz2"


@every_kind
def test_what_only_says_that_it_is_an_archive_is_rejected(tmp_path, kind):
    contents, ((_, error),) = read(stored(tmp_path, kind, b"plain text\n"))
    assert contents == {}
    assert error.startswith("the archive cannot be read to its end (")


def test_a_large_member_of_a_tar_is_read_from_the_archive(tmp_path, monkeypatch):
    monkeypatch.setattr(archives, "HELD", 1000)
    held = io.BytesIO()
    pq.write_table(pa.table({"text": [str(number) for number in range(5000)]}), held)
    files = [("a.txt", b"A"), ("b.parquet", held.getvalue()), ("c.txt", b"C")]
    for kind in PACK:
        found = {member.name: member for member in members(stored(tmp_path, kind, KINDS[kind](files)))}
        with open_bytes(found[f"pages{kind}/b.parquet"]) as file:
            assert pq.read_table(file).num_rows == 5000
        with open_stored(found[f"pages{kind}/b.parquet"]) as file:
            assert file.read() == held.getvalue()


MEASURED = """
import json, resource, sys
from pipeline.sources.archives import members
from pipeline.sources import Source, blocks_of
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
size = sum(len(block) for member in members(Source("z", sys.argv[1])) for block in blocks_of(member, 1 << 20))
print(json.dumps([size, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before]))
"""


def test_sixty_megabytes_of_zeros_in_a_tar_are_read_in_a_few_megabytes(tmp_path):
    source = stored(tmp_path, ".tar.gz", KINDS[".tar.gz"]([("zeros.csv", bytes(60 << 20))]))
    done = subprocess.run([sys.executable, "-c", MEASURED, source.path], capture_output=True, check=True)
    size, grown = json.loads(done.stdout)
    assert size == 60 << 20
    assert grown < 48 << 10  # KiB
