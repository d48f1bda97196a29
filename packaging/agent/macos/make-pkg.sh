#!/bin/sh
# make-pkg.sh: on a Mac, make a signed and notarised package of what lies beside this script.
#
# SIGN_CODE       identity that signs programs, such as "Developer ID Application: Example (ABCDE12345)"
# SIGN_INSTALLER  identity that signs the package, such as "Developer ID Installer: Example (ABCDE12345)"
# NOTARY_PROFILE  name under which `xcrun notarytool store-credentials` keeps an account
set -eu
here="$(cd "$(dirname "$0")" && pwd)"
name="farhand-agent-@VERSION@-@ARCH@"
agent="$here/root/Library/Farhand/agent"

# Every program and library, the innermost first. The agent's Python gets the name that the profiles speak of.
find "$agent/site" "$agent/python" -type f \( -name '*.so' -o -name '*.dylib' \) -print0 |
    xargs -0 codesign --force --timestamp --options runtime --sign "$SIGN_CODE"
find "$agent/python/bin" -type f -perm +111 -print0 |
    xargs -0 codesign --force --timestamp --options runtime --identifier org.farhand.agent --sign "$SIGN_CODE"

# The helper that may know the location is a bundle, as macOS asks people about bundles alone. Its program is the agent's
# Python, which finds the rest of itself by the pyvenv.cfg in the bundle, and its library by where that will lie.
helper="$agent/Farhand.app"
mkdir -p "$helper/Contents/MacOS"
cp "$agent/python/bin/python3.13" "$helper/Contents/MacOS/farhand"
library="$(otool -L "$helper/Contents/MacOS/farhand" | awk '/libpython/ { print $1; exit }')"
if [ -n "$library" ]; then
    install_name_tool -change "$library" "/Library/Farhand/agent/python/lib/${library##*/}" "$helper/Contents/MacOS/farhand"
fi
codesign --force --timestamp --options runtime --identifier org.farhand.agent.place \
    --entitlements "$here/place.entitlements" --sign "$SIGN_CODE" "$helper"

# Signing changed libraries: the list by which the agent knows its own files is made of what is packed.
listed="$agent/manifest.sha256"
(
    cd "$agent/site"
    head -n 1 "$listed"
    find . -type f | sed 's|^\./||' | LC_ALL=C sort | tr '\n' '\0' | xargs -0 shasum -a 256
) >"$here/manifest.new"
cat "$here/manifest.new" >"$listed"
rm "$here/manifest.new"

# A bundle that the installer may relocate would be laid over any other one of its name, wherever that is.
pkgbuild --analyze --root "$here/root" "$here/components.plist"
plutil -replace 0.BundleIsRelocatable -bool NO "$here/components.plist"
pkgbuild --root "$here/root" --component-plist "$here/components.plist" --scripts "$here/scripts" \
    --identifier org.farhand.agent --version "@VERSION@" --ownership recommended --install-location / "$here/farhand-agent-component.pkg"
productbuild --distribution "$here/distribution.xml" --package-path "$here" "$here/unsigned.pkg"
productsign --timestamp --sign "$SIGN_INSTALLER" "$here/unsigned.pkg" "$here/$name.pkg"
xcrun notarytool submit "$here/$name.pkg" --keychain-profile "$NOTARY_PROFILE" --wait
xcrun stapler staple "$here/$name.pkg"

codesign --verify --strict --verbose=2 "$agent/python/bin/python3"
codesign --verify --strict --verbose=2 "$helper"
pkgutil --check-signature "$here/$name.pkg"
spctl --assess --type install --verbose=2 "$here/$name.pkg"
pkgutil --payload-files "$here/$name.pkg" | head
