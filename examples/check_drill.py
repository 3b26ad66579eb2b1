#!/usr/bin/env python3
"""Independent checker of a two-region blackout drill; it shares no code with the drill.

From the order file alone it computes what both regions must hold, and compares that with what
the producers were told, what both stores hold, the journals, and the verdict's read models. The
drill's word is taken only for what nothing else can show (late events, stale writes, timings).
  check_drill.py --data orders.csv --out DIR [--lines N] [--dump-w FILE --dump-c FILE]
  check_drill.py --data orders.csv --expect-only [--lines N] | --self-test
One line a check, then the totals. Exit status: 0 no check failed (whatever the verdict says),
1 one failed, 2 usage or unreadable order data. Python 3.9, standard library only."""
import argparse, csv, gc, hashlib, json, os, re, sys, tempfile, uuid  # noqa: E401
from array import array
from collections import Counter, defaultdict
from decimal import Context, Decimal, Inexact, InvalidOperation, localcontext
from itertools import islice

REGIONS = W, C = ("eu-west-2", "eu-central-1")  # C is the survivor
SCOPES = ["orders." + region for region in REGIONS]
HOME = dict.fromkeys("United Kingdom,EIRE,Channel Islands".split(","), 0)  # any other country is unknown
HOME.update(dict.fromkeys((
    "Australia,Austria,Bahrain,Belgium,Brazil,Canada,Cyprus,Czech Republic,Denmark,European Community,Finland,"
    "France,Germany,Greece,Hong Kong,Iceland,Israel,Italy,Japan,Lebanon,Lithuania,Malta,Netherlands,Norway,Poland,Portugal,"
    "RSA,Saudi Arabia,Singapore,Spain,Sweden,Switzerland,USA,United Arab Emirates,Unspecified").split(","), 1))
PARTITIONS = 20
# A slot is a partition of a scope (scope * 20 + partition); it has two logs, slot * 2 + origin.
SLOTS = range(2 * PARTITIONS)
SLICES = [f"{scope} {part}" for scope in SCOPES for part in ["s10"] * 2 + ["s15"] * 3 + ["s25"] * 5 + ["s50"] * 10]
LOGS = [f"{SCOPES[slot // PARTITIONS]}@{origin}/{slot % PARTITIONS}" for slot in SLOTS for origin in REGIONS]
LOG_INDEX = {name: log for log, name in enumerate(LOGS)}
FIELDS = ["InvoiceNo", "StockCode", "Description", "Quantity", "InvoiceDate", "UnitPrice", "CustomerID", "Country"]
INVARIANTS = "F1 F2 F3 F4 M1 M2 M4 R1 R2 R4".split()
INTEGER, PLAIN_DECIMAL = re.compile(r"-?[0-9]+\Z"), re.compile(r"-?[0-9]+(\.[0-9]+)?\Z")
EXACT = Context(prec=100, traps=[Inexact, InvalidOperation])  # rounding raises instead of changing a digit

class Report:
    """Violations are noted under a check's name as they are found; `close` prints its line."""
    def __init__(self, quiet=False):
        self.quiet, self.count, self.examples, self.status = quiet, Counter(), defaultdict(list), {}

    def bad(self, name, example):
        self.count[name] += 1
        self.count[name] > 3 or self.examples[name].append(str(example)[:200])

    def close(self, name, counts, status="ok"):
        if self.count[name]:
            status, counts = "FAIL", f"{counts}; {self.count[name]} wrong: {' | '.join(self.examples[name])}"
        self.status[name] = status
        self.quiet or print(f"{status} {name}: {counts}", flush=True)

class Orders:
    """The lines as columns, indexed by line number from 1 (index 0 is unused)."""
    def __init__(self):
        self.rows, self.ids, self.slots, self.line_of = [None], [None], array("b", [-1]), {}
    def numbers(self): return range(1, len(self.rows))

