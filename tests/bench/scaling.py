#!/usr/bin/python3
"""scaling.py [NAME=VALUE...] [--check FILE]: what a grid of some size needs, from what one request, row and byte were measured to cost.

Prints the tables of server/SCALING.md; --check says whether FILE still holds them as they are printed. NAME=VALUE changes an
assumption, for all grids: scaling.py hosts=50000 units_day=20e6 copies=1.15. Each number below says where it comes from."""

import math
import sys

# Measured (tests/bench/README.md): two cores, TLS, report K + lease K in a request takes FIXED + K * PAIR.
MEASURED = dict(
    request_us=49,          # of server CPU: 66 us at K=1 and 900 us at K=50 (2 * 36 us * 50 / 4 validated) solve to 49 + 17 K
    pair_us=17,
    engine_pair_us=9,       # of those, on the one thread of the engine: 20 us at K=1, half of it the commit that K=50 shares
    engine_request_us=11,
    handshake_us=800,       # a resumed TLS connection, quiet machine
    judge_us=0,             # answers that are equal bytes cost nothing beyond the pair
    rows_pair=5,            # rows written for a pair: unit twice, lease twice, host (bench_store's counts)
    database_request_us=20, # of PostgreSQL's CPU, all its processes, three servers on it (servers.sh): 105 us at K=1 and 85 a pair at K=50 solve to 20 + 85 K
    database_pair_us=85,
    wal_pair=1600,          # bytes of PostgreSQL's log for a pair, three servers (1,627 at K=1, 1,429 at K=50), checkpoints far apart
    unit_bytes=361,         # of a finished unit with two attempts and its history
    request_in=480, request_out=500, pair_in=420, pair_out=1500,  # bytes on the wire beside TLS
    host_memory=2048, connection_memory=34 << 10,
)
ASSUMED = dict(
    copies=2.0,             # attempts for each unit: quorum 2; adaptive policies with trusted hosts 1.15
    peak=3.0,               # of the day's mean
    contact_s=600,          # a host calls so often: contact = 10m in server.conf
    busy=0.5,               # what a core may be loaded at the peak
    kept_days=7,            # finished units stay in the hot tables (archive or purge after that)
    hot_gb_one=500,         # more than that is no longer a file of SQLite's to be copied in a minute
    file_share=0.01,        # of answers are larger than 4 KiB and so files
    file_us=2000,           # of server CPU for each: TLS, SHA-256 twice, put into the store, five small transactions (not measured)
    file_bytes=100e3, file_days=30,
    server_cores=16, server_eur=110,       # a rented dedicated machine, 64 GB, 1 Gbit/s flat
    database_cores=32, database_eur=400,   # the same with 256 GB and 4 x 4 TB NVMe; two of them: primary and standby
    store_tb_eur=6,         # object store on rented disks, three copies; a cloud's: 23
    put_million_eur=0,      # own store; a cloud's: 5
    traffic_tb_eur=1,       # flat-rate provider; a cloud's: 50 to 90
)
GRIDS = [("a department", 100, 1e5), ("a university", 5000, 5e6), ("a large project", 100e3, 50e6), ("the aim", 1e6, 1e9)]


def model(hosts, units_day, **changed):
    m = {**MEASURED, **ASSUMED, **changed}
    pairs = units_day * m["copies"] / 86400
    requests = max(hosts / m["contact_s"], pairs / 50)
    k = pairs / requests
    fresh = min(requests, hosts / m["contact_s"])  # a call each ten minutes is a new connection each time
    files = units_day * m["copies"] * m["file_share"]
    file_bytes_s = files / 86400 * m["file_bytes"]
    cpu = (requests * m["request_us"] + pairs * m["pair_us"] + fresh * m["handshake_us"] + files / 86400 * m["file_us"]) / 1e6
    engine = (requests * m["engine_request_us"] + pairs * m["engine_pair_us"]) / 1e6
    database = (requests * m["database_request_us"] + pairs * m["database_pair_us"]) / 1e6
    peak = m["peak"]
    out = requests * m["request_out"] + pairs * m["pair_out"] + file_bytes_s  # uploads go through us into the store, downloads past us
    servers = max(1, math.ceil(out * peak * 8 / 0.8e9), math.ceil(cpu * peak / (m["server_cores"] * m["busy"])), math.ceil(engine * peak / m["busy"]))
    hot = units_day * m["kept_days"] * m["unit_bytes"] * (m["copies"] / 2 + 1) / 2
    stored = files / 2 * m["file_days"] * m["file_bytes"]
    one_machine = servers == 1 and hot <= m["hot_gb_one"] * 1e9 and engine * peak <= m["busy"] and cpu * peak <= m["server_cores"] * m["busy"]
    r = dict(pairs=pairs, requests=requests, k=k, cpu=cpu * peak, engine=engine * peak, database=database * peak,
             servers=servers, mbit=out * peak * 8 / 1e6, wal=pairs * m["wal_pair"] * peak / 1e6, hot_gb=hot / 1e9,
             files_day=files, stored_tb=stored / 1e12, traffic_tb=(out + file_bytes_s) * 86400 * 30 / 1e12,
             memory_gb=(hosts * m["host_memory"]) / 1e9, one=one_machine)
    if one_machine:
        r["machines"] = m["server_eur"]
    else:
        spare = 1  # any one may be away
        boxes = 2 * math.ceil(max(1, database * peak / (m["database_cores"] * m["busy"])))
        r["machines"] = (servers + spare) * m["server_eur"] + boxes * m["database_eur"]
        r["boxes"] = boxes
    r["store_eur"] = stored / 1e12 * m["store_tb_eur"] + files * 30 / 1e6 * m["put_million_eur"]
    r["traffic_eur"] = r["traffic_tb"] * m["traffic_tb_eur"]
    limits = {"engine's thread": engine * peak / m["busy"] / (servers if not one_machine else 1),
              "CPU of the servers": cpu * peak / (m["server_cores"] * m["busy"] * servers),
              "database": 0 if one_machine else database * peak / (m["database_cores"] * m["busy"] * r["boxes"] / 2),
              "network, 1 Gbit/s each": out * peak * 8 / 1e9 / servers / 0.8}
    r["first"] = max(limits, key=limits.get)
    r["share"] = limits[r["first"]]
    return r


