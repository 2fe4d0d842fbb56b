"""What server.sh measured. `measured.py line WHAT JSON`: one run of the load generator, for people, then as it was said. `measured.py shares FILE`: medians
over such lines, and each as a share of the no-op with as many connections. `measured.py goodput FILE`: herds beside their peaks."""

import json
import re
import statistics
import sys
from collections import defaultdict


def line(what, said):
    run = json.loads(said)
    what = re.sub(r" --(hosts-file|project|seconds) \S+", "", what)
    parts = "  ".join(f"{k} {v}" for k, v in run["threads"].items())
    print(f"{what:<34} {run['per_second']:9,.0f} requests/s {run['pairs_per_second']:9,.0f} pairs/s  p99 {run['p99_ms']:7.1f} ms  "
          f"us of CPU each: server {run['server_us_each']:7.1f} ({parts}), generator {run['generator_us_each']:.1f}")
    print(json.dumps({"what": what, **run}), flush=True)


def shares(path):
    runs = defaultdict(list)
    with open(path) as lines:
        for said in map(json.loads, (x for x in lines if x.startswith("{"))):
            runs[said["mode"], said["connections"], said["per_request"]].append(said)
    middle = {key: {k: statistics.median(r[k] for r in all_) for k in ("per_second", "pairs_per_second", "server_us_each", "generator_us_each")}
              for key, all_ in runs.items()}
    result = {"figure": "hot"}
    print("medians of the rounds; a share by CPU counts server and generator, and hardly depends on what else the machine does; one by rate does")
    for (mode, connections, each), m in middle.items():
        cost = m["server_us_each"] + m["generator_us_each"]
        text = f"{mode} {connections} x{each}: {m['per_second']:,.0f} requests/s, server {m['server_us_each']:.1f} us, generator {m['generator_us_each']:.1f} us"
        entry = {k: round(v, 2) for k, v in m.items()}
        for base in ("noop", "beat"):
            if (b := middle.get((base, connections, 1))) and mode == "work":
                entry[f"of_{base}_by_cpu"] = round((b["server_us_each"] + b["generator_us_each"]) / cost * each, 3)
                entry[f"of_{base}_by_rate"] = round(m["per_second"] / b["per_second"] * each, 3)
                if each == 1:
                    text += f"; of {base}: {entry[f'of_{base}_by_cpu']:.2f} by CPU, {entry[f'of_{base}_by_rate']:.2f} by rate"
        if mode == "work" and each > 1 and (one := middle.get(("work", connections, 1))):
            entry["of_single_by_cpu"] = round((one["server_us_each"] + one["generator_us_each"]) * each / cost, 2)
            entry["of_single_by_rate"] = round(m["pairs_per_second"] / one["pairs_per_second"], 2)
            text += f"; pairs: {entry['of_single_by_cpu']:.1f} times one a request by CPU, {entry['of_single_by_rate']:.1f} by rate"
        print(text)
        result[f"{mode}_{connections}_{each}"] = entry
    print(json.dumps(result), flush=True)


def goodput(path):
    """Of lines in pairs: a peak, then the herd."""
    with open(path) as lines:
        runs = [json.loads(x) for x in lines if x.startswith("{")]
    for peak, herd in zip(runs[::2], runs[1::2]):
        cost = [r["server_us_each"] + r["generator_us_each"] for r in (peak, herd)]
        found = {"figure": "herd", "connections": herd["connections"], "hosts": herd["done_hosts"], "seconds": herd["seconds"], "broken": herd["broken"],
                 "goodput_by_rate": round(herd["per_second"] / peak["per_second"], 3), "goodput_by_cpu": round(cost[0] / cost[1], 3)}
        print(f"{herd['done_hosts']} hosts over {herd['connections']} connections in {herd['seconds']:.1f} s, {herd['broken']} broken: goodput "
              f"{found['goodput_by_rate']:.2f} of the peak; by the CPU that a host took of server and generator ({cost[1]:.0f} us, {cost[0]:.0f} at the peak) "
              f"{found['goodput_by_cpu']:.2f}")
        print(json.dumps(found), flush=True)


def life(accepted, path):
    """The last line and what became of its units."""
    with open(path) as lines:
        run = [json.loads(x) for x in lines if x.startswith("{")][-1]
    n = int(accepted)
    found = {"figure": "life", "per_request": run["per_request"], "validated": n, "validated_per_s": round(n / run["seconds"], 1),
             "server_us_per_unit": round(run["server_us_each"] * run["replies"] / n, 1)}
    print(f"{n} units validated: {found['validated_per_s']:,.0f} a second, {found['server_us_per_unit']:.0f} us of server CPU each")
    print(json.dumps(found), flush=True)


if __name__ == "__main__":
    {"line": line, "shares": shares, "goodput": goodput, "life": life}[sys.argv[1]](*sys.argv[2:])