def load_orders(path, limit=None):
    orders, shared, partitions = Orders(), {}, {}
    with open(path, encoding="utf-8", newline="") as text:
        reader = csv.reader(text, strict=True)
        if next(reader, None) != FIELDS:
            raise ValueError(f"{path}: the header is not {','.join(FIELDS)}")
        # A blank line is no record, as for other CSV readers, and gets no number.
        for line, row in enumerate(islice(filter(None, reader), limit), 1):
            check_row(line, row)
            if row[1] not in partitions:
                digest = hashlib.sha256(row[1].encode()).digest()
                partitions[row[1]] = int.from_bytes(digest[:8], "big") % PARTITIONS
            # Most fields repeat; sharing equal strings keeps the file small in memory.
            orders.rows.append([shared.setdefault(field, field) for field in row])
            orders.ids.append(str(uuid.uuid5(uuid.NAMESPACE_URL, f"online-retail/{line}")))
            orders.slots.append(HOME[row[7]] * PARTITIONS + partitions[row[1]])
    orders.line_of = {orders.ids[line]: line for line in orders.numbers()}
    return orders

def check_row(line, row):
    if len(row) != len(FIELDS):
        raise ValueError(f"record {line}: {len(row)} fields instead of {len(FIELDS)}")
    for field, good in ((3, INTEGER.match(row[3])), (5, PLAIN_DECIMAL.match(row[5])), (7, row[7] in HOME)):
        if not good:
            raise ValueError(f"record {line}: {FIELDS[field]} is {row[field]!r}")

def plain(number):  # without exponent, trailing zeros or negative zero (adding 0 makes that positive)
    return format(EXACT.normalize(EXACT.add(number, 0)), "f")

def sales_of(rows):
    with localcontext(EXACT):
        revenue = sum(Decimal(row[3]) * Decimal(row[5]) for row in rows)
    return {"lines": len(rows), "invoices": len({row[0] for row in rows}),
            "cancelled_lines": sum(row[0].startswith("C") for row in rows), "revenue": plain(revenue)}

def expected_models(orders):
    countries, levels, chains = defaultdict(list), Counter(), {}
    for line, row in enumerate(orders.rows[1:], 1):
        countries[row[7]].append(row)
        levels[row[1]] += int(row[3])
        key = f"{SCOPES[orders.slots[line] // PARTITIONS]}/{row[1]}"
        chains[key] = hashlib.sha256(chains.get(key, bytes(32)) + f"{orders.ids[line]}|{row[3]}".encode()).digest()
    return {"sales": {**sales_of(orders.rows[1:]), "by_country": {c: sales_of(r) for c, r in sorted(countries.items())}},
            "stock": {"items": len(chains), "levels_digest": digest_of(levels.items()),
                      "chain_digest": digest_of((key, chain.hex()) for key, chain in chains.items())}}

def digest_of(pairs):  # whole lines are sorted, as bytes: no locale, and `=` takes part in the order
    return hashlib.sha256(b"".join(sorted(f"{key}={value}\n".encode() for key, value in pairs))).hexdigest()

# The members that count, in the order in which they are unpacked; a position comes last.
ACK = {"id": str, "line": int, "log": str, "by": str, "epoch": int, "sent_ns": int, "at_ns": int, "position": int}
RECORD = {"log": str, "id": str, "line": int, "epoch": int, "version": int, "stream": str, "data": list, "region": str,
          "position": int}
ENTRY = {"sequence": int, "previous": str, "hash": str, "entry": str}

def json_lines(path, members, check, report):
    """The named members of each line; a line of another form is a violation of `check`.
    A position may also be text. Numbers must fit 64 bits, and a JSON true is none."""
    shape = tuple(members.values())
    shapes = {shape, shape[:-1] + (str,)} if "position" in members else {shape}
    numbers = [i for i, kind in enumerate(shape) if kind is int and i < len(shape) - 1]
    try:
        with open(path, "rb") as file:
            for at, raw in enumerate(file, 1):
                try:
                    value = json.loads(raw.decode())
                    values = [value[name] for name in members]
                    if tuple(map(type, values)) not in shapes or not all(0 <= values[i] < 2 ** 63 for i in numbers):
                        raise ValueError
                except (ValueError, KeyError, TypeError):
                    report.bad(check, f"{os.path.basename(path)}:{at} is not of the form {', '.join(members)}")
                else:
                    yield values
    except OSError as error:
        report.bad(check, error)

