"""A person with a browser without JavaScript, and with an API key: what a real client can do, and no more."""

import re
import time
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import httpx

PATIENCE_SECONDS = 120


class Failed(Exception):
    """Something in the story did not go as told."""


class Form:
    """A form as it stands on a page, with what is filled in already."""

    def __init__(self, action: str, url: str) -> None:
        self.action = urljoin(url, action) if action else url
        self.fields: dict[str, Any] = {}


class _Forms(HTMLParser):
    """Collects the forms of a page, as a browser would send them."""

    def __init__(self, url: str) -> None:
        super().__init__()
        self.found: list[Form] = []
        self._url = url
        self._form: Form | None = None
        self._select: str | None = None

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        said = dict(attributes)
        if tag == "form" and (said.get("method") or "").lower() == "post":
            self._form = Form(said.get("action") or "", self._url)
            self.found.append(self._form)
        elif tag == "form":
            self._form = None
        elif self._form is None or "disabled" in said:
            return
        elif tag == "input" and said.get("name"):
            self._input(self._form, said)
        elif tag == "select":
            self._select = said.get("name")
        elif tag == "option" and self._select and "selected" in said:
            self._form.fields[self._select] = said.get("value") or ""
        elif tag == "textarea" and said.get("name"):
            self._form.fields[str(said["name"])] = ""

    def _input(self, form: Form, said: dict[str, str | None]) -> None:
        kind, name = (said.get("type") or "text").lower(), str(said["name"])
        if kind in {"file", "submit", "button", "image"}:
            return
        if kind in {"radio", "checkbox"} and "checked" not in said:
            return
        form.fields[name] = said.get("value") or ("on" if kind == "checkbox" else "")

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._form = None
        elif tag == "select":
            self._select = None


class Person:
    """Somebody with a browser; once they have made a key, also with a program."""

    def __init__(self, site: str, name: str, address: str) -> None:
        self.site, self.name, self.address = site, name, address
        self.browser = httpx.Client(
            base_url=site,
            follow_redirects=True,
            timeout=60,
            headers={"Accept-Language": "en", "User-Agent": "voltbazaar-story"},
        )
        self.program = httpx.Client(base_url=site, timeout=60, headers={"Accept-Language": "en"})

    def leave(self) -> None:
        """Close the browser and the program."""
        self.browser.close()
        self.program.close()

    # --- pages ------------------------------------------------------------------------------------

    def look(self, path: str) -> httpx.Response:
        """Open a page."""
        return self._good(self.browser.get(path))

    def fill(
        self,
        path: str,
        answers: dict[str, Any],
        *,
        action: str | None = None,
        files: dict[str, tuple[str, bytes, str]] | None = None,
    ) -> httpx.Response:
        """Open a page, fill in the form on it, and send it.

        :param action: part of the form's address; none: the form that sends to its own page
        """
        opened = self.look(path)
        reader = _Forms(str(opened.url))
        reader.feed(opened.text)
        here = str(opened.url).partition("?")[0]
        wanted = [
            form
            for form in reader.found
            if (action in form.action if action else form.action.partition("?")[0] == here)
        ]
        if not wanted:
            raise Failed(f"{opened.url} has no form for {action or 'itself'}")
        form = wanted[0]
        sent = self.browser.post(
            form.action,
            data={**form.fields, **answers},
            files=files,
            headers={"Referer": form.action},
        )
        return self._good(sent)

    # --- the API ----------------------------------------------------------------------------------

    def make_key(self) -> None:
        """Make an API key with the session of the browser."""
        token = self.browser.cookies.get("csrftoken") or ""
        answer = self.browser.post(
            "/api/v1/tokens/",
            json={"name": "story", "days": 1},
            headers={"X-CSRFToken": token, "Referer": self.site},
        )
        secret = self._good(answer).json()["secret"]
        self.program.headers["Authorization"] = f"Bearer {secret}"

    def ask(self, path: str) -> Any:
        """Read something through the API."""
        return self._call("GET", path)

    def tell(self, path: str, body: dict[str, Any] | None = None, **more: Any) -> Any:
        """Do something through the API."""
        return self._call("POST", path, json=body or {}, **more)

    def send(self, path: str, fields: dict[str, Any], files: dict[str, Any]) -> Any:
        """Do something through the API, with files."""
        return self._call("POST", path, data=fields, files=files)

    def fetch(self, path: str) -> bytes:
        """Fetch a file through the API."""
        return self._good(self.program.get(path)).content

    def _call(self, method: str, path: str, **more: Any) -> Any:
        answer = self._good(self.program.request(method, path, **more))
        return answer.json() if answer.content else None

    def _good(self, answer: httpx.Response) -> httpx.Response:
        if answer.status_code >= 400:
            said = re.sub(r"<(script|style).*?</\1>|<[^>]+>", " ", answer.text, flags=re.DOTALL)
            said = " ".join(said.split())[:600]
            raise Failed(
                f"{answer.request.method} {answer.request.url} answered {answer.status_code}: {said}"
            )
        return answer


def wait_for(what: str, look: Callable[[], Any]) -> Any:
    """Look again and again until there is something: the work is done by real jobs.

    :raises Failed: if nothing comes
    """
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        found = look()
        if found:
            return found
        time.sleep(0.25)
    raise Failed(f"waited {PATIENCE_SECONDS} s for {what}")


def code_sent_to(address: str, logs: Path) -> str | None:
    """Read the newest one-time code that was sent to an address: the demo prints its mail and its texts."""
    to = re.escape(address)
    patterns = (
        rf"SMS to {to}: \D*?(\d{{6}})",
        rf"Subject: \D*?(\d{{6}})[^\n]*\nFrom: [^\n]*\nTo: {to}\n",
    )
    codes = []
    for log in sorted(logs.glob("*.log")):
        said = log.read_text(encoding="utf-8", errors="replace").replace("\\n", "\n")
        codes += [one.group(1) for pattern in patterns for one in re.finditer(pattern, said)]
    return codes[-1] if codes else None
