"""signing: what exactly is signed, by RFC 9421 (HTTP Message Signatures) and RFC 9530 (Content-Digest).

A report's signature covers method, authority, path, digest and encoding of the body, the uptime at sending, and the
creation time. The body's digest is over the *encoded* bytes, so a collector can refuse before it decompresses.
Signed documents (settings, catalogue, receipts) are signed over their exact bytes with a purpose as prefix, so that
a signature for one purpose is worth nothing for another.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Mapping
from typing import Final

import msgspec
from nacl.exceptions import BadSignatureError
from nacl.signing import SigningKey, VerifyKey

ED25519: Final = "ed25519"
ECDSA_P256: Final = "ecdsa-p256-sha256"
LABEL: Final = "farhand"
SENDING_HEADER: Final = "farhand-sending"

REPORT_COMPONENTS: Final = ("@method", "@authority", "@path", "content-digest", "content-encoding", SENDING_HEADER)
"""Covered by the signature of a report or an enrolment."""
FETCH_COMPONENTS: Final = ("@method", "@authority", "@path")
"""Covered by the signature of a request without a body."""

_INPUT = re.compile(r"\A([a-z*][a-z0-9_.*-]*)=(\(([^()]*)\)((?:;[a-z]+=(?:\d{1,15}|\"[^\"\\]*\"))*))\Z")
_PARAMETER = re.compile(r";([a-z]+)=(?:(\d{1,15})|\"([^\"\\]*)\")")
_COMPONENT = re.compile(r"\A\"[@a-z][a-z0-9-]*\"\Z")
_BYTES = re.compile(r"\A([a-z*][a-z0-9_.*-]*)=:([A-Za-z0-9+/=]*):\Z")
_SENDING = re.compile(r"\A([0-9a-f-]{36});([0-9]{1,12}(?:\.[0-9]{1,6})?);([0-9]{1,15})\Z")
_DIGEST = re.compile(r"\Asha-256=:([A-Za-z0-9+/]{43}=):\Z")


class SignatureError(ValueError):
    """A signature that is missing, malformed or wrong. The message says which."""


class SignatureInput(msgspec.Struct, frozen=True, kw_only=True):
    """The parsed Signature-Input header."""

    components: tuple[str, ...]
    created: int
    """Seconds since 1970 on the sender's clock."""
    key_id: str
    algorithm: str
    parameters: str
    """The exact text that the last line of the signature base repeats."""


def key_id_of(public_key: bytes) -> str:
    """Name of a key: 32 hexadecimal digits of the SHA-256 of its public bytes."""
    return hashlib.sha256(public_key).hexdigest()[:32]


def content_digest(body: bytes) -> str:
    """Content-Digest header of an encoded body (RFC 9530)."""
    return f"sha-256=:{base64.b64encode(hashlib.sha256(body).digest()).decode()}:"


def digest_matches(header: str, body: bytes) -> bool:
    """True when the Content-Digest header is a SHA-256 of exactly these bytes."""
    found = _DIGEST.match(header)
    return found is not None and base64.b64decode(found[1]) == hashlib.sha256(body).digest()


class Sending(msgspec.Struct, frozen=True, kw_only=True):
    """The circumstances of a laptop at the moment of sending: a report may have waited for weeks."""

    boot_id: str
    """Random id of this boot."""
    uptime_s: float
    """Seconds since boot, sleep included."""
    dropped: int = 0
    """Reports of the report's state epoch that were given up, those dropped since it was made included."""


def sending_header(sending: Sending) -> str:
    """Value of the Farhand-Sending header."""
    return f"{sending.boot_id};{sending.uptime_s:.3f};{sending.dropped}"


def parse_sending(header: str) -> Sending | None:
    """What a Farhand-Sending header says; None when it is malformed."""
    found = _SENDING.match(header)
    if found is None:
        return None
    return Sending(boot_id=found[1], uptime_s=float(found[2]), dropped=int(found[3]))


