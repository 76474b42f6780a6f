"""The public corpora that tinyclone knows: where they lie, how large they are, how to tell them whole."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tinyclone.errors import CorpusError

__all__ = ["KNOWN", "NAMES", "Download", "common_voice_refusal"]

COMMON_VOICE_PAGE = "https://commonvoice.mozilla.org/en/datasets"
# Mozilla moved every release there in October 2025, behind an account.
DATA_COLLECTIVE_PAGE = "https://mozilladatacollective.com/organization/cmfh0j9o10006ns07jq45h7xk"
OPENSLR_SERVERS = ("www.openslr.org", "openslr.trmal.net", "openslr.elda.org", "openslr.magicdatatech.com")
DATASHARE = "https://datashare.ed.ac.uk"


@dataclass(frozen=True)
class Download:
    """An archive on the web, and the corpus in it.

    Parameters
    ----------
    name : str
        What `fetch` calls it.
    urls : tuple of str
        Its makers' address and their official mirrors, in the order in which they are tried.
    filename : str
        Name of the archive.
    checksum : str
        ``"md5:..."`` or ``"sha256:..."`` of the archive.
    size_bytes : int
        Length of the archive.
    unpacked_bytes : int
        Room that the unpacked corpus takes.
    unpacked_folder : str
        Where the corpus lies afterwards, below the folder given to `fetch`.
    inside : str
        Where the corpus lies in the archive; ``""`` for an archive without a folder of its own.
    recordings : int or None
        How many sound files belong to it; None where that is not certain.
    licence : str
        What its makers allow, in a few words.
    page : str
        The page of its makers.
    card : str
        Its data card, in the repository of tinyclone.
    """

    name: str
    urls: tuple[str, ...]
    filename: str
    checksum: str
    size_bytes: int
    unpacked_bytes: int
    unpacked_folder: str
    inside: str
    recordings: int | None
    licence: str
    page: str
    card: str


def _librispeech(subset: str, md5: str, size_bytes: int, recordings: int) -> Download:
    # The md5 is that of OpenSLR's own list, https://www.openslr.org/resources/12/md5sum.txt.
    filename = f"{subset}.tar.gz"
    return Download(
        name=f"librispeech-{subset}",
        urls=tuple(f"https://{server}/resources/12/{filename}" for server in OPENSLR_SERVERS),
        filename=filename,
        checksum=f"md5:{md5}",
        size_bytes=size_bytes,
        unpacked_bytes=size_bytes * 21 // 20,  # FLAC hardly shrinks in a .tar.gz
        unpacked_folder=f"LibriSpeech/{subset}",
        inside=f"LibriSpeech/{subset}",
        recordings=recordings,
        licence="CC BY 4.0",
        page="https://www.openslr.org/12",
        card="datasets/LibriSpeech.md",
    )


_DOWNLOADS = (
    Download(
        name="ljspeech",
        urls=("https://data.keithito.com/data/speech/LJSpeech-1.1.tar.bz2",),
        filename="LJSpeech-1.1.tar.bz2",
        # Its page states none; this is what torchaudio, Homebrew and others have measured alike.
        checksum="sha256:be1a30453f28eb8dd26af4101ae40cbf2c50413b1bb21936cbcdc6fae3de8aa5",
        size_bytes=2_748_572_632,
        unpacked_bytes=3_801_111_440,
        unpacked_folder="LJSpeech-1.1",
        inside="LJSpeech-1.1",
        recordings=13_100,
        licence="public domain",
        page="https://keithito.com/LJ-Speech-Dataset/",
        card="datasets/LJSpeech.md",
    ),
    _librispeech("dev-clean", "42e2234ba48799c1f50f24a7926300a1", 337_926_286, 2_703),
    _librispeech("dev-other", "c8d0bcc9cca99d4f8b62fcc847357931", 314_305_928, 2_864),
    _librispeech("test-clean", "32fa31d27d2e1cad72775fee3f4849a9", 346_663_984, 2_620),
    _librispeech("test-other", "fb5a50374b501bb3bac4815ee91d3135", 328_757_843, 2_939),
    _librispeech("train-clean-100", "2a93770f6d5c6c964bc36631d331a522", 6_387_309_499, 28_539),
    _librispeech("train-clean-360", "c0e676e450a7ff2f54aeade5171606fa", 23_049_477_885, 104_014),
    _librispeech("train-other-500", "d1a0fd59409feb2c614ce4d30c387708", 30_593_501_606, 148_688),
    Download(
        name="vctk",
        urls=(
            f"{DATASHARE}/server/api/core/bitstreams/535f4286-e54c-4038-838c-a02285e32cb2/content",
            f"{DATASHARE}/bitstream/handle/10283/3443/VCTK-Corpus-0.92.zip",
        ),
        filename="VCTK-Corpus-0.92.zip",
        # The md5 that Edinburgh DataShare states for the file; it is also the ETag of its server.
        checksum="md5:8a6ba2946b36fcbef0212cad601f4bfa",
        size_bytes=11_747_302_977,
        unpacked_bytes=11_747_302_977 * 21 // 20,
        unpacked_folder="VCTK-Corpus-0.92",
        inside="",
        recordings=None,
        licence="CC BY 4.0",
        page=f"{DATASHARE}/handle/10283/3443",
        card="datasets/VCTK.md",
    ),
)
KNOWN: dict[str, Download] = {one.name: one for one in _DOWNLOADS}
KNOWN["librispeech"] = KNOWN["librispeech-dev-clean"]
NAMES = (*KNOWN, "tinyvoices", "common-voice")


def common_voice_refusal(folder: Path) -> CorpusError:
    """Return the error that says where Common Voice is to be had, and where to put it."""
    place = folder / "CommonVoice"
    return CorpusError(
        "Mozilla gives Common Voice only to people with an account, so this command cannot fetch it. "
        f"(1) Open {DATA_COLLECTIVE_PAGE} ({COMMON_VOICE_PAGE} leads there), sign in and agree to the terms. "
        "(2) Choose `Common Voice Scripted Speech` of your language and download its .tar.gz. "
        f"(3) Unpack it: `mkdir -p {place} && tar -xzf THE_FILE.tar.gz -C {place}`. "
        "(4) Give the folder that holds validated.tsv and clips/ to the other commands, such as: "
        f"`tinyclone inspect {place / 'cv-corpus-RELEASE' / 'en'}`."
    )
