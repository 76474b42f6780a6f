from __future__ import annotations

import errno
import io
import socket

import pytest
from archive_server import ArchiveServer, md5, noise

from tinyclone import transfers
from tinyclone.errors import CorpusError
from tinyclone.transfers import download, partial_bytes, readable_size

CONTENT = noise(500_000)
SIZE = len(CONTENT)


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.setattr(transfers, "WAITS_SEC", (0.0, 0.0, 0.0))
    server = ArchiveServer()
    server.files["file.bin"] = CONTENT
    yield server
    server.close()


def get(server, tmp_path, **changes):
    options = {"size_bytes": SIZE, "checksum": md5(CONTENT), "quiet": True, **changes}
    urls = options.pop("urls", [server.url("file.bin")])
    return download(urls, tmp_path / "file.bin", **options)


def whole_and_alone(tmp_path) -> bool:
    """Return whether the file is there, right, and without any trace of how it came."""
    return {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {"file.bin": CONTENT}


def cut_for_good(server, tmp_path, *after: int) -> None:
    """Try a download that the server cuts, each time after so many bytes, until there are no tries left."""
    server.cuts = list(after)
    with pytest.raises(CorpusError, match="the connection was cut"):
        get(server, tmp_path)
    server.log.clear()


def test_a_file_comes_whole(server, tmp_path):
    assert get(server, tmp_path) == tmp_path / "file.bin"
    assert whole_and_alone(tmp_path)
    assert [entry["range"] for entry in server.log] == [None]


def test_a_cut_connection_is_taken_up_again_where_it_broke(server, tmp_path):
    server.cuts = [200_000, 100_000]
    get(server, tmp_path)
    assert whole_and_alone(tmp_path)
    assert [entry["range"] for entry in server.log] == [None, "bytes=200000-", "bytes=300000-"]
    assert [entry["sent"] for entry in server.log] == [200_000, 100_000, 200_000]


def test_a_later_call_asks_only_for_the_rest(server, tmp_path):
    cut_for_good(server, tmp_path, 123_456, 0, 0, 0)
    assert partial_bytes(tmp_path / "file.bin") == 123_456
    get(server, tmp_path)
    assert whole_and_alone(tmp_path)
    (entry,) = server.log
    assert entry["range"] == "bytes=123456-" and entry["if_range"] == '"one"' and entry["status"] == 206
    assert entry["sent"] == SIZE - 123_456


def test_tries_are_counted_from_the_last_progress(server, tmp_path):
    server.cuts = [0, 0, 1000] + [0, 0, 1000] * 5
    get(server, tmp_path)
    assert whole_and_alone(tmp_path)


def test_it_gives_up_when_nothing_more_comes(server, tmp_path):
    server.cuts = [1000] + [0] * 50
    with pytest.raises(CorpusError, match=r"3 times in a row .* What came, 1 kB, is kept: the same command"):
        get(server, tmp_path)
    assert len(server.log) == 4
    assert not (tmp_path / "file.bin").exists()


def test_a_server_that_ignores_ranges_begins_again(server, tmp_path):
    cut_for_good(server, tmp_path, 200_000, 0, 0, 0)
    server.knows_ranges = False
    get(server, tmp_path)
    assert whole_and_alone(tmp_path)
    assert [(entry["range"], entry["status"]) for entry in server.log] == [("bytes=200000-", 200)]


def test_such_a_server_that_always_cuts_is_given_up(server, tmp_path):
    server.knows_ranges = False
    server.cuts = [300_000] * 50
    with pytest.raises(CorpusError, match="without going forward"):
        get(server, tmp_path)
    assert len(server.log) == 4


@pytest.mark.parametrize("knows_if_range", [True, False])
def test_a_part_of_another_version_is_thrown_away(server, tmp_path, knows_if_range):
    server.files["file.bin"], server.etag = noise(SIZE, seed=9), '"old"'
    cut_for_good(server, tmp_path, 200_000, 0, 0, 0)
    server.files["file.bin"], server.etag = CONTENT, '"new"'
    server.knows_if_range = knows_if_range
    get(server, tmp_path)
    assert whole_and_alone(tmp_path)
    assert server.log[0]["if_range"] == '"old"'
    # A server that does not heed If-Range shows its new tag: the rest is then not asked for, but all.
    assert [entry["range"] for entry in server.log][1:] == ([] if knows_if_range else [None])


def test_a_weak_tag_is_not_trusted_but_the_date_is(server, tmp_path):
    server.etag, server.last_modified = 'W/"about"', "Mon, 19 Feb 2018 00:00:00 GMT"
    cut_for_good(server, tmp_path, 200_000, 0, 0, 0)
    get(server, tmp_path)
    assert server.log[0]["if_range"] == server.last_modified and server.log[0]["status"] == 206


def test_a_server_without_any_version_is_resumed_and_checked(server, tmp_path):
    server.etag = None
    cut_for_good(server, tmp_path, 200_000, 0, 0, 0)
    get(server, tmp_path)
    assert server.log[0]["if_range"] is None and server.log[0]["sent"] == SIZE - 200_000
    assert whole_and_alone(tmp_path)


@pytest.mark.parametrize("note", [None, "{", "[]"])
def test_a_part_without_a_readable_note_is_thrown_away(server, tmp_path, note):
    (tmp_path / "file.bin.part").write_bytes(b"of another time")
    if note is not None:
        (tmp_path / "file.bin.part.json").write_text(note)
    get(server, tmp_path)
    assert whole_and_alone(tmp_path)
    assert server.log[0]["range"] is None


def test_a_part_that_is_too_long_is_thrown_away(server, tmp_path):
    (tmp_path / "file.bin.part").write_bytes(CONTENT + b"more")
    (tmp_path / "file.bin.part.json").write_text('{"url": "x"}')
    get(server, tmp_path)
    assert whole_and_alone(tmp_path)


def test_a_part_that_is_complete_needs_no_server(server, tmp_path):
    (tmp_path / "file.bin.part").write_bytes(CONTENT)
    (tmp_path / "file.bin.part.json").write_text('{"url": "x"}')
    get(server, tmp_path)
    assert whole_and_alone(tmp_path) and server.log == []


def test_a_file_that_became_shorter_is_refused_without_going_round_in_circles(server, tmp_path):
    cut_for_good(server, tmp_path, 200_000, 0, 0, 0)
    server.files["file.bin"], server.etag, server.knows_if_range = CONTENT[:1000], '"short"', False
    with pytest.raises(CorpusError, match="offers 1,000 bytes .* expected 500,000"):
        get(server, tmp_path)
    assert [entry["status"] for entry in server.log] == [416, 200]


@pytest.mark.parametrize("states_length", [True, False])
def test_a_page_instead_of_the_file_is_refused(server, tmp_path, states_length):
    server.files["file.bin"], server.content_type = b"<!DOCTYPE html>" * SIZE, "text/html"
    server.states_length = states_length
    expected = "offers 7,500,000 bytes of text/html, expected 500,000" if states_length else "sends more than"
    with pytest.raises(CorpusError, match=expected):
        get(server, tmp_path)
    assert not (tmp_path / "file.bin").exists()
    assert partial_bytes(tmp_path / "file.bin") <= SIZE


def test_a_length_that_is_not_stated_is_no_hindrance(server, tmp_path):
    server.states_length = False
    get(server, tmp_path)
    assert whole_and_alone(tmp_path)


@pytest.mark.parametrize("algorithm", ["md5", "sha256"])
def test_a_changed_byte_is_refused_and_the_file_removed(server, tmp_path, algorithm):
    import hashlib

    expected = hashlib.new(algorithm, CONTENT).hexdigest()
    changed = bytearray(CONTENT)
    changed[250_000] ^= 1
    server.files["file.bin"] = bytes(changed)
    got = hashlib.new(algorithm, changed).hexdigest()
    message = (
        f"has the {algorithm} {got}, expected {expected}. It was damaged .* removed: run the same command"
    )
    with pytest.raises(CorpusError, match=message):
        get(server, tmp_path, checksum=f"{algorithm}:{expected}")
    assert list(tmp_path.iterdir()) == []
    server.files["file.bin"] = CONTENT
    get(server, tmp_path, checksum=f"{algorithm}:{expected}")
    assert whole_and_alone(tmp_path)


def test_a_missing_file_is_said_at_once(server, tmp_path):
    with pytest.raises(
        CorpusError, match="404 Not Found. Check the connection and try again, or .* --mirror"
    ):
        get(server, tmp_path, urls=[server.url("gone.bin")])
    assert len(server.log) == 1


@pytest.mark.parametrize("status", [500, 503, 429])
def test_a_server_in_trouble_is_asked_again(server, tmp_path, status):
    server.statuses = [status, status]
    get(server, tmp_path)
    assert whole_and_alone(tmp_path) and len(server.log) == 3


def dead_url() -> str:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{free.getsockname()[1]}/file.bin"


def test_a_dead_host_is_said_at_once(server, tmp_path, monkeypatch):
    monkeypatch.setattr(transfers.time, "sleep", lambda _: pytest.fail("waited for a host that is dead"))
    with pytest.raises(CorpusError, match="cannot connect .*refused"):
        get(server, tmp_path, urls=[dead_url()])


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:port/x", "http://a..b/x", "http:///x", "http://127.0.0.1:1/\n"]
)
def test_an_address_that_is_none_is_said_at_once(server, tmp_path, url, monkeypatch):
    monkeypatch.setattr(transfers.time, "sleep", lambda _: pytest.fail("waited for nothing"))
    with pytest.raises(CorpusError, match="could not be downloaded"):
        get(server, tmp_path, urls=[url])