def signature_base(values: Mapping[str, str], components: tuple[str, ...], parameters: str) -> bytes:
    """The bytes that are signed (RFC 9421 section 2.5).

    Raises:
        SignatureError: a covered component has no value.
    """
    try:
        lines = [f'"{name}": {values[name]}' for name in components]
    except KeyError as missing:
        raise SignatureError(f"signed component {missing} is not in the request") from missing
    lines.append(f'"@signature-params": {parameters}')
    return "\n".join(lines).encode()


def sign_request(
    key: SigningKey, key_id: str, values: Mapping[str, str], components: tuple[str, ...], created: int
) -> dict[str, str]:
    """The two signature headers for a request whose component values are given."""
    listed = " ".join(f'"{name}"' for name in components)
    parameters = f'({listed});created={created};keyid="{key_id}";alg="{ED25519}"'
    signature = key.sign(signature_base(values, components, parameters)).signature
    return {
        "Signature-Input": f"{LABEL}={parameters}",
        "Signature": f"{LABEL}=:{base64.b64encode(signature).decode()}:",
    }


def parse_signature_input(header: str) -> SignatureInput:
    """Read a Signature-Input header.

    Raises:
        SignatureError: it is malformed or lacks created, keyid or alg.
    """
    found = _INPUT.match(header)
    if found is None or found[1] != LABEL:
        raise SignatureError("Signature-Input is malformed")
    quoted = found[3].split(" ") if found[3] else []
    if not all(_COMPONENT.match(item) for item in quoted):
        raise SignatureError("Signature-Input lists a malformed component")
    components = tuple(item[1:-1] for item in quoted)
    if len(set(components)) != len(components):
        raise SignatureError("Signature-Input lists a component twice")
    parameters = {name: number or text for name, number, text in _PARAMETER.findall(found[4])}
    if not parameters.get("created", "").isdigit() or not parameters.get("keyid") or not parameters.get("alg"):
        raise SignatureError("Signature-Input needs created, keyid and alg")
    return SignatureInput(
        components=components,
        created=int(parameters["created"]),
        key_id=parameters["keyid"],
        algorithm=parameters["alg"],
        parameters=found[2],
    )


def parse_signature(header: str) -> bytes:
    """The signature's bytes of a Signature header.

    Raises:
        SignatureError: it is malformed.
    """
    found = _BYTES.match(header)
    if found is None or found[1] != LABEL:
        raise SignatureError("Signature is malformed")
    try:
        return base64.b64decode(found[2], validate=True)
    except ValueError as error:
        raise SignatureError("Signature is not base64") from error


def verify_ed25519(public_key: bytes, message: bytes, signature: bytes) -> bool:
    """True when the signature over the message was made by the key's owner."""
    try:
        VerifyKey(public_key).verify(message, signature)
    except (BadSignatureError, ValueError, TypeError):
        return False
    return True


class SignedDocument(msgspec.Struct, frozen=True, kw_only=True):
    """Bytes that the collector vouches for: kept on the laptop as they came and verified at every load."""

    purpose: str
    document: str
    """Exact JSON text that was signed."""
    signature: str
    """Base64 of the Ed25519 signature over purpose, newline, document."""


def sign_document(key: SigningKey, purpose: str, document: bytes) -> SignedDocument:
    """Vouch for a JSON document under one purpose."""
    signature = key.sign(purpose.encode() + b"\n" + document).signature
    return SignedDocument(purpose=purpose, document=document.decode(), signature=base64.b64encode(signature).decode())


def open_document(signed: SignedDocument, purpose: str, public_key: bytes) -> bytes:
    """The document's bytes, once the signature was found right for this purpose.

    Raises:
        SignatureError: another purpose, another key, or changed bytes.
    """
    if signed.purpose != purpose:
        raise SignatureError(f"document is for {signed.purpose!r}, expected {purpose!r}")
    document = signed.document.encode()
    try:
        signature = base64.b64decode(signed.signature, validate=True)
    except ValueError as error:
        raise SignatureError("document signature is not base64") from error
    if not verify_ed25519(public_key, purpose.encode() + b"\n" + document, signature):
        raise SignatureError("document signature does not fit the pinned collector key")
    return document
