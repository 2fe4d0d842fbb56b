"""The packages and the archive for other systems: installed, upgraded, removed and purged in a throw-away copy of this machine
(root/root.sh); the container file; man pages and units."""

import json
import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest

from grid import BIN, free_port

SOURCE = Path(__file__).resolve().parents[2]
ROOT_SH = Path(__file__).resolve().parent / "root" / "root.sh"
LINK = "https://127.0.0.1:1/join#k=" + "ab" * 32


def can_copy():
    """An overlay of this machine's root: not everywhere, even for root."""
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "run.sh").write_text("true\n")
        return os.geteuid() == 0 and subprocess.run([ROOT_SH, "chroot", folder, "20"], capture_output=True, timeout=60).returncode == 0


needs_root = pytest.mark.skipif(not can_copy(), reason="installing packages needs root and an overlay of the root file system")


def words_of(*command):
    return subprocess.run([str(x) for x in command], check=True, capture_output=True, text=True, timeout=30).stdout


@pytest.fixture(scope="module")
def debs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("debs")
    for suffix in ("", "+later"):
        subprocess.run([SOURCE / "packaging" / "deb.sh", "--bin", BIN.parent, *(["--suffix", suffix] if suffix else []),
                        folder / f"v{suffix}"], check=True, stdout=subprocess.DEVNULL, timeout=300)
    return folder


def in_copy(debs, tmp_path, script, how="chroot", seconds=120):
    """What the script printed, and which paths it left different."""
    for version in debs.iterdir():
        shutil.copytree(version, tmp_path / version.name)
    (tmp_path / "run.sh").write_text("set -eu\nexport DEBIAN_FRONTEND=noninteractive\n" + script)
    done = subprocess.run([ROOT_SH, how, tmp_path, str(seconds)], timeout=seconds + 120)
    out = (tmp_path / "out.txt").read_text()
    assert done.returncode == 0, out
    return out, (tmp_path / "changed.txt").read_text().splitlines()


@needs_root
def test_what_is_installed_works_and_an_upgrade_keeps_what_was_set(debs, tmp_path):
    out, changed = in_copy(debs, tmp_path, """
        dpkg -i /test/v/*.deb
        dugnad version; dugnad-server version; dugnad-client version
        stat -c '%U %a %n' /var/lib/dugnad-server /var/lib/dugnad-client
        bash -c '. /usr/share/bash-completion/completions/dugnad-client; complete -p dugnad-client'
        dugnad-server init --name Kept --listen 127.0.0.1:8443
        echo '# mine' >>/var/lib/dugnad-server/server.conf
        echo 'DUGNAD_TEAM=mine' >>/etc/default/dugnad-client
        dpkg -i /test/v+later/*.deb
        grep '# mine' /var/lib/dugnad-server/server.conf && grep ^DUGNAD_TEAM=mine /etc/default/dugnad-client
        stat -c '%U %a %n' /var/lib/dugnad-server/server.conf /var/lib/dugnad-server/keys
        dpkg-query -W -f '${Package} ${Version}\\n' 'dugnad*'
        """)
    for line in ("dugnad-server 700 /var/lib/dugnad-server", "dugnad-client 700 /var/lib/dugnad-client",
                 "dugnad-server 640 /var/lib/dugnad-server/server.conf", "dugnad-server 700 /var/lib/dugnad-server/keys"):
        assert line in out
    assert len(re.findall(r"^dugnad\S* \S+\+later$", out, re.M)) == 3, out
    assert "_dugnad_client" in out
    for path in ("/usr/share/man/man1/dugnad.1.gz", "/usr/share/man/man5/dugnad-server.conf.5.gz",
                 "/etc/systemd/system/multi-user.target.wants/dugnad-server.service",
                 "/etc/systemd/system/paths.target.wants/dugnad-client.path"):
        assert path in changed


