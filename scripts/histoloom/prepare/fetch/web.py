"""One question to a web server for a file or for the rest of it, and what its answer means."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from http.client import HTTPException, HTTPResponse
from urllib import error, parse, request

from histoloom.errors import InputError

SCHEMES = ("http", "https")
PASSING = {408, 425, 429}  # of the answers 4xx, these tell to come again
BLOCK_BYTES = 1 << 20


class BrokenError(Exception):
    """An attempt that failed in a way in which the next one may succeed."""


class ChangedError(BrokenError):
    """The server has another file now than the one whose beginning is here."""


@dataclass(frozen=True)
class Answer:
    """What a server sends: bytes from `start` of `total` (None: unknown); `mark` is its ETag or date of the file."""

    start: int
    total: int | None
    mark: str
    response: HTTPResponse

    def blocks(self) -> Iterator[bytes]:
        """The bytes as they come. Raises BrokenError where the connection ends or stalls."""
        done = self.start
        try:
            while block := self.response.read1(BLOCK_BYTES):
                done += len(block)
                yield block
        except (HTTPException, OSError) as problem:
            raise BrokenError(str(problem) or type(problem).__name__) from problem
        if self.total is not None and done != self.total:
            raise BrokenError(f"the connection broke after {done} of {self.total} bytes")


@contextmanager
def ask(url: str, start: int, mark: str, timeout_s: float) -> Iterator[Answer]:
    """Ask for the bytes of `url` from `start`, if the server's file still bears `mark`, else for all of it.

    The answer starts at 0 where the server knows no ranges or has another file (RFC 9110, 13.1.5 and 14.2).
    Raises BrokenError for what may pass, ChangedError where the file is another, and InputError for other addresses
    than http(s), also by redirection, and for an answer that no retry mends.
    """
    headers = {"User-Agent": "histoloom", "Accept-Encoding": "identity"}
    if start:
        headers |= {"Range": f"bytes={start}-"} | ({"If-Range": mark} if mark else {})
    try:
        response = _opener().open(request.Request(url, headers=headers), timeout=timeout_s)
    except error.HTTPError as problem:
        problem.close()
        raise _refusal(url, problem, asked_range=start > 0) from None
    except error.URLError as problem:
        raise BrokenError(str(problem.reason) or "no answer") from problem
    except (HTTPException, OSError) as problem:
        raise BrokenError(str(problem) or type(problem).__name__) from problem
    with response:
        yield _answer(response, start)


def check_address(url: str) -> None:
    """Raise InputError for what is no address of http or https."""
    try:
        parts = parse.urlsplit(url)
        is_web = parts.scheme in SCHEMES and bool(parts.hostname)
    except ValueError:
        is_web = False
    if not is_web or re.search(r"[\x00-\x20\x7f]", url):
        raise InputError(f"{url}: no address of the web; expected http(s)://... without blanks; mend 'source'")


class _WebRedirects(request.HTTPRedirectHandler):
    """Follows to http(s) alone, whatever the server says."""

    def http_error_302(self, req, fp, code, msg, headers):
        """Refuse other schemes, then go on as urllib does, which calls this for each kind of redirection."""
        target = parse.urljoin(req.full_url, headers.get("Location", ""))
        if parse.urlsplit(target).scheme not in SCHEMES:
            fp.close()
            raise InputError(
                f"{req.full_url}: the server sends on to {target}; expected http(s)://...; "
                "do not trust this address, and mend 'source' of the dataset"
            )
        return super().http_error_302(req, fp, code, msg, headers)

    http_error_301 = http_error_303 = http_error_307 = http_error_308 = http_error_302


def _opener() -> request.OpenerDirector:
    # Built from its parts: urllib's usual opener also opens file:, ftp: and data:.
    opener = request.OpenerDirector()
    for handler in (
        request.ProxyHandler(),
        request.HTTPHandler(),
        request.HTTPSHandler(),
        request.HTTPDefaultErrorHandler(),
        request.HTTPErrorProcessor(),
        _WebRedirects(),
    ):
        opener.add_handler(handler)
    return opener


def _refusal(url: str, problem: error.HTTPError, *, asked_range: bool) -> Exception:
    answer = f"the server answered {problem.code} {problem.reason}"
    if problem.code >= 500 or problem.code in PASSING:
        return BrokenError(answer)
    if problem.code == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE and asked_range:
        return ChangedError(answer)
    return InputError(
        f"{url}: {answer}; expected the file; look up its new address or whether it needs a login, "
        "and mend 'source' of the dataset"
    )


def _answer(response: HTTPResponse, start: int) -> Answer:
    etag = response.headers.get("ETag", "")
    # If-Range takes no weak ETag.
    mark = etag if etag.startswith('"') else response.headers.get("Last-Modified", "")
    if response.status != HTTPStatus.PARTIAL_CONTENT:
        length = response.headers.get("Content-Length", "")
        return Answer(0, int(length) if length.isdecimal() else None, mark, response)
    text = response.headers.get("Content-Range", "")
    match = re.fullmatch(r"bytes (\d+)-\d+/(\d+|\*)", text)
    if not match or int(match[1]) != start:
        raise ChangedError(f"asked for the bytes from {start}, the server sent '{text}'")
    return Answer(start, None if match[2] == "*" else int(match[2]), mark, response)
