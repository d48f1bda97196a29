"""linux: folders that play a machine, and this machine."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import time
from datetime import timedelta
from pathlib import Path

import pytest

from agent.host import Host, HostBrokenError, HostDeniedError, HostError, HostTimeoutError, Service
from agent.host.linux import LinuxHost

ZONEINFO = Path("/usr/share/zoneinfo")


def put(root: Path, path: str, text: str = "") -> Path:
    file = root / path.lstrip("/")
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    return file


def test_a_text_file_is_read_up_to_its_cap_and_always_decodes(tmp_path: Path) -> None:
    put(tmp_path, "/etc/x").write_bytes(b"a\xffb" + b"c" * 100_000)
    text = LinuxHost(str(tmp_path)).read_text("/etc/x")
    assert text is not None
    assert (text[:3], len(text)) == ("a\ufffdb", 65536)


def test_what_is_no_plain_file_is_refused_instead_of_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    host = LinuxHost(str(tmp_path))
    with pytest.raises(HostError, match="/pipe: not a plain file"):
        host.read_text("/pipe")
    assert host.read_text("/none") is None
    assert host.list_dir("/none") == host.list_dir("/pipe") == ()


def test_a_file_that_fails_is_not_taken_for_one_that_is_missing() -> None:
    with pytest.raises(HostBrokenError, match="Input/output error"):
        LinuxHost().read_bytes("/proc/self/mem")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_missing_permission_is_told_apart(tmp_path: Path) -> None:
    put(tmp_path, "/secret").chmod(0)
    with pytest.raises(HostDeniedError):
        LinuxHost(str(tmp_path)).read_text("/secret")


def test_paths_may_hold_stars_and_home_directories(tmp_path: Path) -> None:
    host = LinuxHost(str(tmp_path))
    put(tmp_path, "/etc/passwd", "alice:x:1000:1000::/srv/people/alice:/bin/sh\ndaemon:x:1:1::/usr/sbin:/bin/false\n")
    put(tmp_path, "/srv/people/alice/.anydesk/x")
    put(tmp_path, "/home/bob/.vnc/passwd")
    put(tmp_path, "/usr/sbin/.vnc2/x")
    put(tmp_path, "/etc/anydesk_ad_1/system.conf")
    put(tmp_path, "/opt/odd[1]/x")
    assert host.exists("~/.anydesk/")
    assert host.exists("~/.vnc/passwd")
    assert not host.exists("~/.vnc2")
    assert host.exists("/etc/anydesk_ad_*/system.conf")
    assert not host.exists("/etc/*/nothing")
    assert not host.exists("/*/system.conf")
    assert host.exists("/opt/odd[1]/*")
    assert not host.exists("/opt/odd1")


def test_services_are_the_unit_files_and_those_that_a_target_wants_start_by_themselves(tmp_path: Path) -> None:
    put(tmp_path, "/usr/lib/systemd/system/ssh.service")
    put(tmp_path, "/etc/systemd/system/multi-user.target.wants/ssh.service")
    put(tmp_path, "/etc/systemd/system/anydesk.service")
    put(tmp_path, "/home/bob/.config/systemd/user/default.target.wants/x11vnc.service")
    assert LinuxHost(str(tmp_path)).services() == (
        Service(name="anydesk.service", enabled=False),
        Service(name="ssh.service", enabled=True),
        Service(name="x11vnc.service", enabled=True),
    )


def test_the_time_zone_is_that_of_the_machine_and_not_of_an_environment_variable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    zones = tmp_path / "usr/share/zoneinfo/Asia"
    zones.mkdir(parents=True)
    shutil.copy(ZONEINFO / "Asia/Kathmandu", zones)
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/localtime").symlink_to("../usr/share/zoneinfo/Asia/Kathmandu")
    monkeypatch.setenv("TZ", "America/New_York")
    assert LinuxHost(str(tmp_path)).timezone() == ("Asia/Kathmandu", 345)


def test_a_copied_localtime_is_named_by_etc_timezone(tmp_path: Path) -> None:
    host = LinuxHost(str(tmp_path))
    put(tmp_path, "/etc/localtime").write_bytes((ZONEINFO / "Asia/Tokyo").read_bytes())
    with pytest.raises(HostError, match="does not say which time zone"):
        host.timezone()
    put(tmp_path, "/etc/timezone", "Asia/Tokyo\n")
    assert host.timezone() == ("Asia/Tokyo", 540)


def test_a_machine_without_a_time_zone_keeps_utc(tmp_path: Path) -> None:
    host = LinuxHost(str(tmp_path))
    assert host.timezone() == ("UTC", 0)
    put(tmp_path, "/etc/timezone", "Mars/Olympus\n")
    with pytest.raises(HostError, match="Mars/Olympus"):
        host.timezone()


def test_the_binding_changes_with_machine_id_and_hardware_and_with_nothing_else(tmp_path: Path) -> None:
    host = LinuxHost(str(tmp_path))
    seen = {host.machine_binding()}
    for path in ("/etc/machine-id", "/sys/class/dmi/id/product_uuid", "/sys/class/dmi/id/product_serial"):
        put(tmp_path, path, "one\n")
        seen.add(host.machine_binding())
    put(tmp_path, "/sys/class/dmi/id/product_serial", "two\n")
    seen.add(host.machine_binding())
    assert len(seen) == 5
    put(tmp_path, "/etc/hostname", "other\n")
    assert host.machine_binding() in seen
    assert all(re.fullmatch("(([0-9a-f]{32})?:?){3}", one) and one.count(":") == 2 for one in seen)
    assert not any("one" in binding for binding in seen)


def test_the_binding_leaves_out_what_may_not_be_read(tmp_path: Path) -> None:
    host = LinuxHost(str(tmp_path))
    put(tmp_path, "/etc/machine-id", "one\n")
    put(tmp_path, "/sys/class/dmi/id/product_serial/x", "a folder cannot be read, as a file that is denied")
    assert re.fullmatch("[0-9a-f]{32}::", host.machine_binding())


def test_commands_run_only_from_the_list_and_end_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    host = LinuxHost()
    with pytest.raises(HostError, match="not on the list"):
        host.run(["/bin/echo", "x"])
    echo, sleep, loud, none = ("/bin/echo", "x"), ("/bin/sleep", "9"), ("/usr/bin/seq", "99999"), ("/no/such",)
    monkeypatch.setattr("agent.host.commands.ALLOWED", {echo, sleep, loud, none})
    assert host.run(echo) == "x\n"
    with pytest.raises(HostTimeoutError, match=r"no end after 0\.05 s"):
        host.run(sleep, timeout_s=0.05)
    with pytest.raises(HostBrokenError, match="too much output"):
        host.run(loud)
    with pytest.raises(HostError, match="/no/such: No such file"):
        host.run(none)


def test_an_empty_folder_is_a_machine_that_says_little(tmp_path: Path) -> None:
    host = LinuxHost(str(tmp_path))
    for ask in (host.boot_id, host.hostname, host.kernel, host.processes):
        with pytest.raises(HostError):
            ask()
    assert (host.services(), host.logins(), host.tcp_sockets()) == ((), (), ())


def test_this_machine_answers_sanely() -> None:
    host: Host = LinuxHost()
    assert re.fullmatch("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", host.boot_id())
    assert host.hostname() == socket.gethostname()
    assert host.kernel() == (os.uname().release, os.uname().machine)
    assert 0 < host.awake_s() <= host.uptime_s() + 0.01
    assert -14 * 60 <= host.timezone()[1] <= 14 * 60
    assert host.now().utcoffset() == timedelta(0)
    (me,) = [process for process in host.processes() if process.pid == os.getpid()]
    assert me.parent_pid == os.getppid()
    assert me.path == os.path.realpath("/proc/self/exe")


def test_the_start_of_a_process_is_told_by_the_wall_clock() -> None:
    host = LinuxHost()
    before = host.now()
    with subprocess.Popen(["/bin/sleep", "60"]) as child:
        try:
            started_at = host.process_started_at(child.pid)
        finally:
            child.kill()
    assert started_at is not None
    assert abs((started_at - before).total_seconds()) < 0.5
    assert host.process_started_at(child.pid) is None


def test_one_look_at_all_sockets_serves_the_probes_of_a_cycle(tmp_path: Path) -> None:
    """Among 10,000 sockets a look takes 60 ms of processor time."""
    host = LinuxHost(str(tmp_path))
    heading = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"
    put(tmp_path, "/proc/net/tcp", heading + "   0: 00000000:0016 00000000:0000 0A 0:0 00:0 0 0 0 9001 1 0\n")
    assert [one.local_port for one in host.tcp_sockets()] == [22]
    put(tmp_path, "/proc/net/tcp", heading)
    (tmp_path / "proc/7/fd").mkdir(parents=True)
    (tmp_path / "proc/7/fd/3").symlink_to("socket:[9001]")
    assert [one.pid for one in host.tcp_sockets([7])] == [7]
    assert LinuxHost(str(tmp_path)).tcp_sockets([7]) == ()


def test_the_kernels_figures_come_back_under_the_sockets_that_were_asked_about() -> None:
    host = LinuxHost()
    with socket.create_server(("127.0.0.1", 0)) as door:
        port = door.getsockname()[1]
        with socket.create_connection(("127.0.0.1", port)) as far, door.accept()[0]:
            far.sendall(b"x")
            mine = [one for one in host.tcp_sockets([os.getpid()]) if port in (one.local_port, one.peer_port)]
            (listener,) = [one for one in mine if one.state == "listen"]
            ends = [one for one in mine if one.state == "established"]
            known = host.tcp_info(ends)
            assert listener.pid == os.getpid()
            assert set(known) == set(ends)
            assert len(ends) == 2
        assert host.tcp_info(ends) == {}


def test_what_lies_under_a_name_with_stars_is_written_out_with_its_size_and_age(tmp_path: Path) -> None:
    host = LinuxHost(str(tmp_path))
    os.utime(put(tmp_path, "/opt/tool-b/config", "abc"), (1_700_000_000, 1_700_000_000))
    put(tmp_path, "/opt/tool-a/config")
    assert host.matching("/opt/tool-*/config") == ("/opt/tool-a/config", "/opt/tool-b/config")
    assert host.matching("/opt/none*") == ()
    stamp = host.stamp("/opt/tool-b/config")
    assert stamp is not None
    assert (stamp.size, stamp.changed_at.timestamp()) == (3, 1_700_000_000)
    assert host.stamp("/opt/none") is None
    # Some file systems take any time, and others the latest that they know.
    os.utime(tmp_path / "opt/tool-b/config", (10**12, 10**12))
    stamp = host.stamp("/opt/tool-b/config")
    assert stamp is not None
    assert 2400 < stamp.changed_at.year <= 9999


def test_the_arguments_of_a_process_are_told_and_none_of_one_that_is_gone() -> None:
    with subprocess.Popen(["sleep", "60"]) as child:
        until = time.monotonic() + 5
        while LinuxHost().command_line(child.pid)[:1] != ("sleep",) and time.monotonic() < until:
            time.sleep(0.01)  # until it is executed it has the arguments of this process
        assert LinuxHost().command_line(child.pid) == ("sleep", "60")
        child.kill()
    assert LinuxHost().command_line(child.pid) == ()
