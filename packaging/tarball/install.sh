#!/bin/sh
# install.sh [--join LINK] [--no-service]: installs the client from its unpacked archive. As root it is a service of the whole
# computer with a user of its own, below /usr/local; as anybody else it is that user's, below ~/.local.
# install.sh --uninstall [--purge]: removes it again; its settings and data too with --purge. Any Linux with sh and coreutils (or busybox).
set -eu
umask 022
name=dugnad-client
link='' service=yes what=install purge=no
while [ $# -gt 0 ]; do
    case $1 in
    --join)
        link=${2:?--join wants the link of a project}
        shift
        ;;
    --no-service) service=no ;;
    --uninstall) what=uninstall ;;
    --purge) purge=yes ;;
    *)
        sed -n '2,4s/^# //p' "$0" >&2
        exit 2
        ;;
    esac
    shift
done

from=$(cd "$(dirname "$0")" && pwd)
if [ "$(id -u)" = 0 ]; then
    prefix=/usr/local units=/etc/systemd/system data=/var/lib/$name
    system() { systemctl "$@"; }
else
    prefix=$HOME/.local units=${XDG_CONFIG_HOME:-$HOME/.config}/systemd/user data=$HOME/.local/share/dugnad
    system() { systemctl --user "$@"; }
fi
place=$prefix/lib/$name
manual=$prefix/share/man
completions="bash-completion/completions/$name zsh/site-functions/_$name fish/vendor_completions.d/$name.fish"

has_systemd() {
    [ $service = yes ] && command -v systemctl >/dev/null 2>&1 && system show-environment >/dev/null 2>&1
}

# Also from an installation that was interrupted: what is not there is not missed.
remove_files() {
    rm -rf "$place"
    rm -f "$prefix/bin/$name" "$manual/man1/$name.1" "$manual/man5/$name.conf.5" "$units/$name.service" "$units/$name.path"
    for file in $completions; do rm -f "$prefix/share/$file"; done
}

uninstall() {
    if has_systemd; then
        system disable --now $name.service 2>/dev/null || true
        [ "$(id -u)" != 0 ] || system disable --now $name.path 2>/dev/null || true
    fi
    remove_files
    if has_systemd; then system daemon-reload; fi
    if [ $purge = yes ]; then
        rm -rf "$data"
        if [ "$(id -u)" = 0 ]; then
            rm -f /etc/default/$name
            if grep -q "^$name:" /etc/passwd; then userdel $name 2>/dev/null || deluser $name; fi
            if grep -q "^$name:" /etc/group; then groupdel $name 2>/dev/null || delgroup $name; fi
        fi
        echo "$name is gone, with its data"
    else
        echo "$name is removed; its settings and data stay in $data"
    fi
}

add_user() {
    grep -q "^$name:" /etc/passwd || useradd --system --user-group --no-create-home --home-dir "$data" --shell /usr/sbin/nologin $name 2>/dev/null ||
        { addgroup -S $name && adduser -S -D -H -h "$data" -s /sbin/nologin -G $name $name; }
    mkdir -p "$data"
    chown $name:$name "$data"
    chmod 700 "$data"
}

# Where another distribution than Debian keeps the authorities' certificates; the client then has it in its settings.
name_authorities() {
    if [ -e /etc/ssl/certs/ca-certificates.crt ] || [ -e "$data/client.conf" ]; then return 0; fi
    for file in /etc/pki/tls/certs/ca-bundle.crt /etc/ssl/ca-bundle.pem /etc/ssl/cert.pem; do
        [ -e $file ] || continue
        echo "ca_file = $file" >"$data/client.conf"
        chmod 600 "$data/client.conf"
        [ "$(id -u)" != 0 ] || chown $name:$name "$data/client.conf"
        return 0
    done
}

install_unit() {
    mkdir -p "$units"
    if [ "$(id -u)" = 0 ]; then
        for folder in dev etc home proc root run sys tmp usr var/lib/$name var/tmp; do mkdir -p "$place/root/$folder"; done
        for part in bin lib lib64 sbin; do ln -sfn usr/$part "$place/root/$part"; done
        sed "s#/usr/bin/$name#$prefix/bin/$name#; s#/usr/lib/$name/root#$place/root#" "$from/systemd/$name.service" >"$units/$name.service"
        cp "$from/systemd/$name.path" "$units/$name.path"
        [ -e /etc/default/$name ] || { mkdir -p /etc/default && cp "$from/default" /etc/default/$name && chmod 640 /etc/default/$name; }
    else
        sed "s#/usr/bin/$name#$prefix/bin/$name#" "$from/systemd/$name-user.service" >"$units/$name.service"
    fi
}

start_service() {
    system daemon-reload
    if [ "$(id -u)" = 0 ]; then system enable --now $name.path; fi
    system enable $name.service
    if [ -e "$data/project.json" ]; then system restart $name.service; fi
}

install() {
    [ -x "$from/lib/$name" ] || { echo "install.sh: $from is not the unpacked archive of $name" >&2; exit 1; }
    "$from/bin/$name" version >/dev/null || { echo "install.sh: this archive is for another kind of processor or an older kernel" >&2; exit 1; }
    remove_files
    mkdir -p "$place" "$prefix/bin" "$manual/man1" "$manual/man5"
    cp -R "$from/bin" "$from/lib" "$from/install.sh" "$place/"
    ln -sfn "$place/bin/$name" "$prefix/bin/$name"
    cp "$from/man/$name.1" "$manual/man1/"
    cp "$from/man/$name.conf.5" "$manual/man5/"
    for file in $completions; do
        mkdir -p "$prefix/share/$(dirname "$file")"
        cp "$from/completions/$(basename "$file")" "$prefix/share/$file"
    done
    if [ "$(id -u)" = 0 ]; then add_user; else mkdir -p "$data" && chmod 700 "$data"; fi
    name_authorities
    install_unit
    if [ -n "$link" ]; then "$prefix/bin/$name" --data "$data" join "$link"; fi
    if has_systemd; then
        start_service
    else
        echo "There is no service manager that this knows: begin it with $prefix/bin/$name run"
    fi
    [ -e "$data/project.json" ] || echo "Join a project: $prefix/bin/$name join LINK"
    echo "To remove it: $place/install.sh --uninstall"
}

$what
