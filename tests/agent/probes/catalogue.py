"""catalogue: a few remote-access tools, as a collector would send them."""

from __future__ import annotations

from agent.wire.settings import Artefacts, Catalogue, ToolEntry

CATALOGUE = Catalogue(
    version=7,
    tools=(
        ToolEntry(
            id="helpdesk",
            needs_second_artefact=True,
            linux=Artefacts(processes=("agent",), services=("helpdesk.service",), paths=("/opt/helpdesk/",)),
        ),
        ToolEntry(
            id="mullvad",
            role="vpn",
            linux=Artefacts(
                processes=("mullvad-daemon",), services=("mullvad-daemon.service",), paths=("/opt/Mullvad VPN/",)
            ),
        ),
        ToolEntry(id="openssh", role="tunnel", linux=Artefacts(processes=("ssh", "autossh"))),
        ToolEntry(
            id="openssh-server",
            role="login",
            ports=(22,),
            linux=Artefacts(
                processes=("sshd", "sshd-session"),
                services=("ssh.service", "sshd@*.service"),
                paths=("/usr/sbin/sshd",),
            ),
        ),
        ToolEntry(
            id="teamviewer",
            ports=(5938,),
            linux=Artefacts(
                processes=("teamviewerd", "TeamViewer_Desktop"),
                services=("teamviewerd.service",),
                paths=("/opt/teamviewer/tv_bin/", "~/.config/teamviewer"),
            ),
        ),
        ToolEntry(
            id="tigervnc",
            ports=(5900, 5901),
            linux=Artefacts(processes=("Xvnc", "Xtigervnc", "x0vncserver"), paths=("/usr/bin/Xtigervnc",)),
        ),
        ToolEntry(
            id="x11vnc",
            ports=(5900, 49000),
            linux=Artefacts(processes=("x11vnc",), paths=("/usr/bin/x11vnc",)),
        ),
    ),
)
