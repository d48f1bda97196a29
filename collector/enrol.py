"""enrol: how a key becomes a device's key: by a token once, by the same key again, or by a receipt after a restore.

Where the policy agrees, a laptop that was set up anew rejoins its asset by its serial number. The older keys stay good:
were they refused, whoever knows a serial number and has a token could mute the laptop that it belongs to. If both
report, that is a finding.
"""

from __future__ import annotations

import base64
from datetime import datetime
from typing import Final

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
from .store.database import storable
from .store.enrolment import (
    Asset,
    NewDevice,
    TokenRefused,
    add_device,
    add_key,
    find_asset,
    find_key,
    only_holder,
    rename,
    spend_token,
)

ANOTHER_TOKEN: Final = "have another one made on the page Enrolment, or by farhand-collector token create"
SERIAL_SIGNS: Final = 5
"""Letters and digits that a serial number has at least."""
PLACEHOLDERS: Final = frozenset({"0123456789", "1234567890", "123456789"})
"""Serial numbers that makers leave in machines that were given none, beside those without a digit."""


class Enroller:
    """Decides on enrolment requests whose signature was found right."""

    def __init__(self, publisher: Publisher, *, rejoin: bool) -> None:
        """
        Args:
            rejoin: a new key with a known serial number becomes the next generation of that device's.
        """
        self._publisher = publisher
        self._rejoin = rejoin

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
            raise Refused("token-refused", 403, f"{refused}; {ANOTHER_TOKEN}") from refused
        new = _new_device(asked, public_key)
        asset = only_holder(connection, new.serial) if self._rejoin and names_one_machine(new.serial) else None
        if asset is None:
            asset = Asset(add_device(connection, new, group, to_ms(now)), group)
            self._note(connection, now, asset.device_id, "device.enrolled")
        else:
            generation = add_key(connection, new, asset.device_id, to_ms(now))
            rename(connection, asset.device_id, new.hostname)
            detail = f"by its serial number; key {new.key_id} is generation {generation}"
            self._note(connection, now, asset.device_id, "device.rejoined", detail)
        return _key(asked, public_key, asset)

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
        issued, new = to_ms(receipt.issued_at), _new_device(asked, public_key)
        known = find_asset(connection, receipt.device_id)
        if known is None:
            asset = Asset(add_device(connection, new, receipt.group, issued, receipt.device_id), receipt.group)
        else:
            asset, retired = known
            if retired:
                raise Refused("key-revoked", 403, "the device was retired by an administrator")
            add_key(connection, new, asset.device_id, issued)
        self._note(connection, now, asset.device_id, "device.known-again", f"by a receipt for key {new.key_id}")
        return _key(asked, public_key, asset)

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

    def _note(self, connection: Connection, now: datetime, device_id: str, action: str, detail: str = "") -> None:
        audit.record(connection, at_ms=to_ms(now), actor="agent", action=action, subject=device_id, detail=detail)


def _new_device(asked: EnrolRequest, public_key: bytes) -> NewDevice:
    return NewDevice(
        key_id=key_id_of(public_key),
        alg=asked.alg,
        public_key=public_key,
        protection=asked.key_protection,
        hostname=storable(asked.hostname),
        serial=storable(asked.serial),
    )


def _key(asked: EnrolRequest, public_key: bytes, asset: Asset) -> DeviceKey:
    return DeviceKey(key_id_of(public_key), asset.device_id, asked.alg, public_key, False, asset.group)


def names_one_machine(serial: str) -> bool:
    """False for what makers leave where a serial number should be, such as "To be filled by O.E.M." or zeros."""
    signs = "".join(filter(str.isalnum, serial))
    return (
        len(signs) >= SERIAL_SIGNS
        and len(set(signs)) > 2
        and any(map(str.isdigit, signs))
        and signs not in PLACEHOLDERS
    )
