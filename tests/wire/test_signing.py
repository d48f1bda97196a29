"""Signatures: what is signed is what is verified, by RFC 9421 and RFC 9530, and nothing malformed gets through."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st
from nacl.signing import SigningKey

from agent.wire import signing

KEY = SigningKey(bytes(range(32)))
VALUES = {
    "@method": "POST",
    "@authority": "farhand.example.com",
    "@path": "/agent/v1/reports",
    "content-digest": signing.content_digest(b"body"),
    "content-encoding": "gzip",
    signing.SENDING_HEADER: "0190a8c0-0000-4000-8000-000000000003;12.000;0",
}


def test_the_signature_base_is_that_of_rfc_9421() -> None:
    """Section 2.5: one line per component, the parameters last, no line feed at the end."""
    base = signing.signature_base(VALUES, ("@method", "@authority"), '("@method" "@authority");created=1')
    assert base == (
        b'"@method": POST\n"@authority": farhand.example.com\n"@signature-params": ("@method" "@authority");created=1'
    )


def test_the_digest_is_that_of_rfc_9530() -> None:
    """The example of RFC 9530, appendix B.1, for the same bytes."""
    body = b'{"hello": "world"}\n'
    assert signing.content_digest(body) == "sha-256=:RK/0qy18MlBSVnWgjwz6lZEWjP/lF5HF9bvEF8FabDg=:"
    assert signing.digest_matches(signing.content_digest(body), body)
    assert not signing.digest_matches(signing.content_digest(body), body + b" ")


def test_the_ed25519_signature_is_that_of_rfc_9421_appendix_b_2_6() -> None:
    """The key, request and signature of the RFC's own example."""
    seed = base64.urlsafe_b64decode("n4Ni-HpISpVObnQMW0wOhCKROaIKqKtW_2ZYb2p9KcU=")
    parameters = (
        '("date" "@method" "@path" "@authority" "content-type" "content-length")'
        ';created=1618884473;keyid="test-key-ed25519"'
    )
    values = {
        "date": "Tue, 20 Apr 2021 02:07:55 GMT",
        "@method": "POST",
        "@path": "/foo",
        "@authority": "example.com",
        "content-type": "application/json",
        "content-length": "18",
    }
    base = signing.signature_base(values, tuple(values), parameters)
    signature = base64.b64encode(SigningKey(seed).sign(base).signature).decode()
    assert signature == "wqcAqbmYJ2ji2glfAMaRy4gruYYnx2nEFN2HN6jrnDnQCK1u02Gb04v9EDgwUPiu4A0w6vuQv5lIp5WPpBKRCw=="


def test_what_was_signed_verifies_and_any_other_value_does_not() -> None:
    made = signing.sign_request(KEY, "k", VALUES, signing.REPORT_COMPONENTS, 1_700_000_000)
    given_input = signing.parse_signature_input(made["Signature-Input"])
    signature = signing.parse_signature(made["Signature"])
    assert given_input.components == signing.REPORT_COMPONENTS
    assert (given_input.created, given_input.key_id, given_input.algorithm) == (1_700_000_000, "k", "ed25519")
    public_key = bytes(KEY.verify_key)
    base = signing.signature_base(VALUES, given_input.components, given_input.parameters)
    assert signing.verify_ed25519(public_key, base, signature)
    for name in VALUES:
        changed = signing.signature_base(VALUES | {name: "other"}, given_input.components, given_input.parameters)
        assert not signing.verify_ed25519(public_key, changed, signature)


@pytest.mark.parametrize(
    "header",
    [
        "",
        "farhand",
        "farhand=()",
        'farhand=("@method")',
        'other=("@method");created=1;keyid="k";alg="a"',
        'farhand=("@method" "@method");created=1;keyid="k";alg="a"',
        'farhand=(@method);created=1;keyid="k";alg="a"',
        'farhand=("@method");created=1;keyid="k"',
        'farhand=("@method");created=x;keyid="k";alg="a"',
        'farhand=("@method");created=1;keyid="k";alg="a", b=()',
        'farhand=("@method"\n);created=1;keyid="k";alg="a"',
        'farhand=("@method";req);created=1;keyid="k";alg="a"',
        'farhand=("@method")  ;created=1;keyid="k";alg="a"',
        'farhand=("@method");created=99999999999999999999;keyid="k";alg="a"',
    ],
)
def test_a_malformed_signature_input_is_refused(header: str) -> None:
    with pytest.raises(signing.SignatureError):
        signing.parse_signature_input(header)


@given(st.text(max_size=200))
def test_no_text_breaks_the_parsers(text: str) -> None:
    for parse in (signing.parse_signature_input, signing.parse_signature):
        try:
            parse(text)
        except signing.SignatureError:
            continue
    assert signing.parse_sending(text) is None or text.count(";") == 2
    assert not signing.digest_matches(text, b"body")


@given(st.uuids().map(str), st.floats(min_value=0, max_value=1e9, allow_nan=False), st.integers(0, 10**9))
def test_the_sending_header_says_what_was_put_in(boot_id: str, uptime_s: float, dropped: int) -> None:
    said = signing.parse_sending(
        signing.sending_header(signing.Sending(boot_id=boot_id, uptime_s=uptime_s, dropped=dropped))
    )
    assert said is not None
    assert (said.boot_id, said.dropped) == (boot_id, dropped)
    assert said.uptime_s == pytest.approx(uptime_s, abs=0.001)


def test_a_changed_document_does_not_open() -> None:
    signed = signing.sign_document(KEY, "purpose 1", b'{"version":1}')
    public_key = bytes(KEY.verify_key)
    assert signing.open_document(signed, "purpose 1", public_key) == b'{"version":1}'
    import msgspec

    for changed in (
        msgspec.structs.replace(signed, document='{"version":2}'),
        msgspec.structs.replace(signed, signature=base64.b64encode(bytes(64)).decode()),
        msgspec.structs.replace(signed, signature="not base64!"),
    ):
        with pytest.raises(signing.SignatureError):
            signing.open_document(changed, "purpose 1", public_key)
    with pytest.raises(signing.SignatureError):
        signing.open_document(signed, "purpose 2", public_key)
    with pytest.raises(signing.SignatureError):
        signing.open_document(signed, "purpose 1", bytes(SigningKey.generate().verify_key))
