"""What the app dugnad-items says, and what an audit asks for: the rule of PROTOCOL.md section 6, written once more."""

ITEMS = 60
MASK = (1 << 64) - 1


def mix(z):
    z = ((z ^ z >> 30) * 0xBF58476D1CE4E5B9) & MASK
    z = ((z ^ z >> 27) * 0x94D049BB133111EB) & MASK
    return z ^ z >> 31


def wanted(audit, i):
    """The rule of PROTOCOL.md section 6."""
    if audit is None:
        return True
    seed, share = int(audit.split(":")[0], 16), int(audit.split(":")[1])
    return mix((seed + i * 0x9E3779B97F4A7C15) & MASK) % 1000000 < share or i == mix(seed) % ITEMS


def items(word, audit=None, wrong=()):
    lines = [f"{i}\t{word}-{i * i if i not in wrong else 'lie'}\n" for i in range(ITEMS) if wanted(audit, i)]
    return f"items {ITEMS}\n" + "".join(lines)
