#!/bin/sh
# Debian packages that the browser, remote-session, PostgreSQL and packaging tests use. Without root or apt it changes
# nothing: the tests that miss a program skip and name it.
set -eu
programs="chromium:chromium Xvfb:xvfb Xvnc:tigervnc-standalone-server x11vnc:x11vnc xvncviewer:tigervnc-viewer
fluxbox:fluxbox xterm:xterm xdotool:xdotool ip:iproute2 ssh:openssh-client sshd:openssh-server strace:strace socat:socat
xauth:xauth taskset:util-linux initdb:postgresql
systemd-nspawn:systemd-container debootstrap:debootstrap rpm:rpm nginx:nginx-light caddy:caddy
wine:wine wineserver:wine64 wixl:wixl msibuild:msitools x86_64-w64-mingw32-gcc:gcc-mingw-w64-x86-64-win32"
path="$PATH:/usr/sbin:/sbin"
for bin in /usr/lib/postgresql/*/bin; do path="$path:$bin"; done # Debian keeps initdb out of PATH
missing=""
for pair in $programs; do
    PATH="$path" command -v "${pair%%:*}" >/dev/null 2>&1 || missing="$missing ${pair##*:}"
done
[ -n "$missing" ] || exit 0
if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null 2>&1; then
    echo "some tests will be skipped; for them install:$missing" >&2
    exit 0
fi
# Daemons of these packages must not start by being installed.
policy=/usr/sbin/policy-rc.d
made=""
[ -e "$policy" ] || { printf '#!/bin/sh\nexit 101\n' >"$policy"; chmod 755 "$policy"; made=yes; }
trap '[ -z "$made" ] || rm -f "$policy"' EXIT
echo "installing:$missing" >&2
# shellcheck disable=SC2086
if ! { apt-get update -qq >&2 &&
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing fonts-dejavu-core >&2; }; then
    echo "could not install:$missing; the tests that need them will be skipped, each with its reason" >&2
fi