@needs_root
def test_a_purge_leaves_nothing_behind_and_a_removal_keeps_the_data(debs, tmp_path):
    out, changed = in_copy(debs, tmp_path, """
        cp /etc/passwd /etc/group /tmp
        dpkg -i /test/v/*.deb
        touch /var/lib/dugnad-server/data
        packages=$(dpkg-query -W -f '${Package} ' '*dugnad*')
        dpkg -r $packages
        test -e /var/lib/dugnad-server/data && test -e /etc/default/dugnad-client && echo kept
        dpkg -P $packages
        cmp /etc/passwd /tmp/passwd && cmp /etc/group /tmp/group && echo same users
        find /etc /usr /var /opt /home /root -xdev '(' -name '*dugnad*' -o -nouser -o -nogroup ')' -newer /tmp/passwd
        """)
    assert "\nkept\n" in out and "\nsame users\n" in out
    left = [x for x in changed if "dugnad" in x and not x.startswith(("/var/lib/dpkg/", "/var/cache/man/"))]
    assert not left, left


@needs_root
@pytest.mark.parametrize("before, link, kept", [("", LINK, LINK), (f"DUGNAD_JOIN={LINK}", "https://other/join#k=1", LINK),
                                                ("", "$(touch /tmp/bad)\nX=1", None)])
def test_the_join_link_of_an_unattended_installation_is_kept(debs, tmp_path, before, link, kept):
    (tmp_path / "link").write_text(link)
    out, _ = in_copy(debs, tmp_path, f"""
        [ -z '{before}' ] || echo '{before}' >/etc/default/dugnad-client
        DUGNAD_JOIN=$(cat /test/link) dpkg -i /test/v/dugnad-client_*.deb
        echo "<$(grep ^DUGNAD_JOIN= /etc/default/dugnad-client)>"
        """)
    assert f"<{'DUGNAD_JOIN=' + kept if kept else ''}>" in out, out


@pytest.mark.parametrize("unit", ["dugnad-server", "dugnad-client"])
def test_the_units_take_away_what_can_be(unit):
    done = subprocess.run(["systemd-analyze", "security", "--offline=true", "--no-pager", SOURCE / "packaging/systemd" / f"{unit}.service"],
                          capture_output=True, text=True, timeout=30)
    assert float(re.search(r"Overall exposure level .*: ([\d.]+)", done.stdout)[1]) <= 2.0, done.stdout


@pytest.fixture(scope="module")
def archive(tmp_path_factory):
    """The unpacked one, in a folder of its own."""
    folder = tmp_path_factory.mktemp("archive")
    made, again = (subprocess.run([SOURCE / "packaging" / "tarball.sh", "--bin", BIN.parent, folder / x], check=True, text=True,
                                  stdout=subprocess.PIPE, timeout=300).stdout.strip() for x in ("made", "again"))
    assert Path(made).read_bytes() == Path(again).read_bytes(), "the same source gives the same bytes"
    (folder / "only" / "archive").mkdir(parents=True)
    subprocess.run(["tar", "-xf", made, "-C", folder / "only" / "archive", "--strip-components=1"], check=True)
    return folder / "only"


@needs_root
def test_the_archive_needs_nothing_of_the_system_it_is_on(archive):
    """In a root that holds nothing else: no library, no loader, no shell."""
    for command in ("version", "settings"):
        done = subprocess.run(["chroot", archive / "archive", "/lib/dugnad-client", "--library-path", "/lib", "/lib/dugnad-client.elf", command],
                              env={"PATH": os.environ["PATH"]}, capture_output=True, text=True, timeout=30)
        assert done.returncode == 0 and ("dugnad-client 0." in done.stdout or "#cores = 0" in done.stdout), done
    done = subprocess.run([archive / "archive/bin/dugnad-client", "--data", archive / "data", "doctor", "--json"], capture_output=True, text=True, timeout=30)
    assert done.returncode == 0 and json.loads(done.stdout)["sandbox"][0]["works"], done


