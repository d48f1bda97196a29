"""enrol: how this laptop's key becomes a device's key.

The key is durable before anybody hears of it, so an answer that was lost burns nothing: the same key asks again. What
the collector answered (device id, its own key, a receipt) is kept, and the token is erased.
"""

from __future__ import annotations

import base64
import logging
import sys
import zlib
from pathlib import Path
from typing import Final

import msgspec

import agent
from agent import settings, state
from agent.asset import serial_of
from agent.config import CollectorConfig, ConfigError
from agent.disk import Disk, DiskError
from agent.host import Host
from agent.identity import Identity
from agent.uplink import DOCUMENT_BYTES, ENROL_PATH, Address, Uplink, UplinkError, certificates
from agent.wire.enrolment import RECEIPT_PURPOSE, EnrolAnswer, EnrolRequest, Receipt
from agent.wire.report import Uuid
from agent.wire.settings import SettingsAnswer
from agent.wire.signing import SignatureError, SignedDocument, open_document

FILE: Final = "enrolment.json"
STDIN: Final = "-"
NOT_ENROLLED: Final = "not enrolled; run: farhand-agent enrol --url URL --token-file FILE"
TOKEN_CHARACTERS: Final = 1024
_GZIP: Final = 31

_log = logging.getLogger(__name__)


class Enrolment(msgspec.Struct, frozen=True, kw_only=True):
    """What enrolment left on this laptop."""

    collector: CollectorConfig
    """How the collector was reached."""
    device_id: Uuid
    key_id: str
    collector_key: str
    """Base64 of the collector's public key, pinned."""
    receipt: SignedDocument

    @property
    def pinned(self) -> bytes:
        """The collector's public key, 32 bytes."""
        return base64.b64decode(self.collector_key)

    def link(self, config: CollectorConfig) -> CollectorConfig:
        """How to reach the collector now: what the configuration sets, and for the rest as at enrolment."""
        values = msgspec.structs.asdict(config)
        return msgspec.structs.replace(
            self.collector, **{name: value for name, value in values.items() if value is not None}
        )


def check_link(address: Address, ca: Path | None) -> None:
    """Refuse certificates that would not do what whoever gave them expects.

    Raises:
        ConfigError: nothing that they could vouch for is shown at this address.
        UplinkError: it is no file of certificates.
    """
    if ca is None:
        return
    if not address.base.startswith("https:"):
        raise ConfigError(f"--ca: {address.base} shows no certificate that it could vouch for; leave --ca out")
    certificates.check(str(ca))


def token_from(file: str) -> str:
    """The token that stands alone in a file, or comes on standard input; at a terminal it is asked for, unseen.

    Raises:
        ConfigError: it cannot be read, or is no token.
    """
    try:
        if file == STDIN and sys.stdin.isatty():
            from getpass import getpass  # no cycle needs it

            token = getpass("Enrolment token: ")
        elif file == STDIN:
            token = sys.stdin.read(TOKEN_CHARACTERS)
        else:
            with open(file, encoding="ascii") as lines:
                token = lines.read(TOKEN_CHARACTERS)
    except OSError as error:
        raise ConfigError(f"{file}: {error.strerror}; write the token alone into it") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{file}: not a token; write the token alone into it") from error
    if not token.strip().isascii() or len(token.split()) != 1:
        raise ConfigError(f"{file}: not one token; write the token alone into it")
    return token.strip()


def load(disk: Disk) -> Enrolment | None:
    """The enrolment of this folder; None before there is one.

    Raises:
        DiskError: the file is damaged.
        OSError: it cannot be read.
    """
    stored = disk.read(FILE)
    if stored is None:
        return None
    try:
        return msgspec.json.decode(stored, type=Enrolment)
    except msgspec.DecodeError as error:
        raise DiskError(f"{FILE}: damaged ({error}); enrol again, the key stays the same") from error


def enrol(disk: Disk, host: Host, uplink: Uplink, identity: Identity, link: CollectorConfig, token: str) -> Enrolment:
    """Present a token with the key, and keep what the collector answers.

    Raises:
        UplinkError: the collector refused, cannot be reached, or its answer does not hold together.
        OSError: the answer could not be kept; asking again gives the same one.
    """
    answer = _ask(uplink, _request(host, identity, token=token))
    enrolment = _checked(answer, identity, link)
    # A new epoch: whatever an earlier enrolment had confirmed was confirmed to somebody else.
    disk.remove(state.FILE)
    _keep(disk, answer, enrolment)
    return enrolment


def introduce(disk: Disk, host: Host, uplink: Uplink, identity: Identity, enrolment: Enrolment) -> None:
    """Show the receipt to a collector that forgot this key, as one that was restored from a backup.

    Raises:
        UplinkError: it refused, or answers with another key than the pinned one.
        OSError: the answer could not be kept.
    """
    answer = _ask(uplink, _request(host, identity, receipt=enrolment.receipt))
    renewed = _checked(answer, identity, enrolment.collector)
    if (renewed.collector_key, renewed.device_id) != (enrolment.collector_key, enrolment.device_id):
        raise UplinkError("the collector has another key or another name for this laptop; enrol anew with a token")
    _keep(disk, answer, renewed)


def _request(
    host: Host, identity: Identity, token: str | None = None, receipt: SignedDocument | None = None
) -> EnrolRequest:
    return EnrolRequest(
        public_key=base64.b64encode(identity.public_key).decode(),
        token=token,
        receipt=receipt,
        hostname=host.hostname()[:256],
        serial=serial_of(host)[:256],
        agent_version=agent.__version__,
    )


def _ask(uplink: Uplink, request: EnrolRequest) -> EnrolAnswer:
    body = zlib.compress(msgspec.json.encode(request), 9, _GZIP)
    return uplink.post(ENROL_PATH, body, DOCUMENT_BYTES).read(EnrolAnswer, 200, 201)


def _checked(answer: EnrolAnswer, identity: Identity, link: CollectorConfig) -> Enrolment:
    """The enrolment, once every part of the answer is vouched for by the key that it names."""
    enrolment = Enrolment(
        collector=link,
        device_id=answer.device_id,
        key_id=identity.key_id,
        collector_key=answer.collector_key,
        receipt=answer.receipt,
    )
    try:
        receipt = msgspec.json.decode(open_document(answer.receipt, RECEIPT_PURPOSE, enrolment.pinned), type=Receipt)
        settings.verify(_orders_of(answer), enrolment.pinned)
    except (SignatureError, settings.RefusedError, msgspec.DecodeError, RecursionError, ValueError) as error:
        raise UplinkError(f"the answer to the enrolment does not hold together: {error}") from error
    if (receipt.key_id, answer.key_id, receipt.device_id) != (identity.key_id, identity.key_id, answer.device_id):
        raise UplinkError("the answer to the enrolment is about another key or device")
    return enrolment


def _orders_of(answer: EnrolAnswer) -> SettingsAnswer:
    return SettingsAnswer(settings=answer.settings, catalogue=answer.catalogue)


def _keep(disk: Disk, answer: EnrolAnswer, enrolment: Enrolment) -> None:
    try:
        current = settings.load(disk, enrolment.pinned)
    except settings.RefusedError:
        current = settings.Orders()
    try:
        settings.accept(disk, _orders_of(answer), enrolment.pinned, current)
    except settings.RefusedError as refusal:
        _log.warning("%s", refusal)
    disk.save(FILE, msgspec.json.encode(enrolment))
