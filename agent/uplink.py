"""uplink: one signed exchange with the collector, and nothing that only looks like one.

Every request is signed by the laptop's key. An answer counts only if it came from the address that was asked, whole,
small and as JSON: a captive portal, a redirect or half an answer is the same as no answer.
"""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING, Final, TypeVar
from urllib.parse import urlsplit

import msgspec

import agent
from agent.config import CollectorConfig
from agent.disk import Folder
from agent.host import Host
from agent.identity import Identity
from agent.wire.problems import Problem
from agent.wire.signing import (
    FETCH_COMPONENTS,
    REPORT_COMPONENTS,
    SENDING_HEADER,
    Sending,
    content_digest,
    sending_header,
    sign_request,
)

if TYPE_CHECKING:
    import requests

ENROL_PATH: Final = "/agent/v1/enrol"
REPORTS_PATH: Final = "/agent/v1/reports"
SETTINGS_PATH: Final = "/agent/v1/settings"

ANSWER_BYTES: Final = 64 * 1024
"""The most that is read of an answer to a report."""
DOCUMENT_BYTES: Final = 1024 * 1024
"""The most that is read of an answer that carries the catalogue."""
CONNECT_S: Final = 5.0
READ_S: Final = 20.0
BUNDLE: Final = "ca-bundle.pem"

_DEFAULT_PORTS: Final = {"https": 443, "http": 80}
_JSON_TYPES: Final = frozenset({"application/json", "application/problem+json"})
_T = TypeVar("_T")


class UplinkError(Exception):
    """No usable answer. The message says what came instead."""


class Address(msgspec.Struct, frozen=True, kw_only=True):
    """Where a collector is."""

    base: str
    """Scheme and authority, without a slash at the end."""
    authority: str
    """Host, and port unless it is the scheme's own: as it is signed."""
    loopback: bool

    @classmethod
    def parse(cls, url: str) -> Address:
        """Read the configured URL.

        Raises:
            UplinkError: it is not an https URL of a host (http only to this machine).
        """
        try:
            parts = urlsplit(url)
            host, port = parts.hostname, parts.port
        except ValueError as error:
            raise UplinkError(f"{url}: {error}; write https://host") from error
        bare = not (parts.path.strip("/") or parts.query or parts.fragment or "@" in parts.netloc)
        if not host or not bare or parts.scheme not in _DEFAULT_PORTS:
            raise UplinkError(f"{url}: not a collector's address; write https://host, without a path")
        loopback = _is_loopback(host)
        if parts.scheme == "http" and not loopback:
            raise UplinkError(f"{url}: reports would travel unprotected; write https://")
        shown = f"[{host}]" if ":" in host else host
        authority = shown if port in (None, _DEFAULT_PORTS[parts.scheme]) else f"{shown}:{port}"
        return cls(base=f"{parts.scheme}://{authority}", authority=authority, loopback=loopback)


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


class Reply(msgspec.Struct, frozen=True, kw_only=True):
    """A whole JSON answer."""

    status: int
    body: bytes
    problem: str = ""
    """Type of the problem that the collector names; empty for none."""
    detail: str = ""
    retry_after_s: float | None = None
    date: str = ""
    """The Date header."""

    def read(self, struct: type[_T], *accepted: int) -> _T:
        """The body, where the status is one of those accepted.

        Raises:
            UplinkError: another status, or a body that is not of this form.
        """
        if self.status not in accepted:
            raise UplinkError(f"{self.status} {self.problem} {self.detail}".rstrip())
        try:
            return msgspec.json.decode(self.body, type=struct)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise UplinkError(f"the answer is not what a collector says: {error}") from error


