"""A headless Chromium, driven through its DevTools pipe with the standard library alone."""

import json
import os
import select
import shutil
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

PROGRAM = shutil.which("chromium") or shutil.which("chromium-browser")

#: marks of tests that need it
NEEDED = [
    pytest.mark.slow,
    pytest.mark.skipif(PROGRAM is None, reason="needs Chromium (Debian's package chromium)"),
]
#: desktop and phones, light and dark
WINDOWS = pytest.mark.parametrize(("width", "dark"), [(1280, False), (1280, True), (390, False), (320, True)])


class Browser:
    """One page. said: console messages and exceptions since the last open."""

    def __init__(self, home: Path):
        down, self._down = os.pipe()
        self._up, up = os.pipe()
        line = (
            f'exec "{PROGRAM}" --headless=new --no-sandbox --disable-gpu --no-first-run --disable-dev-shm-usage '
            f'--remote-debugging-pipe --user-data-dir="{home}" about:blank 3<&{down} 4>&{up}'
        )
        self._process = subprocess.Popen(
            ["/bin/bash", "-c", line], pass_fds=(down, up), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        os.close(down)
        os.close(up)
        self._rest, self._number, self._session = b"", 0, None
        self.said: list[str] = []
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")

    def __enter__(self) -> "Browser":
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.wait(timeout=10)
        os.close(self._down)
        os.close(self._up)

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        self._number += 1
        message = {"id": self._number, "method": method, "params": parameters}
        if self._session is not None:
            message["sessionId"] = self._session
        os.write(self._down, json.dumps(message).encode() + b"\0")
        while (answer := self._read()).get("id") != self._number:
            self._note(answer)
        assert "error" not in answer, answer
        return answer["result"]

    def _read(self, seconds: float = 60) -> dict[str, Any]:
        until = time.monotonic() + seconds
        while b"\0" not in self._rest:
            ready, _, _ = select.select([self._up], [], [], max(0.0, until - time.monotonic()))
            assert ready, "Chromium does not answer"
            self._rest += os.read(self._up, 1 << 20)
        message, self._rest = self._rest.split(b"\0", 1)
        return json.loads(message)

    def _note(self, event: dict[str, Any]) -> str:
        method, parameters = event.get("method", ""), event.get("params", {})
        url = parameters.get("request", {}).get("url", "")
        if method in ("Runtime.consoleAPICalled", "Runtime.exceptionThrown", "Log.entryAdded"):
            self.said.append(json.dumps(parameters))
        elif method == "Network.requestWillBeSent" and not url.startswith(("file:", "data:")):
            self.said.append(f"asks the network for {url}")
        return method

    def open(self, path: Path, width: int, height: int = 900, *, dark: bool = False) -> None:
        """Loads a file in a window of that size; returns when it is there."""
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", features=[scheme])
        self.said.clear()
        self.call("Page.navigate", url=path.resolve().as_uri())
        while self._note(self._read()) != "Page.loadEventFired":
            pass

    def run(self, script: str) -> Any:
        """The value of an expression in the page."""
        done = self.call("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in done, done
        return done["result"].get("value")

    def key(self, name: str) -> None:
        code = {"Tab": 9, "ArrowRight": 39, "ArrowLeft": 37, "End": 35, "Enter": 13}[name]
        text = {"text": "\r"} if name == "Enter" else {}
        self.call("Input.dispatchKeyEvent", type="keyDown", key=name, code=name, windowsVirtualKeyCode=code, **text)
        self.call("Input.dispatchKeyEvent", type="keyUp", key=name, code=name, windowsVirtualKeyCode=code)

    def point(self, selector: str) -> None:
        """Moves the mouse over the middle of what the selector finds first."""
        x, y = self.run(
            f"(() => {{const e = document.querySelector({json.dumps(selector)});"
            "e.scrollIntoView({block: 'center', behavior: 'instant'}); const b = e.getBoundingClientRect();"
            "return [b.x + b.width / 2, b.y + b.height / 2]})()"
        )
        self.call("Input.dispatchMouseEvent", type="mouseMoved", x=x, y=y)

    def shot(self) -> bytes:
        """A PNG of the window, base64."""
        return self.call("Page.captureScreenshot")["data"].encode()

    def pdf(self) -> bytes:
        return self.call("Page.printToPDF", printBackground=True)["data"].encode()