def is_same(a, b):  # equal and of one type: 1 is neither "1" nor true
    return type(a) is type(b) and a == b

class Dump:
    """One store as columns per log, in file order; an object a record would take gigabytes."""
    def __init__(self, orders):
        self.lines, self.epochs, self.versions = ([array("q") for _ in LOGS] for _ in range(3))
        self.positions = [[] for _ in LOGS]
        self.columns = (self.lines, self.epochs, self.versions, self.positions)
        self.first = array("q", [-1]) * len(orders.rows)  # by line: log << 40 | index within the log
        self.more, self.copies = defaultdict(list), 0     # the further places of the few copies
        self.owners = {}                                  # by slice and epoch, as the records show it

    def add(self, line, log, epoch, version, position):
        if self.first[line] >= 0:
            self.copies += 1
            self.more[line].append((log, len(self.lines[log])))
        else:
            self.first[line] = log << 40 | len(self.lines[log])
        for column, value in zip(self.columns, (line, epoch, version, position)):
            column[log].append(value)

    def places(self, line):
        """(log, index) of each record of the line."""
        first = self.first[line]
        return [] if first < 0 else [(first >> 40, first & (1 << 40) - 1), *self.more.get(line, ())]

def read_dump(path, region, orders, report):
    """Reads one dump and judges what each record shows by itself."""
    dump = Dump(orders)
    for name, event, stated, epoch, version, stream, data, of, position in json_lines(path, RECORD, "dump-form", report):
        line, log = orders.line_of.get(event), LOG_INDEX.get(name)
        if of != region:  # one dump given twice, or both the other way round
            report.bad("dump-form", f"{path}: line {line} is of {of}, not of {region}")
        if line is None or log is None:
            report.bad("dump-form", f"{path}: id {event} of no line, or log {name} of no scope")
            continue
        if data != orders.rows[line] or stated != line:
            report.bad("data", f"{path}: line {line}")
        if log >> 1 != orders.slots[line] or stream != orders.rows[line][1]:
            report.bad("placement", f"{path}: line {line} in {name}, stream {stream}")
        dump.add(line, log, epoch, version, position)
    return dump

def check_dumps(orders, paths, in_doubt, report):
    dumps = {region: read_dump(path, region, orders, report) for region, path in paths.items()}
    for region, dump in dumps.items():
        for line in [line for line in orders.numbers() if dump.first[line] < 0]:
            report.bad("lines-kept", f"line {line} is not in {region}")
        for line in dump.more:
            logs = [log for log, _ in dump.places(line)]
            if line not in in_doubt or len(set(logs)) < len(logs):
                report.bad("duplicates", f"line {line} in {region}: {', '.join(LOGS[log] for log in logs)}")
        for log, name in enumerate(LOGS):
            check_log(orders, dump, log, region, report)
            for epoch in set(dump.epochs[log]):  # one epoch of a slice has one owner
                if dump.owners.setdefault((SLICES[log >> 1], epoch), log & 1) != log & 1:
                    report.bad("epochs", f"{name}: epoch {epoch} has two owners in {region}")
        check_order(orders, dump, region, report)
    one, other = dumps.values()
    for log, name in enumerate(LOGS):
        # Stream and data were held against the order file in both; the rest must agree here.
        if any(a[log] != b[log] for a, b in zip(one.columns[:3], other.columns)):
            report.bad("parity", f"{name}: {len(one.lines[log])} and {len(other.lines[log])} records")
    counts = " + ".join(f"{sum(map(len, d.lines))} records ({d.copies} copies)" for d in dumps.values())
    for name in "dump-form lines-kept duplicates data placement positions versions epochs order parity".split():
        report.close(name, f"{counts} of {len(orders.numbers())} lines, {len(in_doubt)} in doubt")
    return dumps

