"""Settings and enrolment answers: only what the pinned key vouches for, and never an older one."""

from __future__ import annotations

import zlib

import msgspec
import pytest
from nacl.signing import SigningKey

from agent import enrol, settings
from agent.asset import LINUX_SERIAL
from agent.config import CollectorConfig
from agent.disk import Folder
from agent.identity import Identity
from agent.settings import Orders, RefusedError
from agent.uplink import Reply, UplinkError
from agent.wire.enrolment import EnrolAnswer, EnrolRequest
from agent.wire.settings import CATALOGUE_PURPOSE, SettingsAnswer
from agent.wire.signing import sign_document
from tests.agent.support import COLLECTOR_KEY, URL, enrol_answer, enrolled, orders
from tests.fakes import FakeHost

PINNED = bytes(COLLECTOR_KEY.verify_key)
ME = Identity(key=SigningKey(b"k" * 32), binding="b")


class OneAnswer:
    """An uplink that answers once, and keeps what was asked."""

    def __init__(self, answer: EnrolAnswer, status: int = 201) -> None:
        self.reply = Reply(status=status, body=msgspec.json.encode(answer))
        self.asked: EnrolRequest | None = None

    def post(self, path: str, body: bytes, limit: int) -> Reply:
        self.asked = msgspec.json.decode(zlib.decompress(body, 31), type=EnrolRequest)
        return self.reply


def test_settings_of_a_stranger_are_refused(folder: Folder) -> None:
    other = bytes(SigningKey(b"x" * 32).verify_key)
    with pytest.raises(RefusedError):
        settings.accept(folder, orders(), other, Orders())


def test_settings_and_catalogue_cannot_stand_for_each_other(folder: Folder) -> None:
    offered = orders()
    swapped = SettingsAnswer(settings=offered.catalogue, catalogue=offered.settings)
    with pytest.raises(RefusedError):
        settings.accept(folder, swapped, PINNED, Orders())


def test_a_tool_of_a_role_that_only_newer_agents_know_does_not_stop_the_rest(folder: Folder) -> None:
    tools = b'[{"id":"x11vnc"},{"id":"kvm-app","role":"kvm"},{"id":"mullvad","role":"vpn","newer":1}]'
    catalogue = sign_document(COLLECTOR_KEY, CATALOGUE_PURPOSE, b'{"version":2,"tools":' + tools + b"}")
    offered = SettingsAnswer(settings=orders(2).settings, catalogue=catalogue)
    accepted = settings.accept(folder, offered, PINNED, Orders())
    assert accepted.catalogue is not None
    assert [(tool.id, tool.role) for tool in accepted.catalogue.tools] == [("x11vnc", "control"), ("mullvad", "vpn")]
    assert settings.load(folder, PINNED) == accepted


@pytest.mark.parametrize(
    "catalogue", [b"[]", b'{"version":1,"tools":[7]}', b'{"version":-1,"tools":[]}', b'{"version":1}']
)
def test_a_signed_text_that_is_no_catalogue_is_refused(folder: Folder, catalogue: bytes) -> None:
    offered = SettingsAnswer(
        settings=orders().settings, catalogue=sign_document(COLLECTOR_KEY, CATALOGUE_PURPOSE, catalogue)
    )
    with pytest.raises(RefusedError):
        settings.accept(folder, offered, PINNED, Orders())


@pytest.mark.parametrize("versions", [(1, 5), (3, 1), (2, 2)])
def test_older_settings_are_refused(folder: Folder, versions: tuple[int, int]) -> None:
    current = settings.accept(folder, orders(3, 3), PINNED, Orders())
    with pytest.raises(RefusedError, match="older"):
        settings.accept(folder, orders(*versions), PINNED, current)
    assert settings.load(folder, PINNED) == current


def test_newer_settings_with_an_older_catalogue_are_taken_without_it(folder: Folder) -> None:
    current = settings.accept(folder, orders(3, 3), PINNED, Orders())
    moved = settings.accept(folder, orders(5, 1, group="late"), PINNED, current)
    assert (moved.settings.version, moved.settings.group, moved.catalogue_version) == (5, "late", 3)
    assert settings.load(folder, PINNED) == moved


def test_settings_that_were_changed_on_disk_are_refused(folder: Folder) -> None:
    settings.accept(folder, orders(probes_off=()), PINNED, Orders())
    stored = folder.read(settings.FILE) or b""
    folder.save(settings.FILE, stored.replace(b'version\\":1', b'version\\":9'))
    assert folder.read(settings.FILE) != stored
    with pytest.raises(RefusedError):
        settings.load(folder, PINNED)


def test_enrolment_keeps_the_answer_and_begins_anew(folder: Folder) -> None:
    folder.save("state.json", b"of an earlier enrolment")
    uplink = OneAnswer(enrol_answer(ME.public_key))
    host = FakeHost(files={LINUX_SERIAL: "PF0XXXXX\n"})
    link = CollectorConfig(url=URL)
    enrolment = enrol.enrol(folder, host, uplink, ME, link, "good")  # type: ignore[arg-type]
    assert uplink.asked is not None
    assert (uplink.asked.token, uplink.asked.serial, uplink.asked.hostname) == ("good", "PF0XXXXX", "laptop")
    assert enrol.load(folder) == enrolment
    assert settings.load(folder, enrolment.pinned).settings.version == 1
    assert not folder.has("state.json")


def test_an_answer_about_another_key_is_refused(folder: Folder) -> None:
    uplink = OneAnswer(enrol_answer(bytes(SigningKey(b"z" * 32).verify_key)))
    with pytest.raises(UplinkError, match="another key"):
        enrol.enrol(folder, FakeHost(), uplink, ME, CollectorConfig(url=URL), "good")  # type: ignore[arg-type]
    assert enrol.load(folder) is None


def test_a_receipt_is_not_taken_to_a_collector_with_another_key(folder: Folder) -> None:
    me = enrolled(folder, FakeHost())
    enrolment = enrol.load(folder)
    assert enrolment is not None
    thief = SigningKey(b"t" * 32)
    uplink = OneAnswer(enrol_answer(me.public_key, orders(key=thief), key=thief), 200)
    with pytest.raises(UplinkError, match="another key"):
        enrol.introduce(folder, FakeHost(), uplink, me, enrolment)  # type: ignore[arg-type]
    assert enrol.load(folder) == enrolment


def test_a_restored_collector_with_older_settings_does_not_set_them_back(folder: Folder) -> None:
    me = enrolled(folder, FakeHost(), offered=orders(5, 5))
    enrolment = enrol.load(folder)
    assert enrolment is not None
    uplink = OneAnswer(enrol_answer(me.public_key, orders(2, 2)), 200)
    enrol.introduce(folder, FakeHost(), uplink, me, enrolment)  # type: ignore[arg-type]
    assert settings.load(folder, PINNED).settings.version == 5


def test_the_configuration_wins_over_what_enrolment_kept(folder: Folder) -> None:
    enrolled(folder, FakeHost(), URL)
    enrolment = enrol.load(folder)
    assert enrolment is not None
    assert enrolment.link(CollectorConfig()).url == URL
    link = enrolment.link(CollectorConfig(url="https://other.example.com", proxy="http://proxy:3128"))
    assert (link.url, link.proxy) == ("https://other.example.com", "http://proxy:3128")
