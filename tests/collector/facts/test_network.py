"""The network's facts: which tunnels count, and which never do."""

from __future__ import annotations

import msgspec

from agent.wire.signals import NetworkPath
from collector.judgement.assess import assess
from collector.judgement.facts import network
from collector.judgement.given import ToolInfo
from collector.judgement.policy import Policy
from tests.collector import devices
from tests.laptop import NETWORK, THROUGH_VPN

CLIENTS = {
    "mullvad": ToolInfo(name="Mullvad VPN", vendor_group="mullvad", role="vpn", inbound_control="no"),
    "openvpn": ToolInfo(name="OpenVPN", vendor_group="openvpn", role="vpn", inbound_control="no"),
}


def derive(path: NetworkPath, *allowed: str) -> network.Network:
    given = devices.given(devices.view(path), Policy(allowed_tools=allowed))
    return network.derive(msgspec.structs.replace(given, tools=devices.TOOLS | CLIENTS))


def test_a_vpn_that_carries_everything_is_named_unless_it_is_allowed() -> None:
    assert derive(THROUGH_VPN) == network.Network(through_tunnel=True, unsanctioned_vpn=("Mullvad VPN",), wired=False)
    assert derive(THROUGH_VPN, "mullvad").unsanctioned_vpn == ()


def test_the_allowed_one_does_not_hide_another_beside_it() -> None:
    both = msgspec.structs.replace(THROUGH_VPN, vpn_clients=("mullvad", "openvpn"))
    assert derive(both, "openvpn").unsanctioned_vpn == ("Mullvad VPN",)


def test_a_laptop_at_home_goes_out_directly() -> None:
    assert derive(NETWORK) == network.Network(through_tunnel=False, unsanctioned_vpn=(), wired=False)


def test_a_path_that_was_not_read_is_unknown() -> None:
    for view in (devices.view(devices.failed("network_path", "denied")), devices.view(newest={})):
        assert network.derive(devices.given(view)) == network.Network()


def test_a_vpn_client_raises_nothing_about_remote_access() -> None:
    context = devices.context(tools=devices.TOOLS | CLIENTS)
    said = devices.tools(devices.tool("mullvad", service=True))
    found = assess(devices.view(THROUGH_VPN, said), context).findings
    assert "vpn-unsanctioned" in [one.rule_id for one in found]
    assert not [one for one in found if one.cause == "session"]