def check_log(orders, dump, log, region, report):
    """Within a log positions rise, epochs never fall, and versions of a stream count from 1."""
    positions, epochs, last = dump.positions[log], dump.epochs[log], Counter()
    # Text is opaque: the dump's order stands for the log's, and positions must only differ.
    kinds, differ = set(map(type, positions)), len(set(positions)) == len(positions)
    if len(kinds) > 1 or not differ or kinds == {int} and positions != sorted(positions):
        report.bad("positions", f"{LOGS[log]} in {region}")
    any(a > b for a, b in zip(epochs, epochs[1:])) and report.bad("epochs", f"{LOGS[log]} falls in {region}")
    for line, version in zip(dump.lines[log], dump.versions[log]):
        code = orders.rows[line][1]  # not the stated stream: a wrong one is a matter of placement alone
        if version != last[code] + 1:
            report.bad("versions", f"{LOGS[log]} stream {code}: {version} after {last[code]} in {region}")
        last[code] = version

def check_order(orders, dump, region, report):
    """Each stream in canonical order, copies skipped, is in file order. That no line is missing
    is said by `lines-kept`; together they make the fold of a stream that of the file."""
    for slot in SLOTS:
        canonical, last = {}, Counter()
        for log in (slot * 2, slot * 2 + 1):
            for line, *rank in zip(dump.lines[log], dump.epochs[log], dump.versions[log]):
                canonical[line] = min(canonical.get(line, rank), rank)
        for line in sorted(canonical, key=canonical.get):
            code = orders.rows[line][1]
            if line < last[code]:
                report.bad("order", f"{LOGS[slot * 2]} stream {code}: line {line} after {last[code]} in {region}")
            last[code] = line

def read_in_doubt(orders, out, report):
    """Lines of which an append had no known outcome; only they may occur twice."""
    paths = [os.path.join(out, "acks", f"{writer}.in_doubt.jsonl") for writer in (W, C, "stale")]
    lines = {orders.line_of.get(event) for path in paths if os.path.exists(path)
             for event, in json_lines(path, {"id": str}, "acks-form", report)}
    None in lines and report.bad("acks-form", "an unknown id is in doubt")
    return lines - {None}

def check_acks(orders, out, dumps, in_doubt, passed, report):
    first, times, ends = {}, *[defaultdict(lambda: array("q")) for _ in "ab"]  # by line; by (slice, epoch)
    for region in REGIONS:
        path = os.path.join(out, "acks", f"{region}.jsonl")
        for event, stated, name, by, epoch, sent, answered, position in json_lines(path, ACK, "acks-form", report):
            line, log = orders.line_of.get(event), LOG_INDEX.get(name)
            if line is None or log is None or by not in REGIONS or (line, orders.slots[line]) != (stated, log >> 1):
                report.bad("acks-form", f"{path}: id {event}, line {stated}, {name} by {by}")
                continue
            # A repeated answer is fine as long as it names the same place.
            if not is_same(first.setdefault(line, (position, log, by, epoch))[:2], (position, log)):
                report.bad("acks-once", f"line {line} is elsewhere a second time")
            sent <= answered or report.bad("acks-times", f"line {line}")
            times[SLICES[log >> 1], epoch].append(answered)
            ends[SLICES[log >> 1], epoch].append(answered if epoch == 1 else sent)  # only epoch 1 ends in a takeover
    for line in set(orders.numbers()) - first.keys():
        report.bad("acks-once", f"line {line} is not acknowledged")
    for name in ("acks-form", "acks-once", "acks-times"):
        report.close(name, f"{sum(map(len, times.values()))} answers for {len(first)} of {len(orders.numbers())} lines")
    check_f2(times, ends, passed, report)
    dumps and check_acks_held(first, dumps, in_doubt, report)