@needs_root
@pytest.mark.parametrize("user, prefix, data", [("root", "/usr/local", "/var/lib/dugnad-client"),
                                                ("nobody", "/test/home/.local", "/test/home/.local/share/dugnad")])
def test_the_archive_is_installed_works_and_goes_without_a_trace(archive, tmp_path, user, prefix, data):
    out, changed = in_copy(archive, tmp_path, f"""
        mkdir -p /test/home && chown nobody /test/home && chmod 755 /test /test/archive
        cp /etc/passwd /etc/group /tmp && cp -R /test/archive /tmp/archive
        run() {{ setpriv --reuid={user} --clear-groups env HOME=/test/home sh -c "$1"; }}
        run 'sh /tmp/archive/install.sh --no-service'
        ls -ld {data} && readlink -f {prefix}/bin/dugnad-client
        run '{prefix}/bin/dugnad-client version'
        run '{prefix}/bin/dugnad-client doctor' || test $? = 10 # the kernel allows no namespaces in a chroot: it refuses, and says so
        man -w dugnad-client || true
        run 'touch {data}/mine && sh /tmp/archive/install.sh --no-service && ls {data}/mine' # as an upgrade
        run 'sh {prefix}/lib/dugnad-client/install.sh --uninstall --no-service' && ls {data}/mine
        run 'sh /tmp/archive/install.sh --uninstall --purge --no-service'
        cmp /etc/passwd /tmp/passwd && cmp /etc/group /tmp/group && echo same users
        find /etc /usr /var /opt /home /root /test/home -xdev -name '*dugnad*' -newer /tmp/passwd
        """)
    assert f"{prefix}/lib/dugnad-client/bin/dugnad-client" in out and "same users" in out
    assert re.search(r"^drwx------ .*%s$" % data, out, re.M), out
    assert "What locks programs in" in out and "in a chroot" in out, out
    assert not [x for x in out.splitlines()[-5:] if x.startswith(("/etc", "/usr", "/var", "/opt", "/home", "/root", "/test"))
                and x != f"{data}/mine"], out


@needs_root
def test_the_container_file_s_steps_work_here(debs, tmp_path):
    """No engine runs here: its copies are of files that exist, its last image's commands run in a copy of this machine."""
    text = (SOURCE / "packaging/container/Containerfile").read_text()
    steps = [x.split(None, 1) for x in text.replace("\\\n", " ").splitlines() if x and not x.startswith("#")]
    assert {x[0] for x in steps} <= {"FROM", "COPY", "WORKDIR", "RUN", "ENV", "VOLUME", "USER", "ENTRYPOINT", "CMD"}
    build, last = [x[1] for x in steps if x[0] == "RUN"]
    for script in re.findall(r"packaging/\S+\.sh", build):
        assert os.access(SOURCE / script, os.X_OK)
    assert last.startswith("apt-get update && ")
    user = next(x[1] for x in steps if x[0] == "USER")
    data = next(x[1] for x in steps if x[0] == "ENV").partition("=")[2]
    out, _ = in_copy(debs, tmp_path, f"""
        cp /test/v/dugnad-client_*.deb /tmp/
        {last.removeprefix("apt-get update && ")}
        setpriv --reuid={user} --regid={user} --clear-groups env DUGNAD_CLIENT_DATA={data} /usr/bin/dugnad-client doctor || test $? = 10
        """)
    assert "What locks programs in" in out, out


def options_in(text):
    return set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", text))


def shown(page):
    """The page as a reader sees it, with no word cut."""
    text = subprocess.run(["man", "--no-hyphenation", "--no-justification", "-l", str(page)], capture_output=True, text=True, timeout=30,
                          check=True, env={**os.environ, "MANWIDTH": "300", "LC_ALL": "C", "MAN_KEEP_FORMATTING": ""}).stdout
    return re.sub(r".\x08", "", text)


