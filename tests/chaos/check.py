"""What must hold after any trouble, as a pure function over what was seen. It asks nobody, so that a test can feed it lies.

    lost            something was acknowledged and is gone: a batch, a unit, an answer, a line of a stream
    wrong_accepted  an answer that is not the right one was delivered, or credited
    counted_twice   a unit delivered twice, a batch made twice, two answers of one host in one quorum, or credit beyond (or short
                    of) one for each valid attempt"""

from dataclasses import dataclass, field

KEPT = {"reported", "valid", "invalid"}  # states of an attempt whose answer the server has


@dataclass
class Records:
    batches: dict = field(default_factory=dict)    # key of the submit -> the batch that the server acknowledged
    found: list = field(default_factory=list)      # batches that the server has
    wanted: dict = field(default_factory=dict)     # unit -> the right text of its answer
    digests: dict = field(default_factory=dict)    # unit -> digest of the right answer, where equal bytes are asked for
    stream: list = field(default_factory=list)     # (batch, seq, unit, text or None if it failed), as it is at the end
    earlier: list = field(default_factory=list)    # the same, as it was read in between
    attempts: dict = field(default_factory=dict)   # unit -> attempts as in GET /v1/units/U
    told: dict = field(default_factory=dict)       # attempt -> digest of the answer that the server acknowledged
    hosts: dict = field(default_factory=dict)      # host -> (valid attempts, credit in millionths), as the server counts
    banned: set = field(default_factory=set)       # hosts: what they answered is set aside where there is no verdict yet
    escrowed: set = field(default_factory=set)     # batches where an answer may be set aside without a verdict, when its host failed a check
    cost_micro: dict = field(default_factory=dict)  # batch -> credit of one valid attempt


@dataclass
class Findings:
    lost: list = field(default_factory=list)
    wrong_accepted: list = field(default_factory=list)
    counted_twice: list = field(default_factory=list)

    def clean(self):
        return not (self.lost or self.wrong_accepted or self.counted_twice)

    def line(self, seed):
        return f"lost={len(self.lost)} wrong_accepted={len(self.wrong_accepted)} counted_twice={len(self.counted_twice)} seed={seed}"

    def sentences(self):
        return [*self.lost, *self.wrong_accepted, *self.counted_twice]


def check(r):
    f = Findings()
    check_batches(r, f)
    check_stream(r, f)
    check_attempts(r, f)
    check_credit(r, f)
    return f


def check_batches(r, f):
    for key, batch in r.batches.items():
        if batch not in r.found:
            f.lost.append(f"batch {batch} was acknowledged to submit {key}, the server has none such")
    known = set(r.batches.values())
    if len(known) < len(r.batches):
        f.lost.append("two submits with keys of their own were given one batch")
    for batch in r.found:
        if batch not in known:
            f.counted_twice.append(f"batch {batch} is there though no submit ended with it: some submit made two")


def check_stream(r, f):
    seen, places = set(), set()
    for batch, seq, unit, text in r.stream:
        if unit in seen:
            f.counted_twice.append(f"unit {unit} was delivered twice")
        if (batch, seq) in places:
            f.counted_twice.append(f"batch {batch} has two results {seq}")
        seen.add(unit)
        places.add((batch, seq))
        if unit not in r.wanted:
            f.counted_twice.append(f"unit {unit} was delivered, nobody submitted it")
        elif text is None:
            f.lost.append(f"unit {unit} has failed, though its program never does")
        elif text != r.wanted[unit]:
            f.wrong_accepted.append(f"unit {unit}: {text[:80]!r} was accepted, right is {r.wanted[unit][:80]!r}")
    for unit in r.wanted.keys() - seen:
        f.lost.append(f"unit {unit} was submitted and never delivered")
    now = set(r.stream)
    for line in r.earlier:
        if line not in now:
            f.lost.append(f"batch {line[0]}, result {line[1]}: unit {line[2]} was read there and is not there any more, or not the same")


def check_attempts(r, f):
    by_name = {}
    for unit, attempts in r.attempts.items():
        valid = [a for a in attempts if a["state"] == "valid"]
        hosts = [a.get("host") for a in valid]
        for host in {h for h in hosts if hosts.count(h) > 1}:
            f.counted_twice.append(f"unit {unit}: {hosts.count(host)} valid answers of host {host}")
        for a in valid:
            if unit in r.digests and a.get("answer") != r.digests[unit]:
                f.wrong_accepted.append(f"attempt {unit}.{a['attempt']} is valid with answer {a.get('answer')}")
        by_name.update({f"{unit}.{a['attempt']}": a for a in attempts})
    for name, answer in r.told.items():
        a = by_name.get(name)
        if a is None:
            f.lost.append(f"attempt {name}: its answer was acknowledged, the server has no such attempt")
        elif not stands(r, name, a) or a.get("answer") != answer:
            f.lost.append(f"attempt {name}: answer {answer} was acknowledged, it stands there as {a['state']} {a.get('answer')}")


def stands(r, name, attempt):
    aside = name.partition(".")[0] in r.escrowed or attempt.get("host") in r.banned
    return attempt["state"] in KEPT or (attempt["state"] == "cancelled" and aside)


def check_credit(r, f):
    """Credit follows valid attempts, one by one."""
    valid, micro = {}, {}
    for unit, attempts in r.attempts.items():
        cost = r.cost_micro[unit.rpartition(".")[0]]
        for a in attempts:
            if a["state"] == "valid":
                valid[a["host"]] = valid.get(a["host"], 0) + 1
                micro[a["host"]] = micro.get(a["host"], 0) + cost
    for host in valid.keys() | r.hosts.keys():
        due = (valid.get(host, 0), micro.get(host, 0))
        has = r.hosts.get(host, (0, 0))
        if has != due:
            f.counted_twice.append(f"host {host} has {has[0]} valid attempts and {has[1]} millionths of credit, due are {due[0]} and {due[1]}")
