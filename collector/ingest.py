"""ingest: from a request's headers and bytes to a verified arrival, in the order that costs an attacker most.

Headers first: the signature is verified over them before one byte of the body is read. Then the encoded size, the
digest over the encoded bytes, the decoded size, the envelope, and whether the report is about the key's own device.
Never judges.
"""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Mapping
from datetime import datetime
from typing import Final

import msgspec

from agent.wire.problems import ProblemName
from agent.wire.report import WireError, decode_report
from agent.wire.signing import (
    FETCH_COMPONENTS,
    REPORT_COMPONENTS,
    SENDING_HEADER,
    SignatureError,
    SignatureInput,
    digest_matches,
    parse_signature,
    parse_signature_input,
    signature_base,
)

from .hashing import sealed
from .instants import to_ms
from .keys import DeviceKey, verify
from .projection import Sent, skew_s
from .store.rows import Arrival
from .streams import Heard

MAX_HEADER: Final = 1024
MAX_MEASUREMENTS: Final = 256
"""In one report: ten times what there are kinds."""


class Refused(Exception):  # noqa: N818 - an answer to the sender, not an error of this program
    """The request gets this problem as its answer."""

    def __init__(self, problem: ProblemName, status: int, detail: str, retry_after_s: int | None = None) -> None:
        super().__init__(detail)
        self.problem: ProblemName = problem
        self.status = status
        self.detail = detail
        self.retry_after_s = retry_after_s


class Signed(msgspec.Struct, frozen=True, kw_only=True):
    """A request's signature headers, parsed, with what they cover."""

    given: SignatureInput
    signature: bytes
    values: dict[str, str]
    """Component values but for @authority, which comes from this collector's own configuration."""


def read_signature(method: str, path: str, headers: Mapping[str, str], *, body: bool) -> Signed:
    """Parse the signature headers of a request.

    Raises:
        Refused: they are missing, malformed, or do not cover what they must.
    """
    values = {"@method": method, "@path": path}
    names = ("content-digest", "content-encoding", SENDING_HEADER) if body else ()
    for name in (*names, "signature-input", "signature"):
        if name not in headers:
            raise Refused("bad-signature", 401, f"the {name} header is missing")
        if len(headers[name]) > MAX_HEADER:
            raise Refused("bad-signature", 401, f"the {name} header is longer than {MAX_HEADER} characters")
        values[name] = headers[name].strip()
    try:
        given = parse_signature_input(values.pop("signature-input"))
        signature = parse_signature(values.pop("signature"))
    except SignatureError as error:
        raise Refused("bad-signature", 401, str(error)) from error
    uncovered = set(REPORT_COMPONENTS if body else FETCH_COMPONENTS) - set(given.components)
    if uncovered:
        raise Refused("bad-signature", 401, f"the signature does not cover {', '.join(sorted(uncovered))}")
    return Signed(given=given, signature=signature, values=values)


def check_signature(signed: Signed, alg: str, public_key: bytes, authorities: tuple[str, ...]) -> str:
    """The authority that the sender signed for, one of this collector's own.

    Raises:
        Refused: the signature fits none of them.
    """
    if signed.given.algorithm != alg:
        raise Refused("bad-signature", 401, "the signature names another algorithm than the key has")
    for authority in authorities:
        values = signed.values | {"@authority": authority}
        try:
            base = signature_base(values, signed.given.components, signed.given.parameters)
        except SignatureError as error:
            raise Refused("bad-signature", 401, str(error)) from error
        if verify(alg, public_key, base, signed.signature):
            return authority
    words = "the signature is not right for this collector's address: was another used than its public_urls name?"
    raise Refused("bad-signature", 401, words)


def decode_body(body: bytes, encoding: str, digest: str, max_decoded: int) -> bytes:
    """The decoded body of a request whose digest header is covered by a verified signature.

    Raises:
        Refused: other bytes than were signed, an unknown encoding, or more than the cap when decoded.
    """
    if not digest_matches(digest, body):
        raise Refused("digest-mismatch", 400, "the body is not the one whose digest was signed")
    if encoding != "gzip":
        raise Refused("unsupported-media", 415, "Content-Encoding must be gzip")
    inflater = zlib.decompressobj(wbits=31)
    try:
        decoded = inflater.decompress(body, max_decoded + 1)
    except zlib.error as error:
        raise Refused("bad-encoding", 400, "the body is not gzip") from error
    if len(decoded) > max_decoded:
        raise Refused("too-large", 413, f"the decoded body is larger than {max_decoded} bytes")
    if not inflater.eof or inflater.unused_data:
        raise Refused("bad-encoding", 400, "the gzip body is cut off or has bytes behind its end")
    return decoded


def accept(
    key: DeviceKey,
    signed: Signed,
    authority: str,
    body: bytes,
    max_decoded: int,
    now: datetime,
    heard_from: str = "",
    *,
    hash_secret: bytes,
) -> Arrival:
    """A report ready to be stored.

    Args:
        key: whose signature was verified.
        signed: the parsed headers.
        authority: the collector's address that was signed for.
        body: the encoded bytes, within the size cap.
        max_decoded: most bytes after decoding.
        now: collector time of arrival.
        heard_from: address of the sender, by a trusted proxy's word where one is between.
        hash_secret: what hashes of third parties' identifiers are hashed with before they are stored.

    Raises:
        Refused: the body is not what was signed, not a report, or about another device.
    """
    decoded = decode_body(body, signed.values["content-encoding"], signed.values["content-digest"], max_decoded)
    try:
        report = decode_report(decoded)
    except WireError as error:
        raise Refused("bad-report", 400, str(error)) from error
    if len(report.measurements) > MAX_MEASUREMENTS:
        raise Refused("bad-report", 400, f"report: more than {MAX_MEASUREMENTS} measurements")
    if len({measurement.kind for measurement in report.measurements}) < len(report.measurements):
        raise Refused("bad-report", 400, "report: more than one measurement of a kind")
    if report.device_id not in (key.device_id, *key.merged):
        raise Refused("device-mismatch", 403, "the report is about another device than its key's")
    sent = Sent.of(signed.given.created, signed.values[SENDING_HEADER])
    evidence = signed.values | {"@authority": authority, "@signature-params": signed.given.parameters}
    return Arrival(
        key_id=key.key_id,
        heard=Heard(report, to_ms(now), hashlib.sha256(body).digest(), skew_s(sent, now), sent.dropped),
        sent=sent,
        headers=msgspec.json.encode([evidence, signed.signature]),
        body=body,
        heard_from=heard_from,
        sealed=sealed(report, hash_secret),
    )
