"""Which kind of network an address belongs to."""

from __future__ import annotations

import pytest

from collector.judgement.address import address_class


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("127.0.0.1", "loopback"),
        ("::1", "loopback"),
        ("::ffff:127.0.0.1", "loopback"),
        ("169.254.3.4", "link_local"),
        ("fe80::1%eth0", "link_local"),
        ("10.1.2.3", "private"),
        ("172.31.255.255", "private"),
        ("172.32.0.1", "public"),
        ("192.168.1.1", "private"),
        ("fd00::1", "private"),
        ("100.64.0.1", "cgnat"),
        ("100.128.0.1", "public"),
        ("203.0.113.9", "public"),
        ("2001:db8::1", "public"),
        ("::ffff:8.8.8.8", "public"),
        ("[2606:4700::1]", "public"),
        ("239.1.1.1", "unknown"),
        ("0.0.0.0", "unknown"),
        ("host.example.org", "unknown"),
        ("", "unknown"),
    ],
)
def test_an_address_has_a_class(text: str, kind: str) -> None:
    assert address_class(text) == kind