def test_the_next_address_is_tried_and_goes_on_where_the_first_was_cut(server, tmp_path):
    server.files["mirror/file.bin"] = CONTENT
    server.cuts = [200_000, 0, 0, 0]
    urls = [dead_url(), server.url("gone.bin"), server.url("file.bin"), server.url("mirror/file.bin")]
    get(server, tmp_path, urls=urls)
    assert whole_and_alone(tmp_path)
    last = server.log[-1]
    assert last["path"] == "/mirror/file.bin" and last["range"] == "bytes=200000-"
    assert last["if_range"] is None  # a tag of one server says nothing to another


def test_when_all_fail_each_is_named(server, tmp_path):
    urls = [dead_url(), server.url("gone.bin")]
    with pytest.raises(CorpusError) as raised:
        get(server, tmp_path, urls=urls)
    assert all(url in str(raised.value) for url in urls)


def test_a_name_with_spaces_and_accents_is_asked_for(server, tmp_path):
    server.files["my%20corpora/%C3%A9.bin"] = CONTENT
    get(server, tmp_path, urls=[server.url("my corpora/é.bin")])
    assert whole_and_alone(tmp_path)


def test_a_full_disk_is_said_and_what_came_is_kept(server, tmp_path, monkeypatch):
    class FullDisk(io.FileIO):
        def write(self, block):
            room = 300_000 - self.tell()
            if room <= 0:
                raise OSError(errno.ENOSPC, "No space left on device")
            return super().write(block[:room])

    monkeypatch.setattr(transfers, "open", lambda path, mode, **_: FullDisk(path, mode), raising=False)
    with pytest.raises(
        CorpusError, match="cannot be written: No space left on device. What came is kept. Make"
    ):
        get(server, tmp_path)
    monkeypatch.undo()
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    assert partial_bytes(tmp_path / "file.bin") == 300_000 and len(server.log) == 1
    get(server, tmp_path)
    assert whole_and_alone(tmp_path)
    assert server.log[-1]["range"] == "bytes=300000-"


def test_progress_and_tries_are_shown_unless_quiet(server, tmp_path, capsys):
    server.cuts = [200_000]
    get(server, tmp_path, quiet=False)
    shown = capsys.readouterr()
    assert "file.bin:" in shown.err and "trying again in 0.0 s" in shown.err and "500k" in shown.err
    (tmp_path / "file.bin").unlink()
    server.cuts = [200_000]
    get(server, tmp_path, quiet=True)
    assert capsys.readouterr() == ("", "") and shown.out == ""


@pytest.mark.parametrize(
    ("size_bytes", "expected"),
    [(0, "0 bytes"), (999, "999 bytes"), (1000, "1 kB"), (337_926_286, "338 MB"), (2_748_572_632, "2.7 GB")],
)
def test_sizes_are_said_as_people_say_them(size_bytes, expected):
    assert readable_size(size_bytes) == expected
