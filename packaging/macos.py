"""macos: lay out all that a macOS package of the agent is made of. On a Mac, `make-pkg.sh` in it signs and packs it.

No tool on Linux writes a package's Bom, so what is made here is a folder: the files as they will lie on the disk, the
installer's scripts, the profiles for device management. Same source and SOURCE_DATE_EPOCH, same bytes. The libraries
come from the package index, with the digests of `agent/macos/vendored.sha256` and, where nothing is compiled, of
`agent/linux/vendored.sha256`; a Python for Macs is given by whoever builds (`--python`), as it is in no package index.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path

import build
from build import ROOT, BuildError

MACOS = ROOT / "packaging" / "agent" / "macos"
LOCK = MACOS / "vendored.sha256"
PYTHON = "3.13"
ARCHITECTURES = {
    "arm64": ("macosx_11_0_arm64", "macosx_12_0_arm64"),
    "x86_64": ("macosx_10_13_x86_64", "macosx_10_15_x86_64", "macosx_11_0_x86_64", "macosx_12_0_x86_64"),
}
"""Platforms whose wheels run on the macOS 12 of this architecture."""
BOTH = ("macosx_10_10_universal2", "macosx_11_0_universal2")
AGENT = Path("Library/Farhand/agent")
LABEL = "org.farhand.agent"
BUNDLE = Path("Farhand.app/Contents")
"""Of the helper that may know the location."""
EXECUTABLE = ("farhand-agent", "uninstall", "preinstall", "postinstall", "make-pkg.sh")
NO_TEAM = "TEAMID"


def main(arguments: list[str] | None = None) -> int:
    """Lay out what is asked for and print where it lies."""
    parser = argparse.ArgumentParser(prog="macos.py", description=(__doc__ or "").splitlines()[0])
    parser.add_argument(
        "--to", type=Path, default=ROOT / "dist" / "macos", metavar="DIR", help="where it goes (dist/macos)"
    )
    parser.add_argument("--cache", type=Path, default=ROOT / "var" / "wheels", metavar="DIR", help="fetched wheels")
    parser.add_argument("--arch", choices=ARCHITECTURES, default="arm64", help="architecture (arm64)")
    parser.add_argument(
        "--python", type=Path, metavar="DIR", help=f"a relocatable Python {PYTHON} for this architecture"
    )
    parser.add_argument("--team", default=NO_TEAM, help="the ten characters of the Apple developer team that signs")
    parser.add_argument("--lock", action="store_true", help="fetch the newest libraries and write their digests anew")
    options = parser.parse_args(arguments)
    try:
        if options.lock:
            return _write_lock(options.cache)
        environment = {**os.environ, "SOURCE_DATE_EPOCH": build.epoch()}
        with tempfile.TemporaryDirectory(prefix="farhand-macos-") as folder:
            wheel = build.wheel(ROOT / "packaging" / "agent", Path(folder), environment)
            wheels = [*fetch(options.arch, options.cache), wheel]
            made_at = int(environment["SOURCE_DATE_EPOCH"])
            lay_out(options.to, wheels, options.arch, options.python, options.team, made_at)
    except BuildError as error:
        sys.stderr.write(f"macos.py: {error}\n")
        return 1
    sys.stdout.write(f"{options.to}\n")
    return 0


def lay_out(to: Path, wheels: Iterable[Path], architecture: str, python: Path | None, team: str, made_at: int) -> None:
    """Write the folder: root, scripts, profiles, and what make-pkg.sh needs beside it.

    Args:
        python: a relocatable Python, copied as it is; None leaves its place empty, for whoever signs to fill.
        made_at: the time that every file gets.

    Raises:
        BuildError: there is something else in the folder, or the Python is none.
    """
    if to.exists() and any(to.iterdir()):
        raise BuildError(f"{to}: is not empty; give another folder, or delete it")
    if python is not None and not (python / "bin" / "python3").exists():
        raise BuildError(f"{python}: holds no bin/python3; give the folder of a relocatable Python {PYTHON}")
    root = to / "root"
    agent = root / AGENT
    build.unpack(agent / "site", wheels)
    (agent / build.MANIFEST).write_text(build.manifest(agent / "site", build.version()))
    (agent / "lib" / f"python{PYTHON}").mkdir(parents=True)
    (agent / "lib" / f"python{PYTHON}" / "site-packages").symlink_to("../../site")
    (agent / "bin").mkdir()
    (agent / "bin" / "python").symlink_to("../python/bin/python3")
    if python is not None:
        shutil.copytree(python, agent / "python", symlinks=True)
    else:
        (agent / "python").mkdir()
    for name, place in (
        ("farhand-agent", AGENT / "bin" / "farhand-agent"),
        ("pyvenv.cfg", AGENT / "pyvenv.cfg"),
        ("agent.yaml", AGENT / "agent.yaml"),
        ("uninstall", AGENT / "uninstall"),
        (f"{LABEL}.plist", Path("Library/LaunchDaemons") / f"{LABEL}.plist"),
        (f"{LABEL}.input.plist", Path("Library/LaunchAgents") / f"{LABEL}.input.plist"),
        (f"{LABEL}.place.plist", Path("Library/LaunchAgents") / f"{LABEL}.place.plist"),
        ("pyvenv.cfg", AGENT / BUNDLE / "pyvenv.cfg"),
        ("paths", Path("private/etc/paths.d/farhand-agent")),
        ("newsyslog.conf", Path("private/etc/newsyslog.d/farhand-agent.conf")),
    ):
        (root / place).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(MACOS / name, root / place)
    shutil.copytree(MACOS / "scripts", to / "scripts")
    words = {"@VERSION@": build.version(), "@ARCH@": architecture, NO_TEAM: team}
    info = MACOS / BUNDLE / "Info.plist"
    beside = (MACOS / name for name in ("distribution.xml", "make-pkg.sh", "place.entitlements"))
    for source in (*sorted((MACOS / "profiles").iterdir()), *beside, info):
        text = source.read_text()
        for word, value in words.items():
            text = text.replace(word, value)
        target = (agent if source == info else to) / source.relative_to(MACOS)
        target.parent.mkdir(exist_ok=True)
        target.write_text(text)
    _settle(to, agent / "python", made_at)


def _settle(to: Path, python: Path, made_at: int) -> None:
    """One time and fixed modes, whatever they are in this checkout; the given Python keeps its modes."""
    for path in (to, *to.rglob("*")):
        if not path.is_symlink() and not path.is_relative_to(python):
            path.chmod(0o755 if path.is_dir() or path.name in EXECUTABLE else 0o644)
        os.utime(path, (made_at, made_at), follow_symlinks=False)


def fetch(architecture: str, cache: Path) -> list[Path]:
    """The libraries' wheels, out of the cache or from the package index.

    Raises:
        BuildError: one is not to be had, or is not what was locked.
    """
    cache.mkdir(parents=True, exist_ok=True)
    fitting = ("universal2.whl", f"{architecture}.whl")
    wanted = _locked(LOCK, fitting) | _locked(build.LOCK, (build.ANY,))
    missing = [name for name in wanted if not (cache / name).exists()]
    pure = [_pinned(name) for name in missing if name.endswith(build.ANY)]
    compiled = [_pinned(name) for name in missing if not name.endswith(build.ANY)]
    for projects, platforms in ((pure, ["any"]), (compiled, [*ARCHITECTURES[architecture], *BOTH])):
        if projects:
            _download(projects, platforms, cache)
    for name, digest in wanted.items():
        if not (cache / name).exists():
            raise BuildError(f"{name}: the package index has other files now; see --lock")
        if build.digest(cache / name) != digest:
            raise BuildError(
                f"{cache / name}: not the file that was locked; delete it, and find out where it came from"
            )
    return [cache / name for name in sorted(wanted)]


def _locked(lock: Path, endings: tuple[str, ...]) -> dict[str, str]:
    """Digests by the name of the wheel, of those with such an ending."""
    lines = (line.split() for line in lock.read_text().splitlines())
    return {name: digest for digest, name in lines if name.endswith(endings)}


def _pinned(wheel: str) -> str:
    """Project and release of a wheel, as pip wants them."""
    return "==".join(wheel.split("-")[:2])


def _download(wanted: list[str], platforms: Iterable[str], to: Path) -> None:
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]
    command += ["--only-binary=:all:", "--implementation=cp", f"--python-version={PYTHON}"]
    command += [f"--platform={platform}" for platform in platforms]
    build.run([*command, "--dest", str(to), *wanted], dict(os.environ))


def _write_lock(cache: Path) -> int:
    """Lock the newest compiled libraries, for both architectures; the others are those of the Linux packages."""
    cache.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="farhand-lock-") as folder:
        for platforms in ARCHITECTURES.values():
            _download(list(build.COMPILED), [*platforms, *BOTH], Path(folder))
        wheels = sorted(Path(folder).iterdir())
        LOCK.write_text("".join(f"{build.digest(path)}  {path.name}\n" for path in wheels))
        for path in wheels:
            shutil.copy(path, cache / path.name)
    return 0


if __name__ == "__main__":
    sys.exit(main())
