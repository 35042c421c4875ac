"""A headless Chromium driven over its debugging pipe: no driver, no port, no network."""

import base64
import json
import os
import select
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any

import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
_WAIT_SECONDS = 60.0

# Chromium reads commands from file 3 and answers on file 4.
_LAUNCH = """
import fcntl, os, sys
ends = [fcntl.fcntl(int(number), fcntl.F_DUPFD, 10) for number in sys.argv[1:3]]
os.dup2(ends[0], 3)
os.dup2(ends[1], 4)
os.execvp(sys.argv[3], sys.argv[3:])
"""


def find_chromium() -> str:
    """The browser's path; without one the test is skipped, in CI it fails."""
    found = next((path for name in NAMES if (path := shutil.which(name))), None)
    if found is None:
        reason = f"no browser: none of {', '.join(NAMES)} is on PATH (`make browser` installs one)"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    return found


@dataclass(frozen=True, slots=True)
class View:
    """How a page is looked at."""

    width: int
    height: int
    scheme: str = "light"


@dataclass
class Chromium:
    """One browser with one page; events of the page are kept in order."""

    binary: str
    events: list[dict[str, Any]] = field(default_factory=list)

    def __enter__(self) -> "Chromium":
        self._profile = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
        commands, self._to = os.pipe()
        self._from, answers = os.pipe()
        options = [
            "--headless=new",
            "--remote-debugging-pipe",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--disable-background-networking",
            "--disable-component-update",
            "--no-first-run",
            "--host-resolver-rules=MAP * ~NOTFOUND",
            f"--user-data-dir={self._profile.name}",
        ]
        if os.geteuid() == 0:
            options.append("--no-sandbox")
        self._process = subprocess.Popen(
            [sys.executable, "-c", _LAUNCH, str(commands), str(answers), self.binary, *options],
            pass_fds=(commands, answers),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(commands)
        os.close(answers)
        self._number, self._rest, self._session = 0, b"", ""
        target = self._call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self._call("Target.attachToTarget", targetId=target, flatten=True)[
            "sessionId"
        ]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self._call(f"{domain}.enable")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        # Closing its pipe ends Chromium; it is killed if it does not heed that.
        os.close(self._to)
        os.close(self._from)
        try:
            self._process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._profile.cleanup()

    def open(self, file: Path, view: View, *, medium: str = "screen") -> None:
        """Show a file; returns when it has loaded. Forgets earlier events."""
        self._call(
            "Emulation.setDeviceMetricsOverride",
            width=view.width,
            height=view.height,
            deviceScaleFactor=1,
            mobile=view.width < 600,
        )
        scheme = {"name": "prefers-color-scheme", "value": view.scheme}
        self._call("Emulation.setEmulatedMedia", media=medium, features=[scheme])
        self.events.clear()
        answer = self._call("Page.navigate", url=file.as_uri())
        assert "errorText" not in answer, answer
        self._wait_for(lambda: any(e["method"] == "Page.loadEventFired" for e in self.events))

    def ask(self, expression: str) -> Any:
        """The value of a JavaScript expression in the page."""
        answer = self._call("Runtime.evaluate", expression=expression, returnByValue=True)
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    def requests(self) -> list[str]:
        """What the page has asked for since it was opened, itself included."""
        return [
            event["params"]["request"]["url"]
            for event in self.events
            if event["method"] == "Network.requestWillBeSent"
        ]

    def complaints(self) -> list[str]:
        """Console messages, log entries (blocked loads too) and errors since it was opened."""
        kinds = ("Runtime.consoleAPICalled", "Runtime.exceptionThrown", "Log.entryAdded")
        return [json.dumps(one["params"]) for one in self.events if one["method"] in kinds]

    def screenshot(self, file: Path) -> None:
        """The whole page as PNG."""
        shot = self._call("Page.captureScreenshot", captureBeyondViewport=True)
        file.write_bytes(base64.b64decode(shot["data"]))

    def _call(self, method: str, **params: Any) -> Any:
        self._number += 1
        number = self._number
        message = {"id": number, "method": method, "params": params}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._to, json.dumps(message).encode() + b"\0")
        found: list[dict[str, Any]] = []

        def answered() -> bool:
            found.extend(one for one in self.events if one.get("id") == number)
            return bool(found)

        self._wait_for(answered)
        self.events = [one for one in self.events if "id" not in one]
        assert "error" not in found[0], found[0]
        return found[0]["result"]

    def _wait_for(self, is_done: Any) -> None:
        end = time.monotonic() + _WAIT_SECONDS
        while not is_done():
            left = end - time.monotonic()
            assert left > 0, f"{self.binary} did not answer within {_WAIT_SECONDS:g} s"
            if not select.select([self._from], [], [], left)[0]:
                continue
            chunk = os.read(self._from, 1 << 20)
            assert chunk, f"{self.binary} has ended"
            *whole, self._rest = (self._rest + chunk).split(b"\0")
            self.events += [json.loads(one) for one in whole]
