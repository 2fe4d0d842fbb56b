#!/usr/bin/env bash
# root.sh chroot|boot FOLDER [SECONDS]: runs FOLDER/run.sh as root in a throw-away copy of this machine's file system
# (DUGNAD_ROOT: of that folder, a Debian), in which FOLDER is /test. chroot: just so. boot: as a service of a real systemd, which
# systemd-nspawn starts in a container. Afterwards FOLDER/changed.txt lists what is different in the copy. Exit status: of run.sh.
set -euo pipefail
if [ -z "${DUGNAD_ROOT_INSIDE:-}" ]; then # mounts and processes end with this one
    exec env DUGNAD_ROOT_INSIDE=yes unshare --mount --propagation private --pid --fork --kill-child --mount-proc "$0" "$@"
fi
unset DUGNAD_ROOT_INSIDE
how=$1 folder=$(cd "$2" && pwd) seconds=${3:-120}
place=$folder/place
mkdir -p "$place"
mount -t tmpfs none "$place"
mkdir "$place/up" "$place/work" "$place/root"
mount -t overlay none -o "lowerdir=${DUGNAD_ROOT:-/},upperdir=$place/up,workdir=$place/work" "$place/root"
root=$place/root
mkdir -p "$root/test"
status=0

in_chroot() {
    mount --bind "$folder" "$root/test"
    mount -t proc none "$root/proc"
    mount --rbind /dev "$root/dev"
    mount -t tmpfs none "$root/run"
    chroot "$root" /usr/bin/env -i HOME=/root PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C.UTF-8 \
        timeout "$seconds" bash /test/run.sh >"$folder/out.txt" 2>&1 </dev/null || status=$?
    umount -l "$root/test" "$root/proc" "$root/dev" "$root/run"
}

in_container() {
    local units=$root/etc/systemd/system
    printf '[Unit]\nRequires=basic.target test.service\nAfter=basic.target\nAllowIsolate=yes\n' >"$units/test.target"
    cat >"$units/test.service" <<UNIT
[Unit]
SuccessAction=exit-force
FailureAction=exit-force
[Service]
Type=oneshot
Environment=HOME=/root LC_ALL=C.UTF-8
ExecStart=/bin/bash -c 'timeout $seconds bash /test/run.sh >/test/out.txt 2>&1; echo \$\$? >/test/status.txt'
TimeoutStartSec=infinity
UNIT
    # What this machine runs besides is not started: no timers, no services of others.
    rm -rf "${units:?}"/*.target.wants "${units:?}"/*.wants
    ln -sf /dev/null "$units/timers.target"
    rm -f "$folder/status.txt"
    SYSTEMD_NSPAWN_API_VFS_WRITABLE=1 timeout $((seconds + 60)) systemd-nspawn --quiet --directory "$root" --register=no --keep-unit \
        --console=pipe --machine=dugnad-test --bind "$folder:/test" /lib/systemd/systemd systemd.unit=test.target \
        >"$folder/console.txt" 2>&1 </dev/null || true
    status=$(cat "$folder/status.txt" 2>/dev/null || echo 99)
}

case $how in
chroot) in_chroot ;;
boot) in_container ;;
esac
(cd "$place/up" && find . -mindepth 1 | sed 's/^\.//' | LC_ALL=C sort) >"$folder/changed.txt"
exit "$status"