def test_man_pages_tell_every_option_and_no_other():
    pages = BIN.parent / "packaging" / "man"
    overview = words_of(BIN / "dugnad", "--help")
    commands = re.findall(r"^  ([a-z-]+(?: [a-z-]+)?)  ", overview, re.M)
    assert len(commands) > 30
    printed = overview + "".join(words_of(BIN / "dugnad", *c.split(), "--help") for c in commands)
    assert options_in(shown(pages / "dugnad.1")) == options_in(printed)
    for program in ("dugnad-server", "dugnad-client"):
        page = shown(pages / f"{program}.1")
        assert options_in(page) - {"--user", "--now", "--url"} == options_in(words_of(BIN / program, "--help")) - {"--url"}
        names = re.findall(r"^#([a-z_]+) =", words_of(BIN / program, "settings"), re.M)
        conf = shown(pages / f"{program}.conf.5")
        assert [x for x in re.findall(r"^       ([a-z_]+)(?: .*)?$", conf, re.M) if x in names] == names


def test_rules_and_dashboard_use_names_that_the_server_has():
    code = "".join((SOURCE / "server" / x).read_text() for x in ("api_public.c", "metrics.c", "store.h"))
    counts = re.search(r"define PROJECT_COUNT_LIST\(X\)(.*?)/\*", code, re.S)[1]
    names = set(re.findall(r'"?(dugnad_[a-z_]+?)(?=[" {\\])', code)) | {f"dugnad_{x}" for x in re.findall(r"X\((\w+)\)", counts)}
    for file in ("prometheus-rules.yml", "grafana-dashboard.json"):
        used = set(re.findall(r"\bdugnad_[a-z_]+", (SOURCE / "packaging/monitor" / file).read_text()))
        assert used and used <= names, used - names


# --- the server's container: no engine runs here, so the steps of its file are done one by one in a copy of this machine

@needs_root
def test_the_steps_of_the_servers_container_give_a_server_that_runs_as_its_user(debs, tmp_path):
    text = (SOURCE / "packaging" / "container" / "Containerfile.server").read_text()
    lines = [line.split(None, 1) for line in text.splitlines() if line and not line.startswith("#")]
    assert {word for word, _ in lines} <= {"FROM", "COPY", "WORKDIR", "RUN", "USER", "VOLUME", "EXPOSE", "STOPSIGNAL", "ENTRYPOINT", "CMD"}
    packages, deb = next(rest for word, rest in lines if word == "RUN").split(" && ")
    known = (SOURCE / packages.split()[0]).read_text()
    assert all(re.search(rf"^    {group}\)", known, re.M) for group in packages.split()[1:]) and os.access(SOURCE / deb.split()[0], os.X_OK)
    last = dict(lines)  # of what stands twice, the last
    entry, copied, volume, user = " ".join(json.loads(last["ENTRYPOINT"])), last["COPY"].split(), last["VOLUME"], last["USER"]
    assert copied[:2] == ["--from=build", f"{deb.split()[1]}/dugnad-server_*.deb"] and json.loads(last["CMD"]) == ["serve"] and last["STOPSIGNAL"] == "SIGTERM"
    install = last["RUN"].replace("apt-get update && ", "").replace("ca-certificates ", "")  # what it needs is here; the lists are the engine's to fetch
    run_as = f"setpriv --reuid {user} --regid {user} --clear-groups --inh-caps=-all --bounding-set=-all --no-new-privs env HOME=/"
    address = f"127.0.0.1:{free_port()}"
    out, _ = in_copy(debs, tmp_path, f"""
        mkdir -p {copied[2]} && cp /test/v/dugnad-server_*.deb {copied[2]}
        {install}
        [ -d {volume} ] && [ "$(stat -c %U {volume})" = {user} ]
        {run_as} {entry} init --name Contained --url https://{address} --listen {address}
        {run_as} {entry} serve & main=$!
        curl -sk --retry 20 --retry-all-errors --retry-delay 1 https://{address}/healthz
        kill -TERM $main; wait $main && echo ended well
        """)
    assert "ok" in out and "ended well" in out, out
