"""What every test shares: quiet libraries, real speech where there is some, skips for what is missing."""

from __future__ import annotations

import os
import shutil
from importlib.util import find_spec
from pathlib import Path

import pytest

os.environ.setdefault("MPLBACKEND", "Agg")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
if "PYTEST_XDIST_WORKER" in os.environ:  # workers with threads of their own would wait for one another
    for threads in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "TF_NUM_INTRAOP_THREADS"):
        os.environ.setdefault(threads, "1")

REPOSITORY = Path(__file__).resolve().parent.parent

# marker -> (whether this machine can run such a test, what to do where it cannot)
NEEDS = {
    "network": (os.environ.get("TINYCLONE_NETWORK") == "1", "downloads: set TINYCLONE_NETWORK=1 to run it"),
    "gpu": (shutil.which("nvidia-smi") is not None, "there is no NVIDIA GPU here"),
    "browser": (find_spec("playwright") is not None, "playwright is not installed"),
}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip, and say why, the tests that this machine cannot run."""
    for item in items:
        for marker, (can_run, reason) in NEEDS.items():
            if item.get_closest_marker(marker) and not can_run:
                item.add_marker(pytest.mark.skip(reason=reason))


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Return the folder of real speech beside the checkout; the test is skipped where there is none."""
    folder = REPOSITORY.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("the real speech of ../shared/data is not on this machine")
    return folder
