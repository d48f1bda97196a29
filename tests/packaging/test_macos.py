"""What a macOS package is made of: the layout, launchd's list, the profiles, and the installer's scripts on a folder
that plays the disk."""

from __future__ import annotations

import os
import plistlib
import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

import pytest

from agent import __version__
from agent.config import parse
from agent.host.commands import MacHelper, start_mac_helper
from agent.host.macos_helper import LISTED
from agent.host.macos_place import PLACE_HELPER
from agent.host.this_machine import CONFIG_FILE
from agent.probes.agent_integrity import parse_manifest
from tests.packaging import built
from tests.packaging.built import ROOT

SOURCE: Final = ROOT / "packaging" / "agent" / "macos"
README: Final = (SOURCE / "README.md").read_text()
AGENT: Final = "Library/Farhand/agent"
DAEMON: Final = "Library/LaunchDaemons/org.farhand.agent.plist"
HELPER: Final = "Library/LaunchAgents/org.farhand.agent.input.plist"
PLACE: Final = "Library/LaunchAgents/org.farhand.agent.place.plist"
BUNDLE: Final = f"{AGENT}/Farhand.app/Contents"
SCRIPTS: Final = ("farhand-agent", "uninstall", "make-pkg.sh", "scripts/preinstall", "scripts/postinstall")
TEAM: Final = "ABCDE12345"
LAY_OUT: Final = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
import build, macos, os
to, python = Path(sys.argv[2]), Path(sys.argv[3])
environment = {**os.environ, "SOURCE_DATE_EPOCH": "1700000000"}
wheel = build.wheel(build.ROOT / "packaging" / "agent", to.parent / "wheel", environment)
macos.lay_out(to, [wheel], "arm64", python, sys.argv[4], 1700000000)
"""


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that plays a relocatable Python for Macs."""
    folder = tmp_path_factory.mktemp("python")
    (folder / "bin").mkdir()
    (folder / "bin" / "python3.13").write_text("a program for another processor")
    (folder / "bin" / "python3.13").chmod(0o755)
    (folder / "bin" / "python3").symlink_to("python3.13")
    return folder


def lay_out(to: Path, python: Path) -> Path:
    command = [sys.executable, "-c", LAY_OUT, str(ROOT / "packaging"), str(to), str(python), TEAM]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return to


