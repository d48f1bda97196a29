"""enrol: how a key becomes a device's key: by a token once, by the same key again, or by a receipt after a restore."""

from __future__ import annotations

import base64
from datetime import datetime

import msgspec
from sqlalchemy.engine import Connection

from agent.wire.enrolment import RECEIPT_PURPOSE, EnrolAnswer, EnrolRequest, Receipt
from agent.wire.signing import SignatureError, SignedDocument, key_id_of, open_document, sign_document

from .ingest import Refused
from .instants import from_ms, to_ms
from .keys import DeviceKey
from .publishing import Publisher
from .store import audit
from .store.collector_identity import signing_key
from .store.enrolment import NewDevice, TokenRefused, add_device, find_key, spend_token


class Enroller:
    """Decides on enrolment requests whose signature was found right."""

    def __init__(self, publisher: Publisher) -> None:
        self._publisher = publisher

    def enrol(self, connection: Connection, asked: EnrolRequest, now: datetime) -> tuple[bool, EnrolAnswer]:
        """Enter the key. Returns (whether it is new, the answer); the same key again costs nothing.

        Raises:
            Refused: the token, the receipt or the key is refused.
        """
        public_key = base64.b64decode(asked.public_key)
        known = find_key(connection, key_id_of(public_key))
        if known is not None:
            if known.revoked:
                raise Refused("key-revoked", 403, "the key or its device was retired by an administrator")
            return False, self._answer(connection, known, now)
        if asked.receipt is not None:
            key = self._by_receipt(connection, asked, public_key, asked.receipt, now)
        else:
            key = self._by_token(connection, asked, public_key, now)
        return True, self._answer(connection, key, now)

    def _by_token(self, connection: Connection, asked: EnrolRequest, public_key: bytes, now: datetime) -> DeviceKey:
        if not asked.token:
            raise Refused("token-refused", 403, "the request holds neither a token nor a receipt")
        try:
            group = spend_token(connection, asked.token, asked.serial, to_ms(now))
        except TokenRefused as refused:
            raise Refused("token-refused", 403, str(refused)) from refused
        device_id = add_device(connection, _new_device(asked, public_key), group, to_ms(now))
        self._note(connection, now, device_id, "device.enrolled")
        return _key(asked, public_key, device_id, group)

    def _by_receipt(
        self, connection: Connection, asked: EnrolRequest, public_key: bytes, signed: SignedDocument, now: datetime
    ) -> DeviceKey:
        try:
            document = open_document(signed, RECEIPT_PURPOSE, bytes(signing_key(connection).verify_key))
            receipt = msgspec.json.decode(document, type=Receipt)
        except (SignatureError, msgspec.DecodeError) as error:
            raise Refused("token-refused", 403, f"the receipt is not this collector's: {error}") from error
        if receipt.public_key != asked.public_key:
            raise Refused("token-refused", 403, "the receipt is for another key")
        issued = to_ms(receipt.issued_at)
        add_device(connection, _new_device(asked, public_key), receipt.group, issued, receipt.device_id)
        self._note(connection, now, receipt.device_id, "device.known-again")
        return _key(asked, public_key, receipt.device_id, receipt.group)

    def _answer(self, connection: Connection, key: DeviceKey, now: datetime) -> EnrolAnswer:
        collector_key = signing_key(connection)
        public_key = base64.b64encode(key.public_key).decode()
        receipt = Receipt(
            device_id=key.device_id,
            key_id=key.key_id,
            public_key=public_key,
            alg=key.alg,
            group=key.group,
            issued_at=from_ms(to_ms(now)),
        )
        published = self._publisher.documents(key.group)
        return EnrolAnswer(
            device_id=key.device_id,
            key_id=key.key_id,
            collector_key=base64.b64encode(bytes(collector_key.verify_key)).decode(),
            receipt=sign_document(collector_key, RECEIPT_PURPOSE, msgspec.json.encode(receipt)),
            settings=published.settings,
            catalogue=published.catalogue,
        )

    def _note(self, connection: Connection, now: datetime, device_id: str, action: str) -> None:
        audit.record(connection, at_ms=to_ms(now), actor="agent", action=action, subject=device_id)


def _new_device(asked: EnrolRequest, public_key: bytes) -> NewDevice:
    return NewDevice(
        key_id=key_id_of(public_key),
        alg=asked.alg,
        public_key=public_key,
        protection=asked.key_protection,
        hostname=asked.hostname.replace("\0", "�"),
        serial=asked.serial.replace("\0", "�"),
    )


def _key(asked: EnrolRequest, public_key: bytes, device_id: str, group: str) -> DeviceKey:
    return DeviceKey(key_id_of(public_key), device_id, asked.alg, public_key, False, group)
