"""uplink: one signed exchange with the collector, and nothing that only looks like one.

Every request is signed by the laptop's key. An answer counts only if it came from the address that was asked, whole,
small, soon and as JSON: a captive portal, a redirect or half an answer is the same as no answer.
"""

from __future__ import annotations

import threading
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Final

import agent
from agent.config import CollectorConfig
from agent.disk import Folder
from agent.host import Host
from agent.identity import Identity
from agent.wire.signing import (
    FETCH_COMPONENTS,
    REPORT_COMPONENTS,
    SENDING_HEADER,
    Sending,
    content_digest,
    sending_header,
    sign_request,
)

from .address import Address
from .answer import Reply, UplinkError, one_line, read_reply
from .certificates import bundle

if TYPE_CHECKING:
    import requests

__all__ = [
    "ANSWER_BYTES",
    "DOCUMENT_BYTES",
    "ECHO_PATH",
    "ENROL_PATH",
    "REPORTS_PATH",
    "SETTINGS_PATH",
    "Address",
    "Reply",
    "Uplink",
    "UplinkError",
    "connect",
]

ENROL_PATH: Final = "/agent/v1/enrol"
REPORTS_PATH: Final = "/agent/v1/reports"
ECHO_PATH: Final = "/agent/v1/echo"
SETTINGS_PATH: Final = "/agent/v1/settings"

ANSWER_BYTES: Final = 64 * 1024
"""The most that is read of an answer to a report."""
DOCUMENT_BYTES: Final = 1024 * 1024
"""The most that is read of an answer that carries the catalogue."""
CONNECT_S: Final = 5.0
READ_S: Final = 15.0
"""The longest silence in an answer."""
WHOLE_S: Final = 20.0
"""The longest that one exchange may take, however its bytes are drip-fed."""


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
        whole_s: float = WHOLE_S,
    ) -> None:
        self.address = address
        self._identity = identity
        self._host = host
        self._trusted = trusted
        self._proxy = proxy
        self._read_s = read_s
        self._whole_s = whole_s
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

    @property
    def through_proxy(self) -> bool:
        """True when this connection goes through a proxy that this laptop was told of; False before the first use."""
        return self._session is not None and not {"https", "all"}.isdisjoint(self._session.proxies)

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
        values = {"@method": method, "@authority": self.address.authority, "@path": path}
        values |= {name.lower(): value for name, value in headers.items()}
        created = int(self._host.now().timestamp())
        signed = headers | sign_request(self._identity.key, self._identity.key_id, values, components, created)
        session = self._session = self._session or self._open()
        came: SimpleQueue[Reply | Exception] = SimpleQueue()

        def ask() -> None:
            try:
                with session.request(
                    method,
                    self.address.base + path,
                    data=body,
                    headers=signed,
                    timeout=(CONNECT_S, self._read_s),
                    allow_redirects=False,
                    stream=True,
                ) as response:
                    came.put(read_reply(response, limit))
            except Exception as error:  # whatever a stranger's bytes bring about is no answer
                came.put(error)

        # The library bounds every wait for a byte, never their sum, and not the look-up of a name at all. A thread
        # that overruns is left behind and ends with the worker.
        threading.Thread(target=ask, name="uplink", daemon=True).start()
        try:
            answer = came.get(timeout=self._whole_s)
        except Empty:
            self._session = None
            raise UplinkError(f"{self.address.base}: timed out: no whole answer in {self._whole_s:g} s") from None
        match answer:
            case Reply():
                return answer
            case UplinkError():
                raise answer
            case error:
                raise UplinkError(f"{self.address.base}: {_in_words(error)}") from error

    def _open(self) -> requests.Session:
        # The import costs more CPU than everything else in a cycle: a worker that sends nothing goes without.
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


def connect(folder: Folder, link: CollectorConfig, identity: Identity, host: Host) -> Uplink:
    """An uplink to the collector of a configuration, trusting its one or two certificate files.

    Raises:
        UplinkError: no address is known, it is refused, or a certificate file is of no use.
    """
    if link.url is None:
        raise UplinkError("collector.url is not set; write it into agent.yaml or enrol with --url")
    return Uplink(
        address=Address.parse(link.url),
        identity=identity,
        host=host,
        trusted=bundle(folder, [file for file in (link.ca_file, link.extra_ca_file) if file is not None]),
        proxy=link.proxy,
    )


def _in_words(error: BaseException) -> str:
    """What the system said at the bottom of an error: libraries wrap "Connection refused" in layers of their own."""
    words, inner = str(error), error.__cause__ or error.__context__
    while inner is not None:
        words = getattr(inner, "strerror", None) or words
        inner = inner.__cause__ or inner.__context__
    return one_line(words) or type(error).__name__
