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

# Signing changed libraries: the list by which the agent knows its own files is made of what is packed.
listed="$agent/manifest.sha256"
(
    cd "$agent/site"
    head -n 1 "$listed"
    find . -type f | sed 's|^\./||' | LC_ALL=C sort | tr '\n' '\0' | xargs -0 shasum -a 256
) >"$here/manifest.new"
cat "$here/manifest.new" >"$listed"
rm "$here/manifest.new"

pkgbuild --root "$here/root" --scripts "$here/scripts" --identifier org.farhand.agent --version "@VERSION@" \
    --ownership recommended --install-location / "$here/farhand-agent-component.pkg"
productbuild --distribution "$here/distribution.xml" --package-path "$here" "$here/unsigned.pkg"
productsign --timestamp --sign "$SIGN_INSTALLER" "$here/unsigned.pkg" "$here/$name.pkg"
xcrun notarytool submit "$here/$name.pkg" --keychain-profile "$NOTARY_PROFILE" --wait
xcrun stapler staple "$here/$name.pkg"

codesign --verify --strict --verbose=2 "$agent/python/bin/python3"
pkgutil --check-signature "$here/$name.pkg"
spctl --assess --type install --verbose=2 "$here/$name.pkg"
pkgutil --payload-files "$here/$name.pkg" | head
