"""A student opens a lesson in JupyterLab, runs it, moves a slider, presses a button and hears something."""

from __future__ import annotations

import os
import secrets
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parent.parent
LESSONS = ["00_hear_it_first", "02_mel_extraction", "08_your_own_voice"]
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
START_SEC = 120
RUN_SEC = 600
ERROR = "[data-mime-type='application/vnd.jupyter.error']"
# The browser is for this one server: it looks nowhere else.
CHROMIUM_OPTIONS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]

pytestmark = [
    pytest.mark.browser,
    pytest.mark.slow,
    pytest.mark.skipif(
        CHROMIUM is None, reason="there is no Chromium (Debian, Ubuntu: apt install chromium)"
    ),
    pytest.mark.skipif(find_spec("jupyterlab") is None, reason="jupyterlab is not installed"),
]


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def wait_until_it_answers(address: str, server: subprocess.Popen, log: Path) -> None:
    deadline = time.monotonic() + START_SEC
    while time.monotonic() < deadline and server.poll() is None:
        try:
            with urllib.request.urlopen(address, timeout=5):
                return
        except OSError:
            time.sleep(0.3)
    raise AssertionError(f"JupyterLab did not start:\n{log.read_text()[-3000:]}")


@pytest.fixture(scope="module")
def laboratory(tmp_path_factory) -> Iterator[tuple[str, str]]:
    """JupyterLab with copies of the lessons and settings of its own; its address and token."""
    folder = tmp_path_factory.mktemp("laboratory")
    shutil.copytree(REPOSITORY / "lessons", folder / "lessons")
    settings = folder / "settings" / "@jupyterlab" / "notebook-extension"
    settings.mkdir(parents=True)
    # By default JupyterLab draws only the cells in sight.
    (settings / "tracker.jupyterlab-settings").write_text('{"windowingMode": "none"}')
    news = folder / "settings" / "@jupyterlab" / "apputils-extension"
    news.mkdir(parents=True)
    (news / "notification.jupyterlab-settings").write_text('{"fetchNews": "false", "checkForUpdates": false}')
    own = {name: str(folder / name.lower()) for name in ("CONFIG_DIR", "DATA_DIR", "RUNTIME_DIR")}
    environment = {name: value for name, value in os.environ.items() if name != "MPLBACKEND"}
    environment |= {f"JUPYTER_{name}": path for name, path in own.items()}
    environment |= {
        "JUPYTERLAB_SETTINGS_DIR": str(folder / "settings"),
        "JUPYTERLAB_WORKSPACES_DIR": str(folder / "workspaces"),
        "IPYTHONDIR": str(folder / "ipython"),
        "PYTHONPATH": str(REPOSITORY),
        "TINYCLONE_FAST": "1",
    }
    port, token, log = free_port(), secrets.token_hex(16), folder / "log.txt"
    command = [sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", "--expose-app-in-browser"]
    command += ["--ServerApp.ip=127.0.0.1", f"--ServerApp.port={port}", "--ServerApp.port_retries=0"]
    command += [f"--IdentityProvider.token={token}", f"--ServerApp.root_dir={folder / 'lessons'}"]
    with log.open("w") as output:
        server = subprocess.Popen(command, cwd=folder, env=environment, stdout=output, stderr=output)
    address = f"http://127.0.0.1:{port}"
    try:
        wait_until_it_answers(f"{address}/api/status?token={token}", server, log)
        yield address, token
    finally:
        server.terminate()
        try:
            server.wait(timeout=30)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()


@pytest.fixture(scope="module")
def browser():
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=CHROMIUM_OPTIONS)
        yield chromium
        chromium.close()


@pytest.fixture(params=LESSONS)
def lesson(request, laboratory, browser):
    """The page of a lesson all of whose cells have just been run, and its name."""
    name = request.param
    if not (REPOSITORY / "lessons" / f"{name}.ipynb").is_file():
        pytest.skip(f"lesson {name} is still to come")
    address, token = laboratory
    page = browser.new_page(viewport={"width": 1280, "height": 1000})
    page.set_default_timeout(60_000)
    page.goto(f"{address}/lab/workspaces/{name}/tree/{name}.ipynb?token={token}")
    page.wait_for_selector(".jp-Notebook .jp-CodeCell")
    page.wait_for_function(
        "() => window.jupyterapp.shell.currentWidget?.sessionContext?.session?.kernel?.status === 'idle'"
    )
    # The promise is kept when the last cell has been run.
    page.set_default_timeout(RUN_SEC * 1000)
    page.evaluate("async () => { await window.jupyterapp.commands.execute('notebook:run-all-cells'); }")
    page.set_default_timeout(60_000)
    yield page, name
    kernel = "window.jupyterapp.shell.currentWidget.sessionContext.shutdown()"
    page.evaluate(f"async () => {{ await {kernel}; }}")
    page.close()


def wait_until_idle(page) -> None:
    page.wait_for_timeout(500)  # the message that makes the kernel busy is on its way
    page.wait_for_function(
        "() => window.jupyterapp.shell.currentWidget.sessionContext.session.kernel.status === 'idle'",
        timeout=RUN_SEC * 1000,
    )
    page.wait_for_timeout(500)  # and what it put out is being drawn


def seconds_of_sound(players) -> list[float]:
    """Return how long the sounds last that these players could play."""
    return players.evaluate_all(
        """players => Promise.all(players.map(player => new Promise(done => {
            if (player.readyState >= 1) { done(player.duration); return; }
            player.onloadedmetadata = () => done(player.duration);
            player.onerror = () => done(-1);
            player.load();
        })))"""
    )


def shown_in(form) -> list[str]:
    """Return what can be read, seen and heard in a form."""
    return form.evaluate(
        """form => [form.innerText,
            ...[...form.querySelectorAll('audio, audio source, img')].map(one => one.src)]"""
    )


def test_a_lesson_can_be_run_and_played_with(lesson, tmp_path):
    page, name = lesson
    notebook = page.locator(".jp-NotebookPanel:visible .jp-Notebook")
    assert notebook.locator(ERROR).all_inner_texts() == []
    sounds = seconds_of_sound(notebook.locator("audio"))
    assert len(sounds) >= 3
    assert min(sounds) > 0.3, "a player that cannot play its sound"

    form = notebook.locator(".jp-OutputArea-output:has(.jupyter-button):has(.noUi-handle)").last
    form.scroll_into_view_if_needed()
    page.screenshot(path=tmp_path / f"{name}_before.png")
    readout = form.locator(".widget-readout").first
    value_before = readout.inner_text()
    handle = form.locator(".noUi-handle").first
    handle.focus()
    handle.press("ArrowRight")
    assert readout.inner_text() != value_before, "the slider did not move"

    wait_until_idle(page)
    shown_before = shown_in(form)
    form.locator(".jupyter-button").last.click()
    wait_until_idle(page)
    page.screenshot(path=tmp_path / f"{name}_after.png")
    assert shown_in(form) != shown_before, "the button changed nothing"
    sounds = seconds_of_sound(form.locator("audio"))
    assert sounds and min(sounds) > 0.3
    assert notebook.locator(ERROR).all_inner_texts() == []
