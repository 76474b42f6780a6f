from __future__ import annotations

import builtins
import errno
import io
import stat
import tarfile
import zipfile

import pytest
from archive_server import noise, tar_of, zip_of

from tinyclone import archives
from tinyclone.archives import unpack
from tinyclone.errors import CorpusError

FILES = {"corpus/metadata.csv": b"a|b\n", "corpus/wavs/a.wav": noise(30_000), "corpus/empty.txt": b""}


def saved(tmp_path, content: bytes, name: str = "archive"):
    (tmp_path / name).write_bytes(content)
    return tmp_path / name


def unpacked(folder) -> dict[str, bytes]:
    return {str(file.relative_to(folder)): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


@pytest.mark.parametrize("compression", ["", "gz", "bz2", "xz"])
def test_a_tar_is_unpacked_whatever_it_is_called(tmp_path, compression):
    archive = saved(tmp_path, tar_of(FILES, compression=compression), "archive.zip")
    assert unpack(archive, tmp_path / "out", quiet=True) == 3
    assert unpacked(tmp_path / "out") == FILES


def test_a_zip_is_unpacked(tmp_path):
    archive = saved(tmp_path, zip_of(FILES))
    assert unpack(archive, tmp_path / "out", quiet=True) == 3
    assert unpacked(tmp_path / "out") == FILES


def test_folders_without_files_are_made_and_permissions_are_not_taken_over(tmp_path):
    folder, file = tarfile.TarInfo("a/b"), tarfile.TarInfo("a/b/run.sh")
    folder.type, folder.mode = tarfile.DIRTYPE, 0
    file.mode, file.size = 0o4777, 2
    unpack(saved(tmp_path, tar_of([folder, file])), tmp_path / "out", quiet=True)
    mode = (tmp_path / "out" / "a" / "b" / "run.sh").stat().st_mode
    assert not mode & (stat.S_ISUID | stat.S_IXUSR)


OUTSIDE = [
    "../evil", "a/../../evil", "/tmp/evil", "a/..", "..",
    "..\\evil", "C:\\evil", "C:evil", "\\evil", "//host/x",
]  # fmt: skip


@pytest.mark.parametrize("name", OUTSIDE)
@pytest.mark.parametrize("kind", ["tar", "zip"])
def test_a_member_that_leaves_the_folder_is_refused(tmp_path, name, kind):
    content = (
        tar_of({"good": b"1", name: b"evil"}) if kind == "tar" else zip_of({"good": b"1", name: b"evil"})
    )
    archive = saved(tmp_path, content)
    with pytest.raises(CorpusError, match="refused: its member .* (leads out of|names a place on)"):
        unpack(archive, tmp_path / "deep" / "out", quiet=True)
    assert unpacked(tmp_path / "deep") == {"out/good": b"1"}
    assert not list(tmp_path.parent.glob("evil*"))


def link(kind: bytes, name: str, to: str) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.type, member.linkname = kind, to
    return member


@pytest.mark.parametrize(
    ("members", "expected"),
    [
        ([link(tarfile.SYMTYPE, "door", "../.."), tarfile.TarInfo("door/evil")], "symbolic link to '../..'"),
        ([link(tarfile.SYMTYPE, "door", "/tmp"), tarfile.TarInfo("door/evil")], "symbolic link to '/tmp'"),
        ([link(tarfile.SYMTYPE, "inside", "good")], "symbolic link to 'good'"),
        ([link(tarfile.LNKTYPE, "door", "../../secret")], "hard link to '../../secret'"),
        ([link(tarfile.LNKTYPE, "door", "/etc/passwd")], "hard link to '/etc/passwd'"),
        ([link(tarfile.CHRTYPE, "null", "")], "device"),
        ([link(tarfile.BLKTYPE, "disk", "")], "device"),
        ([link(tarfile.FIFOTYPE, "pipe", "")], "device"),
        ([link(b"?", "odd", "")], "device or something else"),
    ],
)
def test_links_and_devices_in_a_tar_are_refused(tmp_path, members, expected):
    (tmp_path / "secret").write_text("mine")
    archive = saved(tmp_path, tar_of(members))
    with pytest.raises(CorpusError, match=f"is a {expected}|is a {expected.replace('.', '[.]')}"):
        unpack(archive, tmp_path / "deep" / "out", quiet=True)
    assert list((tmp_path / "deep" / "out").iterdir()) == []
    assert (tmp_path / "secret").read_text() == "mine"


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFCHR, stat.S_IFIFO])
def test_links_and_devices_in_a_zip_are_refused(tmp_path, kind):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        member = zipfile.ZipInfo("door")
        member.create_system, member.external_attr = 3, (kind | 0o777) << 16
        archive.writestr(member, "../..")
        archive.writestr("door/evil", "evil")
    with pytest.raises(CorpusError, match="member 'door' is a link or a device"):
        unpack(saved(tmp_path, buffer.getvalue()), tmp_path / "out", quiet=True)
    assert list((tmp_path / "out").iterdir()) == []


def archive_bytes(kind: str) -> bytes:
    return zip_of(FILES) if kind == "zip" else tar_of(FILES, compression=kind)


@pytest.mark.parametrize("kind", ["gz", "bz2", "xz", "zip"])
@pytest.mark.parametrize("share", [0.0, 0.5, 0.999])
def test_a_truncated_archive_is_called_damaged(tmp_path, kind, share):
    content = archive_bytes(kind)
    archive = saved(tmp_path, content[: int(len(content) * share)])
    with pytest.raises(CorpusError, match="damaged, cut off, or no archive .* download it again"):
        unpack(archive, tmp_path / "out", quiet=True)


@pytest.mark.parametrize("kind", ["gz", "bz2", "xz", "zip"])
def test_one_changed_byte_in_the_compressed_data_is_noticed(tmp_path, kind):
    content = bytearray(archive_bytes(kind))
    content[len(content) // 2] ^= 0x10
    with pytest.raises(CorpusError, match="damaged"):
        unpack(saved(tmp_path, bytes(content)), tmp_path / "out", quiet=True)


@pytest.mark.parametrize(
    "content", [b"<!DOCTYPE html><title>Sign in</title>" * 30, b"\x1f\x8bnothing", b"PK"]
)
def test_what_is_no_archive_is_called_so(tmp_path, content):
    with pytest.raises(CorpusError, match="no archive"):
        unpack(saved(tmp_path, content), tmp_path / "out", quiet=True)


@pytest.mark.parametrize("kind", ["bz2", "zip"])
def test_a_full_disk_while_unpacking_is_said(tmp_path, monkeypatch, kind):
    archive = saved(tmp_path, archive_bytes(kind))

    class FullDisk(io.FileIO):
        def write(self, block):
            raise OSError(errno.ENOSPC, "No space left on device")

    def open_full(path, mode="r", **options):
        return FullDisk(path, mode) if "w" in mode else builtins.open(path, mode, **options)

    monkeypatch.setattr(archives, "open", open_full, raising=False)
    with pytest.raises(CorpusError, match="No space left on device. The archive is kept. Make room"):
        unpack(archive, tmp_path / "out", quiet=True)


def test_a_folder_that_exists_is_not_unpacked_into(tmp_path):
    (tmp_path / "out").mkdir()
    with pytest.raises(CorpusError, match="File exists"):
        unpack(saved(tmp_path, archive_bytes("gz")), tmp_path / "out", quiet=True)