def check_f2(times, ends, passed, report):
    """After the first answer under a later epoch nobody counts one under an older; a planned move lets those arrive."""
    barrier, changes = {}, Counter()  # by slice, the first answer under any higher epoch
    for part, epoch in sorted(times, key=lambda key: -key[1]):
        limit, changes[part] = barrier.get(part, 2 ** 63), changes[part] + (part in barrier)
        late = [end for end in ends[part, epoch] if end > limit]
        late and report.bad("F2", f"{part}: epoch {epoch}, {len(late)} to {max(late)}, a later epoch from {limit}")
        barrier[part] = min(limit, min(times[part, epoch]))
    for part in [part for part in sorted(set(SLICES[:PARTITIONS])) if passed and not changes[part]]:
        report.bad("F2", f"{part}: no answer under a second epoch")
    report.close("F2", f"{len(barrier)} slices, {sum(changes.values())} changes of epoch")

def check_acks_held(first, dumps, in_doubt, report):
    """What was acknowledged stands where the answer said; the position is that of the region that
    answered, the other must hold the id in the log. A line held nowhere is left to `lines-kept`.
    Answered by the log's writer under the record's epoch; only a line that was in doubt may be older
    than its answer, which then comes from the owner of that later epoch, where a record shows it."""
    for line, (position, log, by, epoch) in first.items():
        for region, dump in dumps.items():
            places, part, doubted = dump.places(line), SLICES[log >> 1], line in in_doubt
            owner = dump.owners.get((part, epoch), REGIONS.index(by)) if doubted else log & 1
            if places and not any(at == log and by == REGIONS[owner]
                                  and (dump.epochs[at][i] == epoch or doubted and dump.epochs[at][i] < epoch)
                                  and (region != by or is_same(dump.positions[at][i], position)) for at, i in places):
                report.bad("acks-held", f"line {line} in {region}: not at {LOGS[log]} {position!r}, epoch {epoch} by {by}")
    report.close("acks-held", f"{len(first)} lines in 2 dumps")

def flat(tree, prefix=""):
    """{"a": {"b": 1}} as {"a.b": 1}, to compare and name single values."""
    return {name: leaf for key, value in tree.items() for name, leaf in (
        flat(value, f"{prefix}{key}.") if isinstance(value, dict) else {prefix + key: value}).items()}

def check_verdict(orders, out, report):
    """Gives back the verdict; its read models must be the expected ones in both regions."""
    verdict, want = {}, flat(expected_models(orders))
    try:
        with open(os.path.join(out, "verdict.json"), encoding="utf-8") as file:
            verdict = json.load(file)
        found = {region: flat(verdict["read_models"][region]) for region in REGIONS}
        verdict["verdict"] in ("passed", "failed", "inconclusive") or report.bad("verdict-form", verdict["verdict"])
    except (OSError, ValueError, LookupError, TypeError, AttributeError) as error:
        found, verdict = {}, {}
        report.bad("verdict-form", repr(error))
    report.close("verdict-form", verdict.get("verdict"))
    for region, values in found.items():
        for key in sorted(want.keys() | values.keys()):
            if not is_same(values.get(key), want.get(key)):
                report.bad(f"models-{region}", f"{key} is {values.get(key)!r}, expected {want.get(key)!r}")
        report.close(f"models-{region}", f"{len(want)} values of {len(orders.numbers())} lines")
    return verdict

# What a run must show before it may call itself passed: without copy, late event, refused
# stale write and fired fault it has proved nothing. Name: (member of the verdict, rule).
STALE_AT, STALE_CODES = {"append", "guard", "switchover", "store"}, ("stale", "lease-run-out", "other-epoch")
RULES = {
    "late": ("deliveries", lambda d, _: any(m["late"] > 0 for m in d[C].values())),
    "stale-writes": ("stale_writes", lambda w, _: {e["resource"] for e in w} >= STALE_AT and all(
        sum(e["reasons"].get(code, 0) for code in STALE_CODES) >= 100 and min(e["in_doubt"], *e["reasons"].values()) >= 0
        and sum(e["reasons"].values()) == e["refused"] == e["attempted"] - e["in_doubt"] for e in w)),
    "lost-records": ("rpo", lambda r, _: len(r) > 0 and all(is_same(e["lost_records"], 0) for e in r)),
    # The lease by the challenger's clock (one part in a thousand off), and two seconds to act.
    "takeover-seconds": ("takeover_seconds", lambda s, verdict: 0 <= s <= verdict["ttl_seconds"] * 1.001 + 2),
    "invariants": ("invariants", lambda i, _: all(e["held"] is True and e["checked"] > 0 for e in i)
                   and set(INVARIANTS) <= {e["id"] for e in i}),
    "faults": ("faults", lambda f, _: len(f) > 0 and all(e["fired"] is True for e in f)),
}