class Uplink:
    """A connection to the collector that is opened when it is first used.

    Args:
        trusted: a file of certificates (PEM) to trust; None for the public ones.
        proxy: URL of a proxy; None to take what the environment says.
    """

    def __init__(
        self,
        *,
        address: Address,
        identity: Identity,
        host: Host,
        trusted: str | None = None,
        proxy: str | None = None,
        read_s: float = READ_S,
    ) -> None:
        self.address = address
        self._identity = identity
        self._host = host
        self._trusted = trusted
        self._proxy = proxy
        self._read_s = read_s
        self._session: requests.Session | None = None

    def post(self, path: str, body: bytes, limit: int = ANSWER_BYTES, dropped: int = 0) -> Reply:
        """Send gzip-encoded JSON.

        Args:
            dropped: how many reports of the same state epoch were given up until now.

        Raises:
            UplinkError: no usable answer came.
        """
        sending = Sending(boot_id=self._host.boot_id(), uptime_s=self._host.uptime_s(), dropped=dropped)
        headers = {
            "Content-Type": "application/json",
            "Content-Encoding": "gzip",
            "Content-Digest": content_digest(body),
            SENDING_HEADER: sending_header(sending),
        }
        return self._exchange("POST", path, headers, REPORT_COMPONENTS, body, limit)

    def get(self, path: str, limit: int = DOCUMENT_BYTES) -> Reply:
        """Fetch a document.

        Raises:
            UplinkError: no usable answer came.
        """
        return self._exchange("GET", path, {}, FETCH_COMPONENTS, None, limit)

    def close(self) -> None:
        """Close the connection."""
        if self._session is not None:
            self._session.close()
            self._session = None

    def _exchange(
        self,
        method: str,
        path: str,
        headers: dict[str, str],
        components: tuple[str, ...],
        body: bytes | None,
        limit: int,
    ) -> Reply:
        # The import costs more CPU than everything else in a cycle: a worker that sends nothing goes without.
        import requests
        import urllib3

        values = {"@method": method, "@authority": self.address.authority, "@path": path}
        values |= {name.lower(): value for name, value in headers.items()}
        created = int(self._host.now().timestamp())
        signed = headers | sign_request(self._identity.key, self._identity.key_id, values, components, created)
        self._session = self._session or self._open()
        try:
            with self._session.request(
                method,
                self.address.base + path,
                data=body,
                headers=signed,
                timeout=(CONNECT_S, self._read_s),
                allow_redirects=False,
                stream=True,
            ) as response:
                return _read(response, limit)
        except (requests.RequestException, urllib3.exceptions.HTTPError, OSError) as error:
            raise UplinkError(f"{self.address.base}: {error}") from error

    def _open(self) -> requests.Session:
        import requests

        session = requests.Session()
        # Without this a ~/.netrc would add credentials, and the environment could replace the certificates.
        session.trust_env = False
        session.headers.clear()
        session.headers["User-Agent"] = f"farhand-agent/{agent.__version__}"
        session.headers["Accept-Encoding"] = "identity"
        if not self.address.loopback:
            if self._proxy is not None:
                session.proxies = {"https": self._proxy}
            else:
                session.proxies = dict(requests.utils.get_environ_proxies(self.address.base))
        if self._trusted is not None:
            session.verify = self._trusted
        return session


def _read(response: requests.Response, limit: int) -> Reply:
    """Turn a response into a reply, once it is certain that a collector wrote it."""
    if response.is_redirect or 300 <= response.status_code < 400:
        raise UplinkError(f"{response.status_code}: a redirect is not followed; is this network behind a sign-in page?")
    content_type = response.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    if content_type not in _JSON_TYPES or response.headers.get("Content-Encoding", "identity") != "identity":
        raise UplinkError(
            f"{response.status_code}: got {content_type or 'something without a type'} in place of JSON; "
            "is this network behind a sign-in page?"
        )
    body = b""
    # Only a read that finds nothing more notices that the connection ended early.
    while len(body) <= limit and (more := response.raw.read(limit + 1 - len(body))):
        body += more
    if len(body) > limit:
        raise UplinkError(f"{response.status_code}: the answer is longer than {limit} bytes")
    problem = Problem(type="", title="", status=response.status_code)
    if content_type == "application/problem+json":
        try:
            problem = msgspec.json.decode(body, type=Problem)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise UplinkError(f"{response.status_code}: the problem is not readable: {error}") from error
    retry_after = response.headers.get("Retry-After", "")
    return Reply(
        status=response.status_code,
        body=body,
        problem=problem.type,
        detail=problem.detail or problem.title,
        retry_after_s=float(retry_after) if retry_after.isascii() and retry_after.isdigit() else None,
        date=response.headers.get("Date", ""),
    )


def connect(folder: Folder, link: CollectorConfig, identity: Identity, host: Host) -> Uplink:
    """An uplink to the collector of a configuration, trusting its one or two certificate files.

    Raises:
        UplinkError: no address is known, it is refused, or a certificate file cannot be read.
    """
    if link.url is None:
        raise UplinkError("collector.url is not set; write it into agent.yaml or enrol with --url")
    return Uplink(
        address=Address.parse(link.url),
        identity=identity,
        host=host,
        trusted=_bundle(folder, [file for file in (link.ca_file, link.extra_ca_file) if file is not None]),
        proxy=link.proxy,
    )


def _bundle(folder: Folder, files: list[str]) -> str | None:
    """One file that holds all the certificates: the HTTP library takes no more than one."""
    if not files:
        return None
    try:
        certificates = b"\n".join(open_bytes(file) for file in files)
        if folder.read(BUNDLE) != certificates:
            folder.save(BUNDLE, certificates)
    except OSError as error:
        raise UplinkError(
            f"{error.filename or folder.path}: {error.strerror}; check ca_file and extra_ca_file"
        ) from error
    return str(folder.path / BUNDLE)


def open_bytes(path: str) -> bytes:
    """A file's bytes."""
    with open(path, "rb") as file:
        return file.read()
