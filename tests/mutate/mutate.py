#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""mutate.py BUILD [SET...]: breaks one condition at a time and asks whether a unit test notices.

A mutant is one source file with one comparison, one logical operator, one negation or one whole
condition changed. It is killed when a test of its set fails or does not end; a mutant that does
not compile is none. What survives must stand in survivors.txt with the reason why no test can tell
it from the original; a line there that no survivor uses any more is a mistake too.
Works on a copy of the tree below BUILD/mutate. Status 1: a set is below its goal.
"""
import pathlib
import re
import shutil
import subprocess
import sys
import time

SANITIZED = {"replay"}
HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
PATIENCE = 8  # a test that takes so many times as long as before does not end
# Sources, the unit tests that must notice, and how many of a hundred must be killed. Where a
# mutant may only read beyond an array, the address sanitizer is one of the tests.
SETS = {
    "replay": (["include/sallyport/core/replay.h"], ["core/replay", "session/race"], 100),
    "wireguard": (["userspace/tunnel/wireguard/*.c"],
                  ["tunnel/noise", "tunnel/cookie", "tunnel/timers", "tunnel/handshake", "tunnel/hours"], 100),
    "crypto": (["userspace/crypto/*.c"],
               ["crypto/dh", "crypto/xchacha", "crypto/hash", "crypto/aead", "crypto/select",
                "crypto/backends"], 100),
    "nat": (["userspace/nat/*.c"], ["nat/choose", "nat/nat"], 95),
    "policy": (["userspace/policy/*.c", "include/sallyport/core/policy.h",
                "include/sallyport/core/policy_answer.h"],
               ["policy/change", "policy/compile", "policy/image", "policy/oracle"], 95),
}
BLANK = re.compile(r'//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'|^[ \t]*#(?:[^\n]*\\\n)*[^\n]*',
                   re.DOTALL | re.MULTILINE)
# A binary operator of this code style stands between blanks; a type's star or a shift does not match.
BINARY = re.compile(r"(?<=\s)(==|!=|<=|>=|<|>|&&|\|\|)(?=\s)")
SWAPS = {"==": ["!="], "!=": ["=="], "<": ["<=", ">="], "<=": ["<", ">"], ">": [">=", "<="],
         ">=": [">", "<"], "&&": ["||"], "||": ["&&"]}
NEGATION = re.compile(r"(?<![=\w])!(?=[\w(])")
CONDITION = re.compile(r"\b(if|while) \(")
FUNCTION = re.compile(r"^[a-zA-Z_][^;{}#]*?\b(\w+)\([^;{}]*\)\s*\n\{", re.MULTILINE)


def blanked(text):
    """The same length, without comments, strings and directives."""
    return BLANK.sub(lambda m: re.sub(r"[^\n]", " ", m.group(0)), text)


def closing(text, at):
    depth = 0
    for i in range(at, len(text)):
        depth += {"(": 1, ")": -1}.get(text[i], 0)
        if depth == 0:
            return i
    return None


def mutants(text):
    """(position, length, replacement) of every one."""
    bare = blanked(text)
    for m in BINARY.finditer(bare):
        for swap in SWAPS[m.group(1)]:
            yield m.start(), len(m.group(1)), swap
    for m in NEGATION.finditer(bare):
        yield m.start(), 1, ""
    for m in CONDITION.finditer(bare):
        begin, end = m.end(), closing(bare, m.end() - 1)
        if end is None:
            continue
        if m.group(1) == "if":
            yield begin, end - begin, "1"
        yield begin, end - begin, "0"


def place(text, at):
    """Function and line number of a position."""
    name = "-"
    for m in FUNCTION.finditer(text):
        if m.start() > at:
            break
        name = m.group(1)
    return name, text.count("\n", 0, at) + 1


class Bench:
    def __init__(self, build):
        self.tree = build / "mutate" / "tree"
        self.builds = build / "mutate"
        self.log = build / "mutate" / "log"
        shutil.rmtree(build / "mutate", ignore_errors=True)
        for name in subprocess.run(["git", "ls-files"], cwd=ROOT, check=True, capture_output=True,
                                   text=True).stdout.split("\n"):
            if name and (ROOT / name).is_file():
                (self.tree / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(ROOT / name, self.tree / name)

    def compiles(self, tests):
        targets = [f"{self.build}/tests/unit/{t}" for t in tests]
        flags = "SAN=address,undefined" if self.sanitized else "CFLAGS=-O1"
        with open(self.log, "w") as log:
            return subprocess.run(["make", "-s", "-j2", f"BUILD={self.build}", "CC=" + CC,
                                   flags, *targets],
                                  cwd=self.tree, stdout=log, stderr=log).returncode == 0

    def fails(self, test, timeout_s=600.0):
        try:
            run = subprocess.run([f"{self.build}/tests/unit/{test}", "--fail-fast"], cwd=self.tree,
                                 stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=timeout_s)
        except subprocess.TimeoutExpired:
            return True
        return run.returncode != 0

    def is_killed(self, tests):
        return any(self.fails(t, self.patience_s[t]) for t in tests)

    def begin(self, name, tests):
        """The tests pass as they are, and how long they may take from now on."""
        self.build = self.builds / name
        self.sanitized = name in SANITIZED
        if not self.compiles(tests):
            return False
        self.patience_s = {}
        for t in tests:
            began = time.monotonic()
            if self.fails(t):
                return False
            self.patience_s[t] = 5 + PATIENCE * (time.monotonic() - began)
        return True


def read_survivors():
    """(file, function, line's text, mutation) -> reason; fields are separated by ' | '."""
    known = {}
    for number, line in enumerate((HERE / "survivors.txt").read_text().splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        fields = line.split(" | ")
        if len(fields) != 5:
            sys.exit(f"survivors.txt:{number}: expected file | function | line | mutation | reason")
        known[tuple(f.strip() for f in fields[:4])] = fields[4].strip()
    return known


def run_set(bench, name, known, used):
    patterns, tests, goal = SETS[name]
    if not bench.begin(name, tests):
        sys.exit(f"mutate: {name}: the tests do not pass before anything is broken, see {bench.log}")
    killed = survived = excused = 0
    began = time.monotonic()
    for path in sorted(p for pattern in patterns for p in bench.tree.glob(pattern)):
        text = path.read_text()
        rel = str(path.relative_to(bench.tree))
        for at, length, swap in mutants(text):
            path.write_text(text[:at] + swap + text[at + length:])
            print(f"\r{name}: {killed + survived + excused} ", end="", file=sys.stderr, flush=True)
            if bench.compiles(tests):
                if bench.is_killed(tests):
                    killed += 1
                else:
                    function, number = place(text, at)
                    what = f"{' '.join(text[at:at + length].split())} -> {swap or 'nothing'}"
                    key = (rel, function, text.splitlines()[number - 1].strip(), what)
                    if key in known:
                        excused += 1
                        used.add(key)
                    else:
                        survived += 1
                        print(f"survived {rel}:{number}: " + " | ".join(key), flush=True)
            path.write_text(text)
    total = killed + survived
    share = 100.0 * killed / total if total else 0.0
    print(f"{name}: {total + excused} mutants, {killed} killed, {survived} survived, {excused} excused: "
          f"{share:.1f} %, goal {goal} ({time.monotonic() - began:.0f} s)", flush=True)
    return share >= goal


def main():
    if len(sys.argv) < 2 or any(s not in SETS for s in sys.argv[2:]):
        sys.exit(f"usage: mutate.py BUILD [{'|'.join(SETS)}]...")
    names = sys.argv[2:] or list(SETS)
    known, used = read_survivors(), set()
    bench = Bench(pathlib.Path(sys.argv[1]).resolve())
    good = all([run_set(bench, name, known, used) for name in names])
    chosen = {str(p.relative_to(bench.tree)) for n in names for g in SETS[n][0] for p in bench.tree.glob(g)}
    for key in known:
        if key[0] in chosen and key not in used:
            print("survivors.txt: killed by now: " + " | ".join(key))
            good = False
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    import os
    CC = os.environ.get("CC", "cc")
    main()
