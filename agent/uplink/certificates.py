"""certificates: the files of certificates that an agent trusts in place of the public ones."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Final

from agent.disk import Folder

from .answer import UplinkError

BUNDLE: Final = "ca-bundle.pem"

_log = logging.getLogger(__name__)


def check(file: str) -> None:
    """Make sure that a file can be trusted as a whole: it loads as TLS will load it, and holds a certificate.

    Raises:
        UplinkError: it cannot be read, is not PEM, or holds no certificate.
    """
    import ssl  # heavy, and only what is new has to be checked

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    try:
        context.load_verify_locations(cafile=file)
        usable = context.cert_store_stats()["x509"] > 0
    except ssl.SSLError:
        usable = False
    except OSError as error:
        raise UplinkError(f"{file}: {error.strerror}; give a file of certificates (PEM)") from error
    if not usable:
        raise UplinkError(f"{file}: not a file of certificates (PEM), which holds -----BEGIN CERTIFICATE-----")


def bundle(folder: Folder, files: list[str]) -> str | None:
    """One file that holds all the certificates: the HTTP library takes no more than one.

    It is also a copy, so a file that was given at enrolment and then tidied away or spoilt mutes no laptop.

    Raises:
        UplinkError: a file is of no use and there is no copy, or there is no room for one.
    """
    if not files:
        return None
    path = str(folder.path / BUNDLE)
    try:
        certificates = b"\n".join(Path(file).read_bytes() for file in files)
        if folder.read(BUNDLE) == certificates:
            return path
        for file in files:
            check(file)
    except (OSError, UplinkError) as error:
        words = f"{error.filename}: {error.strerror}" if isinstance(error, OSError) else str(error)
        words += "; check ca_file and extra_ca_file"
        if not folder.has(BUNDLE):
            raise UplinkError(words) from error
        _log.warning("%s; the copy in %s stays in use", words, path)
        return path
    try:
        folder.save(BUNDLE, certificates)
    except OSError as error:
        raise UplinkError(f"{path}: {error.strerror}; make room for it") from error
    return path