@pytest.fixture(scope="module")
def laid_out(python: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return lay_out(tmp_path_factory.mktemp("first") / "macos", python)


@pytest.fixture
def disk(laid_out: Path, tmp_path: Path) -> Path:
    """A folder that plays the disk of a Mac on which the package's files were just laid down."""
    subprocess.run(["cp", "-a", f"{laid_out}/root/.", tmp_path], check=True)
    return tmp_path


def script(path: Path, *arguments: str) -> None:
    done = subprocess.run(["sh", path, *arguments], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def profiles(folder: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    for path in sorted(folder.glob("*.mobileconfig")):
        yield path.name, plistlib.loads(path.read_bytes())


def contents(folder: Path) -> dict[str, tuple[int, float, str]]:
    """Mode, time and content of everything in a folder; where a link leads."""
    found = {}
    for path in sorted(folder.rglob("*")):
        status = path.lstat()
        text = (
            str(path.readlink())
            if path.is_symlink()
            else sha256(path.read_bytes()).hexdigest()
            if path.is_file()
            else ""
        )
        found[str(path.relative_to(folder))] = (status.st_mode, status.st_mtime, text)
    return found


def test_the_agents_modules_are_those_of_its_wheel_and_nothing_of_the_collector(laid_out: Path) -> None:
    (wheel,) = (laid_out.parent / "wheel").glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        expected = {name: archive.read(name) for name in archive.namelist() if ".dist-info/" not in name}
    site = laid_out / "root" / AGENT / "site"
    there = {str(path.relative_to(site)): path.read_bytes() for path in site.rglob("*") if path.is_file()}
    assert {name: data for name, data in there.items() if ".dist-info/" not in name} == expected
    assert all(name.startswith("agent/") for name in expected)


def listed(agent: Path) -> dict[str, str]:
    """The list of the agent's files, which must be of this version."""
    version, files = parse_manifest((agent / "manifest.sha256").read_text())
    assert version == __version__
    return files


def digests(site: Path) -> dict[str, str]:
    files = (path for path in site.rglob("*") if path.is_file())
    return {path.relative_to(site).as_posix(): sha256(path.read_bytes()).hexdigest() for path in files}


def test_the_list_of_the_agents_files_is_whole_and_where_the_agent_looks_for_it(laid_out: Path) -> None:
    agent = laid_out / "root" / AGENT
    assert listed(agent) == digests(agent / "site")
    code = (
        "import sys; sys.path.insert(0, sys.argv[1]); from agent.host.linux import LinuxHost; "
        "from agent.probes.agent_integrity import compare; print(compare(LinuxHost()).package)"
    )
    command = [sys.executable, "-B", "-c", code, str(agent / "lib" / "python3.13" / "site-packages")]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd="/")
    assert done.stdout == "intact\n"


def test_the_list_holds_for_libraries_that_signing_changed(laid_out: Path, tmp_path: Path) -> None:
    folder, tools = tmp_path / "macos", tmp_path / "tools"
    subprocess.run(["cp", "-a", laid_out, folder], check=True)
    site = folder / "root" / AGENT / "site"
    library = site / "msgspec" / "_core.so"
    library.parent.mkdir()
    library.write_text("machine code")
    tools.mkdir()
    # Signing writes into the file; the other tools have nothing to do with the list.
    signs = 'for f; do :; done\ncase "$0 $f" in *codesign*.so) echo ok >>"$f";; esac'
    others = ("codesign", "pkgbuild", "productbuild", "productsign", "xcrun", "pkgutil", "plutil", "spctl")
    programs = dict.fromkeys(others, signs) | {
        "otool": r"printf '%s:\n\t@executable_path/../lib/libpython3.13.dylib (version 3.13)\n' \"$2\"",
        "install_name_tool": f'echo "$1 $2 $3" >{tmp_path}/linked',
    }
    for name, code in programs.items():
        (tools / name).write_text(f"#!/bin/sh\n{code}\n")
        (tools / name).chmod(0o755)
    signing = {"SIGN_CODE": "a", "SIGN_INSTALLER": "b", "NOTARY_PROFILE": "c"}
    path = {"PATH": f"{tools}:{os.environ['PATH']}"}
    subprocess.run(["sh", folder / "make-pkg.sh"], env=signing | path, capture_output=True, check=True)
    assert library.read_text() == "machine codeok\n"
    program = folder / "root" / BUNDLE / "MacOS" / "farhand"
    assert program.read_bytes() == (folder / "root" / AGENT / "python/bin/python3.13").read_bytes()
    was, now = "@executable_path/../lib/libpython3.13.dylib", f"/{AGENT}/python/lib/libpython3.13.dylib"
    assert (tmp_path / "linked").read_text() == f"-change {was} {now}\n"
    assert listed(folder / "root" / AGENT) == digests(site)


def test_the_same_source_gives_the_same_bytes(laid_out: Path, python: Path, tmp_path: Path) -> None:
    assert contents(lay_out(tmp_path / "macos", python)) == contents(laid_out)


def test_what_launchd_starts_is_there(laid_out: Path) -> None:
    declared = plistlib.loads((laid_out / "root" / DAEMON).read_bytes())
    program, *arguments = declared["ProgramArguments"]
    link = laid_out / "root" / program.lstrip("/")
    assert link.resolve() == (laid_out / "root" / AGENT / "python/bin/python3.13").resolve()
    assert link.resolve().stat().st_mode & 0o111
    assert arguments == ["-I", "-m", "agent", "run"]
    assert declared["Label"] == Path(DAEMON).stem


def test_launchd_is_told_what_the_guide_says() -> None:
    declared = plistlib.loads((SOURCE / "org.farhand.agent.plist").read_bytes())
    assert declared["RunAtLoad"] is declared["KeepAlive"] is declared["LowPriorityIO"] is True
    assert declared["ProcessType"] == "Background"
    assert declared["Umask"] == 0o077
    assert declared["ThrottleInterval"] == 30
    assert declared["ExitTimeOut"] > 10, "the parent may take 5 s twice"
    assert declared["HardResourceLimits"] == {"Core": 0}
    assert declared["StandardErrorPath"] in README
    assert "UserName" not in declared, "root, as the guide argues"


@pytest.mark.parametrize(("path", "name"), [(HELPER, "input"), (PLACE, "place")])
def test_a_helper_is_known_to_every_session_and_started_by_none(laid_out: Path, path: str, name: MacHelper) -> None:
    declared = plistlib.loads((laid_out / "root" / path).read_bytes())
    assert declared["Label"] == Path(path).stem
    assert declared["LimitLoadToSessionType"] == "Aqua"
    assert not {"RunAtLoad", "KeepAlive", "StartInterval", "WatchPaths", "UserName"} & declared.keys()
    assert start_mac_helper(501, name)[-1] == f"gui/501/{declared['Label']}"
    assert declared["ProgramArguments"][1] == "-I"


def test_the_helper_that_counts_input_is_the_agents_python(laid_out: Path) -> None:
    declared = plistlib.loads((laid_out / "root" / HELPER).read_bytes())
    assert declared["ProgramArguments"] == [f"/{AGENT}/bin/python", "-I", "-m", "agent.session", "--in-session"]
    assert f"/{HELPER}" == LISTED


def test_the_helper_that_may_know_the_location_is_a_bundle_that_says_what_for(laid_out: Path) -> None:
    info = plistlib.loads((laid_out / "root" / BUNDLE / "Info.plist").read_bytes())
    (program, *_) = plistlib.loads((laid_out / "root" / PLACE).read_bytes())["ProgramArguments"]
    assert program == f"/{BUNDLE}/MacOS/{info['CFBundleExecutable']}" == PLACE_HELPER
    assert info["CFBundleIdentifier"] == Path(PLACE).stem
    assert info["CFBundleVersion"] == __version__
    assert "region" in info["NSLocationUsageDescription"]
    package = (laid_out / "make-pkg.sh").read_text()
    assert f"--identifier {info['CFBundleIdentifier']}" in package
    entitled = plistlib.loads((laid_out / "place.entitlements").read_bytes())
    assert entitled == {"com.apple.security.personal-information.location": True}


def test_the_bundles_program_finds_the_interpreters_modules_and_the_agents(laid_out: Path, tmp_path: Path) -> None:
    """A Python of this machine in its place: it ends where the calls of macOS would begin."""
    contents, base = tmp_path / "Farhand.app" / "Contents", Path(getattr(sys, "_base_executable", sys.executable))
    (contents / "MacOS").mkdir(parents=True)
    shutil.copy(base.resolve(), contents / "MacOS" / "farhand")
    settings = (laid_out / "root" / BUNDLE / "pyvenv.cfg").read_text()
    (contents / "pyvenv.cfg").write_text(settings.replace(f"/{AGENT}/python/bin", str(base.resolve().parent)))
    _, *arguments = plistlib.loads((laid_out / "root" / PLACE).read_bytes())["ProgramArguments"]
    told = [each.replace(f"/{AGENT}/site", str(laid_out / "root" / AGENT / "site")) for each in arguments]
    command = [contents / "MacOS" / "farhand", "-B", *told]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd="/")
    assert done.returncode == 2, done.stderr
    assert re.fullmatch("farhand-agent-place: .*libobjc.*\n", done.stderr)


def test_the_commands_and_the_interpreter_find_what_was_laid_down(laid_out: Path) -> None:
    agent = laid_out / "root" / AGENT
    assert (agent / "lib/python3.13/site-packages").resolve() == (agent / "site").resolve()
    home = re.search("home = (.+)", (agent / "pyvenv.cfg").read_text())
    assert home is not None
    assert (laid_out / "root" / home[1].lstrip("/") / "python3").exists()
    commands = (agent / "bin/farhand-agent").read_text()
    assert f"exec /{AGENT}/bin/python -I -m agent" in commands
    assert (agent / "bin/farhand-agent").stat().st_mode & 0o111
    assert (laid_out / "root/private/etc/paths.d/farhand-agent").read_text().strip() == f"/{AGENT}/bin"


def test_every_profile_is_whole_and_has_ids_of_its_own(laid_out: Path) -> None:
    seen: set[str] = set()
    for name, profile in profiles(laid_out / "profiles"):
        assert f"`{name}`" in README
        assert (profile["PayloadType"], profile["PayloadScope"]) == ("Configuration", "System")
        for payload in (profile, *profile["PayloadContent"]):
            assert {"PayloadIdentifier", "PayloadUUID", "PayloadVersion", "PayloadType"} <= payload.keys()
            assert payload["PayloadUUID"] not in seen
            seen.add(payload["PayloadUUID"])


def test_the_profiles_grant_what_the_guide_says_and_nothing_else(laid_out: Path) -> None:
    granted = {}
    for name, profile in profiles(laid_out / "profiles"):
        (payload,) = profile["PayloadContent"]
        granted[name] = (
            {service: entry["Authorization"] for service, (entry,) in payload["Services"].items()}
            if payload["PayloadType"].startswith("com.apple.TCC.")
            else payload["PayloadType"]
        )
    assert granted == {
        "farhand-agent.mobileconfig": "com.apple.servicemanagement",
        "farhand-agent-full-disk-access.mobileconfig": {"SystemPolicyAllFiles": "Allow"},
    }


def test_a_profile_names_the_team_and_the_program_that_are_signed(laid_out: Path) -> None:
    for _, profile in profiles(laid_out / "profiles"):
        (payload,) = profile["PayloadContent"]
        assert "TEAMID" not in str(payload)
        for rule in payload.get("Rules", ()):
            assert rule["RuleValue"] in (Path(DAEMON).stem, Path(HELPER).stem, Path(PLACE).stem)
            assert (rule["RuleType"], rule["TeamIdentifier"]) == ("Label", TEAM)
        for (entry,) in payload.get("Services", {}).values():
            assert (laid_out / "root" / entry["Identifier"].lstrip("/")).is_file()
            assert f'subject.OU] = "{TEAM}"' in entry["CodeRequirement"]
            assert 'identifier "org.farhand.agent"' in entry["CodeRequirement"]
    assert "--identifier org.farhand.agent" in (laid_out / "make-pkg.sh").read_text()


def test_the_installer_is_told_version_and_architecture(laid_out: Path) -> None:
    from agent import __version__

    for name in ("distribution.xml", "make-pkg.sh"):
        text = (laid_out / name).read_text()
        assert not re.search("@[A-Z]+@", text)
        assert __version__ in text
        assert "arm64" in text


def test_a_folder_that_is_not_empty_is_left_alone(laid_out: Path, python: Path) -> None:
    command = [sys.executable, "-c", LAY_OUT, str(ROOT / "packaging"), str(laid_out), str(python), TEAM]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert "is not empty" in done.stderr


@pytest.mark.parametrize("name", SCRIPTS)
def test_a_script_can_be_read_by_any_shell(name: str) -> None:
    subprocess.run(["sh", "-n", SOURCE / name], check=True)
    subprocess.run([str(Path(sys.executable).parent / "shellcheck"), "--shell=sh", str(SOURCE / name)], check=True)


def test_an_installation_makes_the_state_folder_and_a_configuration(disk: Path) -> None:
    script(SOURCE / "scripts/postinstall", "agent.pkg", "/", str(disk))
    state = disk / "private/var/db/farhand-agent"
    assert state.stat().st_mode & 0o777 == 0o700
    config = disk / "private" / CONFIG_FILE.lstrip("/")
    parsed = parse(config.read_text(), "agent.yaml")
    assert parsed.token_file == "/var/db/farhand-agent/enrolment-token"


def test_an_upgrade_keeps_configuration_and_state_and_leaves_no_old_module(disk: Path, laid_out: Path) -> None:
    config = disk / "private/etc/farhand/agent.yaml"
    config.parent.mkdir(parents=True)
    config.write_text("collector: {url: https://farhand.example.org}\n")
    key = disk / "private/var/db/farhand-agent/identity.json"
    key.parent.mkdir(parents=True)
    key.write_text("{}")
    old = disk / AGENT / "site/agent/gone_since.py"
    old.write_text("")
    script(SOURCE / "scripts/preinstall", "agent.pkg", "/", str(disk))
    assert not old.exists()
    subprocess.run(["cp", "-a", f"{laid_out}/root/.", disk], check=True)
    script(SOURCE / "scripts/postinstall", "agent.pkg", "/", f"{disk}/")
    assert "farhand.example.org" in config.read_text()
    assert key.exists()


@pytest.mark.parametrize("purge", [False, True])
def test_a_removal_keeps_the_key_unless_it_is_for_good(disk: Path, *, purge: bool) -> None:
    script(SOURCE / "scripts/postinstall", "agent.pkg", "/", str(disk))
    kept = {disk / "private/etc/farhand/agent.yaml", disk / "private/var/db/farhand-agent"}
    script(disk / AGENT / "uninstall", *(["--purge"] if purge else []), str(disk))
    assert {path for path in kept if path.exists()} == (set() if purge else kept)
    left = {str(path.relative_to(disk)) for path in disk.rglob("*") if path.is_file()}
    assert left == (set() if purge else {"private/etc/farhand/agent.yaml"})


def test_every_script_stops_and_starts_the_job_that_is_declared() -> None:
    for name in ("uninstall", "scripts/preinstall", "scripts/postinstall"):
        text = (SOURCE / name).read_text()
        assert "label=org.farhand.agent\n" in text
        assert '/bin/launchctl bootout "system/$label"' in text
    assert 'bootstrap system "/Library/LaunchDaemons/$label.plist"' in (SOURCE / "scripts/postinstall").read_text()


@pytest.mark.slow
def test_the_whole_layout_holds_the_locked_libraries(tmp_path: Path) -> None:
    command = [sys.executable, str(ROOT / "packaging" / "macos.py"), "--to", str(tmp_path / "macos")]
    command += ["--cache", str(built.WHEELS), "--arch", "x86_64"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode and any(word in done.stderr for word in built.UNREACHED):
        pytest.skip(f"the package index cannot be reached: {done.stderr.strip()[-200:]}")
    assert done.returncode == 0, done.stderr
    site = tmp_path / "macos/root" / AGENT / "site"
    assert {"agent", "msgspec", "nacl", "yaml", "requests", "urllib3", "certifi", "idna"} <= {
        path.name for path in site.iterdir()
    }
    programs = [path for path in site.rglob("*.so") if path.is_file()]
    assert programs
    assert all("linux" not in path.name for path in programs)
    assert all(path.read_bytes()[:4] in (b"\xcf\xfa\xed\xfe", b"\xca\xfe\xba\xbe") for path in programs), "Mach-O alone"
