#!/usr/bin/env bash
# deb.sh [--bin FOLDER] [--suffix +TEXT] [DEST]: builds dugnad_*.deb, dugnad-server_*.deb, dugnad-client_*.deb, libdugnad0_*.deb and libdugnad-dev_*.deb for this machine's Debian
# and processor into DEST (default: build/deb). Builds the release first; --bin takes the build folder that is there already.
# --suffix goes to the end of the version. The same source gives the same bytes: times are those of the last commit (or SOURCE_DATE_EPOCH).
set -euo pipefail
umask 022
cd "$(dirname "$0")/.."
build=build
given=no
suffix=
while [ $# -gt 0 ]; do
    case $1 in
    --bin)
        build=${2:?--bin wants a build folder}
        given=yes
        shift
        ;;
    --suffix)
        suffix=${2:?--suffix wants a text such as +local1}
        shift
        ;;
    -*)
        sed -n '2,4s/^# //p' "$0" >&2
        exit 2
        ;;
    *) break ;;
    esac
    shift
done
dest=${1:-build/deb}

packaging/packages.sh pack
if [ $given = no ]; then
    packaging/packages.sh build
    cmake --preset release -DDUGNAD_TESTS=none >/dev/null
    cmake --build --preset release
fi
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct 2>/dev/null || date +%s)}
export SOURCE_DATE_EPOCH
version=$("$build/bin/dugnad-server" version | sed 's/^dugnad-server //')$suffix
arch=$(dpkg --print-architecture)
mkdir -p "$dest"
dest=$(cd "$dest" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir "$work/debian"
printf 'Source: dugnad\n\nPackage: dugnad\nArchitecture: any\n' >"$work/debian/control"

# What the program is linked with, as versions of packages.
shared_libraries() { # ROOT of a package
    local programs
    mapfile -t programs < <(find "$1/usr/bin" "$1/usr/lib" -maxdepth 1 -type f \( -path '*/bin/*' -o -name 'lib*.so.*' \) 2>/dev/null)
    [ ${#programs[@]} -eq 0 ] ||
        (cd "$work" && dpkg-shlibdeps -O --ignore-missing-info "${programs[@]}" 2>"$work/shlibdeps.log") | sed -n 's/^shlibs:Depends=//p'
}

documents() { # PACKAGE: copyright, changelog
    local folder=$work/$1/usr/share/doc/$1
    mkdir -p "$folder"
    {
        echo "Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/"
        echo "Upstream-Name: Dugnad"
        echo
        echo "Files: *"
        echo "Copyright: the Dugnad authors"
        echo "License: Apache-2.0"
        echo " On Debian systems the full text is in /usr/share/common-licenses/Apache-2.0"
    } >"$folder/copyright"
    printf 'dugnad (%s) bookworm; urgency=medium\n\n  * See the history of the source.\n\n -- Dugnad <dugnad@localhost>  %s\n' \
        "$version" "$(LC_ALL=C date -u -R -d "@$SOURCE_DATE_EPOCH")" | gzip -9n >"$folder/changelog.gz"
}

package() { # NAME COMPONENT DEPENDS RECOMMENDS SUMMARY [SECTION], description on standard input
    local name=$1 component=$2 depends=$3 recommends=$4 summary=$5 section=${6:-science}
    local root=$work/$name script libraries
    DESTDIR=$root cmake --install "$build" --prefix /usr --component "$component" --strip >/dev/null
    [ ! -d "$root/usr/share/man" ] || find "$root/usr/share/man" -type f -exec gzip -9n {} +
    documents "$name"
    mkdir "$root/DEBIAN"
    for script in postinst prerm postrm; do
        [ ! -e "packaging/debian/$name.$script" ] || install -m 755 "packaging/debian/$name.$script" "$root/DEBIAN/$script"
    done
    for script in triggers shlibs; do
        [ ! -e "packaging/debian/$name.$script" ] || install -m 644 "packaging/debian/$name.$script" "$root/DEBIAN/$script"
    done
    libraries=$(shared_libraries "$root")
    (cd "$root" && find usr -type f -print0 | LC_ALL=C sort -z | xargs -0 md5sum) >"$root/DEBIAN/md5sums"
    {
        echo "Package: $name"
        echo "Source: dugnad"
        echo "Version: $version"
        echo "Architecture: $arch"
        echo "Maintainer: Dugnad <dugnad@localhost>"
        echo "Installed-Size: $(du -sk --apparent-size "$root/usr" | cut -f1)"
        echo "Depends: $libraries${libraries:+${depends:+, }}$depends"
        [ -z "$recommends" ] || echo "Recommends: $recommends"
        echo "Section: $section"
        echo "Priority: optional"
        echo "Description: $summary"
        sed 's/^/ /'
    } >"$root/DEBIAN/control"
    find "$root" -print0 | xargs -0 touch -h -d "@$SOURCE_DATE_EPOCH"
    dpkg-deb --root-owner-group -Zxz --build "$root" "$dest/${name}_${version}_${arch}.deb" >/dev/null
    echo "$dest/${name}_${version}_${arch}.deb"
}

package dugnad-server server adduser ca-certificates "work server of a volunteer-computing project" <<'END'
Hands signed work units to the computers of volunteers, validates their
answers, keeps and delivers them. One process with an embedded database,
HTTPS and a console for the browser.
END
package dugnad-client client adduser ca-certificates "lends this computer to a volunteer-computing project" <<'END'
Fetches signed work units of a project, runs them in a sandbox while the
computer has time, and hands the answers back. Opens no port; where no
sandbox works, nothing is run.
END
package dugnad cli "" "ca-certificates, python3" "command line of a volunteer-computing grid" <<'END'
Packs programs as apps, signs and publishes them, submits batches of work
units, watches them and fetches the answers; looks after people and hosts.
With a module for Python.
END
package libdugnad0 lib "" ca-certificates "work for a volunteer-computing grid, from C" libs <<'END'
Submits work units to a project one is logged in to with the command line,
waits for their validated answers, maps a program over many items.
END
package libdugnad-dev dev "libdugnad0 (= $version)" "dugnad, pkg-config" "header and static library of libdugnad" libdevel <<'END'
What a program that is built with libdugnad needs: dugnad_grid.h, which
describes all calls, the static library, and dugnad.pc for pkg-config.
END