def check_passed(verdict, dumps, report):
    for name, (member, rule) in RULES.items():
        value = verdict.get(member)
        try:
            if not rule(value, verdict):
                report.bad(name, json.dumps(value))
        except (LookupError, TypeError, AttributeError) as error:
            report.bad(name, f"{error!r} in {json.dumps(value)}")
        report.close(name, f"{len(value)} entries" if isinstance(value, (list, dict)) else value)
    for region in [region for region, dump in dumps.items() if not dump.copies]:
        report.bad("copies", f"none in {region}")
    dumps and report.close("copies", " + ".join(str(dump.copies) for dump in dumps.values()))

def journal_hash(previous, sequence, entry):
    return hashlib.sha256(bytes.fromhex(previous) + sequence.to_bytes(8, "big") + entry.encode()).hexdigest()

def check_journal(path, name, report):
    chain, expected = "0" * 64, 1
    for sequence, previous, found, entry in json_lines(path, ENTRY, name, report):
        try:
            json.loads(entry)
            if (sequence, previous, found) != (expected, chain, journal_hash(previous, sequence, entry)):
                report.bad(name, f"entry {sequence} breaks the chain")
        except ValueError as error:
            report.bad(name, f"entry {sequence}: {error}")
        chain, expected = found, sequence + 1  # from what is there, so that one break counts once
    expected > 1 or report.bad(name, "no entry")
    report.close(name, f"{expected - 1} entries")

def check(orders, out, dump_paths, report):
    verdict, in_doubt = check_verdict(orders, out, report), read_in_doubt(orders, out, report)
    dumps = check_dumps(orders, dump_paths, in_doubt, report) if dump_paths else {}
    passed = verdict.get("verdict") == "passed"
    check_acks(orders, out, dumps, in_doubt, passed, report)
    if passed:
        check_passed(verdict, dumps, report)
    else:
        report.close("passed-run", "another verdict: copies, late events, stale writes not asked", "skip")
    for region in REGIONS:
        check_journal(os.path.join(out, "journal", f"{region}.jsonl"), f"journal-{region}", report)
    dumps or report.close("dumps", "none given, so nothing is said about what the stores hold", "skip")