def number(x):
    return f"{x:,.0f}" if x >= 10 else f"{x:.1f}" if x >= 1 else f"{x:.2f}"


def table(head, rows):
    lines = ["| " + " | ".join(head) + " |", "|" + " --- |" * len(head)]
    return "\n".join(lines + ["| " + " | ".join(row) + " |" for row in rows])


def need(changed):
    rows = []
    for name, hosts, units in GRIDS:
        r = model(changed.get("hosts", hosts), changed.get("units_day", units), **{k: v for k, v in changed.items() if k in ASSUMED})
        rows.append([name, f"{hosts:,.0f}", f"{units:,.0f}", number(r["pairs"]), number(r["requests"]), number(r["k"]), number(r["cpu"]),
                     number(r["engine"]), "SQLite" if r["one"] else "PostgreSQL", str(1 if r["one"] else r["servers"] + 1),
                     "-" if r["one"] else f"{number(r['database'])} cores, {number(r['wal'])} MB/s of log", number(r["hot_gb"]), number(r["mbit"]),
                     f"{r['first']} ({r['share'] * 100:.0f} %)"])
    return table(["grid", "hosts", "units a day", "attempts/s", "requests/s", "attempts each", "CPU at peak, cores", "engine at peak, cores", "database",
                  "servers", "database at peak", "hot tables, GB", "Mbit/s at peak", "first to fill (of what it may)"], rows)


def cost(changed):
    rows = []
    for name, hosts, units in GRIDS:
        changes = {k: v for k, v in changed.items() if k in ASSUMED}
        own = model(hosts, units, **changes)
        cloud = model(hosts, units, **{**changes, "store_tb_eur": 23, "put_million_eur": 5, "traffic_tb_eur": 70})
        total = own["machines"] + own["store_eur"] + own["traffic_eur"]
        rows.append([name, number(own["machines"]), f"{number(own['stored_tb'])} TB: {number(own['store_eur'])}",
                     f"{number(own['traffic_tb'])} TB: {number(own['traffic_eur'])}", number(total), number(total / (units * 30) * 1e6),
                     number(cloud["store_eur"]), number(cloud["traffic_eur"])])
    return table(["grid", "machines", "files", "traffic", "EUR a month in all", "EUR per million units", "files in a cloud's store instead",
                  "traffic at a cloud's price instead"], rows)


def policies(changed):
    rows = []
    for name, change in [("as above", {}), ("adaptive trust: 1.15 copies", dict(copies=1.15)), ("hosts call each hour", dict(contact_s=3600)),
                         ("hosts call each minute", dict(contact_s=60)), ("every answer a file of 100 kB", dict(file_share=1.0))]:
        r = model(1e6, 1e9, **{**{k: v for k, v in changed.items() if k in ASSUMED}, **change})
        total = r["machines"] + r["store_eur"] + r["traffic_eur"]
        rows.append([name, number(r["pairs"]), number(r["requests"]), number(r["cpu"]), str(1 if r["one"] else r["servers"] + 1), number(r["database"]),
                     number(r["files_day"]), number(r["stored_tb"]), number(total), r["first"]])
    return table(["1 million hosts, 1 billion units a day", "attempts/s", "requests/s", "CPU at peak, cores", "servers", "database cores at peak",
                  "files a day", "files kept, TB", "EUR a month", "first to fill"], rows)


def main():
    words, check = sys.argv[1:], None
    if "--check" in words:
        at = words.index("--check")
        check = words[at + 1]
        del words[at:at + 2]
    changed = {name: float(value) for name, value in (word.split("=") for word in words)}
    unknown = set(changed) - set(ASSUMED) - {"hosts", "units_day"}
    if unknown:
        sys.exit(f"scaling.py: {', '.join(unknown)} is none of {', '.join([*ASSUMED, 'hosts', 'units_day'])}")
    tables = [need(changed), cost(changed), policies(changed)]
    if check:
        text = open(check).read()
        missing = [t.splitlines()[0][:60] for t in tables if t not in text]
        sys.exit(f"{check} does not hold what scaling.py prints: {missing}" if missing else 0)
    print("\n\n".join(tables))


if __name__ == "__main__":
    main()