def sample(folder):
    """The evidence of a passing run of 200 lines, as the objects of each file: the west is dark
    from line 81 to 140, one append of it is in doubt and sent again, then it is home again."""
    path, rows = os.path.join(folder, "orders.csv"), [FIELDS]
    for n in range(1, 201):
        invoice, code = f"{'C' * (n % 9 == 0)}{5000 + n // 4}", "ONCE" if n == IN_DOUBT else f"85{n % 7}{'aA'[n % 2]}"
        rows.append([invoice, code, f' "POT", \u00a3{n}', str(n % 11 - 5), "2010-12-01 08:26:00", f"{n % 5}.{n % 4}5",
                     "", ("EIRE", "United Kingdom", "Japan")[n % 3]])
    with open(path, "w", encoding="utf-8", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows(rows)
    orders, records, versions, acks = load_orders(path), [[] for _ in LOGS], Counter(), ([], [])
    for line in orders.numbers():
        home, code = orders.slots[line] // PARTITIONS, orders.rows[line][1]
        owned = (1, home) if home or line <= 80 else (2, 1) if line <= 140 else (3, 0)
        for epoch, owner in ([(1, 0)] if line == IN_DOUBT else []) + [owned]:
            log = orders.slots[line] * 2 + owner
            versions[log, code] += 1
            place = dict(id=orders.ids[line], line=line, log=LOGS[log], position=len(records[log]), epoch=epoch)
            records[log].append({**place, "stream": code, "version": versions[log, code], "data": orders.rows[line]})
        acks[home].append({**place, "by": REGIONS[owner], "sent_ns": line * 10, "at_ns": line * 10 + 5})
    journal, chain = [], "0" * 64
    for sequence, entry in enumerate(('{"step": 1}', '"\u00a3"', "3"), 1):
        journal.append({"sequence": sequence, "previous": chain, "entry": entry,
                        "hash": (chain := journal_hash(chain, sequence, entry))})
    verdict = {"verdict": "passed", "ttl_seconds": 5, "takeover_seconds": 7, "deliveries": {C: {"m": {"late": 1}}},
               "stale_writes": [{"resource": r, "attempted": 102, "refused": 101, "in_doubt": 1,
                                 "reasons": {"stale": 60, "lease-run-out": 40, "closed": 1}} for r in sorted(STALE_AT)],
               "rpo": [{"log": LOGS[0], "lost_records": 0}], "faults": [{"kind": "pause", "fired": True}],
               "invariants": [{"id": i, "held": True, "checked": 1} for i in INVARIANTS],
               "read_models": {region: expected_models(orders) for region in REGIONS}}
    dumps = {name: [{**r, "region": region} for r in sum(records, [])] for name, region in zip("wc", REGIONS)}
    return orders, {"verdict": [verdict], "in_doubt": [{"id": orders.ids[IN_DOUBT]}], **dumps,
                    "acks": acks[0], "acks_c": acks[1], "journal": journal, "journal_c": journal}

IN_DOUBT = 82  # the line of which an append is in doubt
FILES = {"verdict": "verdict.json", "w": "w", "c": "c", "in_doubt": f"acks/{W}.in_doubt.jsonl",
         "acks": f"acks/{W}.jsonl", "acks_c": f"acks/{C}.jsonl", "journal": f"journal/{W}.jsonl", "journal_c": f"journal/{C}.jsonl"}

def drop(names, line):
    """Take the first record of a line out of the named dumps."""
    return lambda files: [files[n].remove(next(r for r in files[n] if r["line"] == line)) for n in names.split()]

def put(names, line=None, **members):
    """Change members of the record or answer of a line, or of the first object, in the named files."""
    def spoil(files):
        for name in names.split():
            next(r for r in files[name] if line in (None, r.get("line"))).update(members)
    return spoil

# A corruption is caught by the named checks and by no other.
CORRUPTIONS = [
    ("", "nothing", put("w")),
    ("lines-kept", "a line lost in both stores", drop("w c", 200)),
    ("lines-kept parity", "a line lost in one", drop("c", 200)),
    ("duplicates", "a line twice that was not in doubt", lambda f: f["in_doubt"].clear()),
    ("copies", "no copy", drop("w c", IN_DOUBT)),
    ("data", "other data in one store", put("w", 7, data=["7"] * 8)),
    ("placement", "another stream", put("w c", 7, stream="other")),
    ("positions", "a position twice", lambda f: f["c"][1].update(position=f["c"][0]["position"])),
    ("versions", "a version left out", put("w c", 200, version=99)),
    ("versions order", "a version swapped", put("w c", 199, version=0)),
    ("epochs order acks-held", "a falling epoch", put("w c", 200, epoch=0)),
    ("parity acks-held", "an epoch that differs", put("w", 1, epoch=0)),
    ("acks-once", "a line never acknowledged", lambda f: f["acks"].pop()),
    ("acks-once", "a line acknowledged at two places", lambda f: f["acks"].append({**f["acks"][0], "position": 99})),
    ("acks-held", "an answer that names another place", put("acks", 1, position=99)),
    ("acks-times", "an answer before its question", put("acks", 1, sent_ns=99)),
    ("acks-held", "another epoch than the record's", put("acks_c", 200, epoch=2)),
    ("acks-held", "an answer of another region", put("acks", 1, by=C)),
    ("acks-held", "a doubted line answered by no owner", put("acks", IN_DOUBT, by=W)),
    ("F2", "an old epoch after the new one", put("acks", 1, at_ns=10 ** 6)),
    ("F2 acks-held", "no second epoch", lambda f: [ack.update(epoch=3) for ack in f["acks"]]),
    ("dump-form", "one dump twice", lambda f: f["c"].__setitem__(slice(None), f["w"])),
    ("dump-form", "swapped dumps", lambda f: f.update(w=f["c"], c=f["w"])),
    (f"models-{W}", "wrong revenue", lambda f: f["verdict"][0]["read_models"][W]["sales"].update(revenue="1")),
    ("late", "no late event", put("verdict", deliveries={C: {"stock": {"late": 0}}})),
    ("stale-writes", "a stale write let through", lambda f: f["verdict"][0]["stale_writes"][2].update(attempted=103)),
    ("stale-writes", "no staleness", lambda f: f["verdict"][0]["stale_writes"][1]["reasons"].update(stale=59, closed=2)),
    ("lost-records", "a lost record", put("verdict", rpo=[{"log": LOGS[0], "lost_records": 1}])),
    ("takeover-seconds", "a slow takeover", put("verdict", takeover_seconds=7.1)),
    ("faults", "a fault that did not fire", put("verdict", faults=[{"kind": "pause", "fired": False}])),
    (f"journal-{C}", "a changed journal entry", put("journal_c", entry="4")),
]

def self_test():
    assert [plain(Decimal(d)) for d in ("-1.50", "-0.0", "100", "1E+2")] == ["-1.5", "0", "100", "100"]
    report = Report()
    with tempfile.TemporaryDirectory() as folder:
        orders, sound = sample(folder)
        for expected, what, spoil in CORRUPTIONS:
            files = {name: [json.loads(json.dumps(value)) for value in values] for name, values in sound.items()}
            spoil(files)
            for name, path in FILES.items():
                os.makedirs(os.path.dirname(os.path.join(folder, path)), exist_ok=True)
                with open(os.path.join(folder, path), "w", encoding="utf-8") as file:
                    file.writelines(json.dumps(value) + "\n" for value in files[name])
            run = Report(quiet=True)
            check(orders, folder, {W: os.path.join(folder, "w"), C: os.path.join(folder, "c")}, run)
            caught = {name for name, status in run.status.items() if status != "ok"}
            if caught != set(expected.split()):
                report.bad(what, f"caught by {sorted(caught)}")
            report.close(what, expected or "nothing to catch")
    return report

def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for option in ("--data", "--out", "--dump-w", "--dump-c", "--lines"):
        parser.add_argument(option, type=int if option == "--lines" else str)
    for option in ("--expect-only", "--self-test"):
        parser.add_argument(option, action="store_true")
    args = parser.parse_args()
    gc.disable()  # millions of lasting objects and no cycles: its passes would double the time
    if args.self_test:
        report = self_test()
    else:
        if (not args.data or not (args.expect_only or os.path.isdir(args.out or ""))
                or bool(args.dump_w) != bool(args.dump_c) or args.lines is not None and args.lines < 1):
            parser.error("needs --data, and --expect-only or an existing --out; both dumps or none; --lines from 1")
        try:
            orders = load_orders(args.data, args.lines)
        except (ValueError, OSError, csv.Error) as error:
            parser.error(str(error))
        if args.expect_only:
            print(json.dumps(expected_models(orders), indent=2, ensure_ascii=False))
            return 0
        report = Report()
        check(orders, args.out, {W: args.dump_w, C: args.dump_c} if args.dump_w else None, report)
    seen = Counter(report.status.values())
    print(f"{seen['ok']} passed, {seen['FAIL']} failed" + (f", {seen['skip']} skipped" if seen["skip"] else ""))
    return 1 if seen["FAIL"] else 0

if __name__ == "__main__":
    sys.exit(main())
