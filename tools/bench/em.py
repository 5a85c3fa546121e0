#!/usr/bin/env python3
"""Learning codebooks: the native EM against FAISS, scikit-learn and the schedule of fairseq.

Every measurement is a process of its own, contenders take turns within a round, and an answer is
checked before its time counts. scripts/bench em runs this; em.h says what the children do.
"""
import argparse
import collections
import json
import os
import pathlib
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time

PEERS = pathlib.Path(__file__).with_name("em_peers.py")
NOT_INSTALLED = (3, 127)  # exit codes
EXACT_EXCESS = 1e-6  # distances as differences
FLOAT_EXCESS = 1e-4  # distances expanded as |x|^2 + |c|^2 - 2xc in float
CLOCK_TOLERANCE_S = 0.05
LAYER_PREFIX = "layer:"
RATIOS = {"cpu_s": "cpu_ratio", "wall_s": "wall_ratio", "objective": "objective_ratio"}

# `job` is what the child is asked for; `environment` adds variables to the inherited ones, of which
# SCRUBBED are dropped; `excess` is the most by which codes may miss the nearest centroids.
Contender = collections.namedtuple("Contender", "name job in_python iterations environment excess")
SCRUBBED = ("OMP_WAIT_POLICY", "OMP_PROC_BIND", "GOMP_SPINCOUNT", "OMP_NUM_THREADS",
            "OPENBLAS_NUM_THREADS", "OPENBLAS_CORETYPE", "MKL_NUM_THREADS")


def right_blas():
    """OpenBLAS runs its oldest kernels on a processor that it does not know, unless it is told."""
    cpuinfo = pathlib.Path("/proc/cpuinfo")
    flags = set(cpuinfo.read_text().split()) if cpuinfo.exists() else set()
    if {"avx512f", "avx512vl"} <= flags:
        return {"OPENBLAS_CORETYPE": "SkylakeX"}
    return {"OPENBLAS_CORETYPE": "Haswell"} if {"avx2", "fma"} <= flags else {}


def all_contenders():
    """`pqw` has its defaults and may explore on a sample, `pqw-all` works on all blocks throughout
    as the peers do. `faiss` has the environment that suits it best: OpenMP threads that sleep when
    they wait, a BLAS without threads, which would spin against each other, and OpenBLAS told what
    the processor is; `faiss-default` has none of that. The Python packages have the last of the
    three."""
    asleep = {"OMP_WAIT_POLICY": "passive"}  # as the command-line tool runs
    blas = right_blas()
    best_for_faiss = {**asleep, **blas, "OPENBLAS_NUM_THREADS": "1"}
    return [
        Contender("pqw", "pqw", False, 20, asleep, EXACT_EXCESS),
        Contender("pqw-all", "pqw-all", False, 20, asleep, EXACT_EXCESS),
        Contender("faiss", "faiss", False, 20, best_for_faiss, FLOAT_EXCESS),
        Contender("faiss-default", "faiss", False, 20, {}, FLOAT_EXCESS),
        Contender("sklearn", "sklearn", True, 20, blas, FLOAT_EXCESS),
        Contender("torch-matmul", "torch-matmul", True, 15, blas, FLOAT_EXCESS),
        Contender("torch-broadcast", "torch-broadcast", True, 15, blas, FLOAT_EXCESS),
    ]


def run_process(command, environment, timeout_s):
    """Returns the exit code, None after the timeout, and CPU and wall seconds of the process."""
    start = time.perf_counter()
    try:
        process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL)
    except FileNotFoundError:
        return NOT_INSTALLED[-1], 0, 0
    killer = threading.Timer(timeout_s, os.kill, (process.pid, signal.SIGKILL))
    killer.start()
    try:
        _, status, usage = os.wait4(process.pid, 0)
    except BaseException:
        process.kill()  # an interrupted driver leaves no child behind
        raise
    finally:
        killer.cancel()
    wall_s = time.perf_counter() - start
    code = os.waitstatus_to_exitcode(status)
    timed_out = code == -signal.SIGKILL and wall_s >= timeout_s
    return None if timed_out else code, usage.ru_utime + usage.ru_stime, wall_s


class Bench:
    def __init__(self, options, folder):
        self.options = options
        self.blocks = folder / "blocks"
        self.answer = folder / "answer"

    def ask(self, *arguments):
        """The JSON that the program prints."""
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        cases = ["--shrink", "8" if self.options.quick else "1",
                 "--weights", self.options.weights, "--layers", str(self.options.layers)]
        command = [self.options.program, *cases, *map(str, arguments)]
        return json.loads(subprocess.run(command, env=environment, check=True,
                                         timeout=self.options.timeout, stdout=subprocess.PIPE).stdout)

    def job(self, contender, case, iterations=0):
        return [contender, self.blocks, case["block_size"], case["centroids"], iterations, 0,
                self.answer]

    def run(self, contender, case):
        """One run: outcome, times and, if it gave one, the objective of its answer."""
        program = ([self.options.python, str(PEERS)] if contender.in_python
                   else [self.options.program, "train"])
        job = map(str, self.job(contender.job, case, contender.iterations))
        environment = {k: v for k, v in os.environ.items() if k not in SCRUBBED}
        if self.options.threads > 0:
            environment["OMP_NUM_THREADS"] = str(self.options.threads)
        code, cpu_s, wall_s = run_process([*program, *job], {**environment, **contender.environment},
                                          self.options.timeout)
        if code is None:
            return {"outcome": "timed out", "cpu_s": cpu_s, "wall_s": wall_s, "process_cpu_s": cpu_s,
                    "note": f"stopped after {wall_s:.0f} s"}
        if contender.in_python and code in NOT_INSTALLED:
            return {"outcome": "not installed", "note": "not installed"}
        if code != 0:
            return {"outcome": "failed", "note": f"exit code {code}"}
        times = json.loads(self.answer.with_suffix(".json").read_text())
        run = {"outcome": "done", "note": "", **times, "process_cpu_s": cpu_s}
        if run.get("extrapolated"):
            return run
        checked = self.ask("check", *self.job(contender.job, case), contender.excess)
        run.update(objective=checked["objective"], squared_norm=checked["squared_norm"])
        if checked["problem"]:
            run.update(outcome="wrong", note=checked["problem"])
        elif run["cpu_s"] > cpu_s + CLOCK_TOLERANCE_S:
            run.update(outcome="wrong", note=f"claims {run['cpu_s']:.2f} s of the {cpu_s:.2f} s of "
                                             "CPU time that its process took")
        return run

    def measure(self, case, contenders):
        """The case with the report of every contender."""
        self.ask("blocks", case["case"], self.blocks)
        runs = [(c, []) for c in contenders]
        for round_ in range(self.options.rounds):
            for contender, done in runs:
                if done and not self.worth_another(done[-1]):
                    continue
                print(f"{case['case']}: round {round_ + 1}: {contender.name}", file=sys.stderr)
                done.append(self.run(contender, case))
                for file in self.answer.parent.glob("answer.*"):
                    file.unlink()
        e_step = self.ask("estep", *self.job("estep", case))
        return {**case, "e_step": e_step,
                "contenders": with_ratios([report(c.name, done) for c, done in runs])}

    def worth_another(self, run):
        return (run["outcome"] == "done" and not run.get("extrapolated")
                and run["wall_s"] <= self.options.repeat_limit)


def report(name, runs):
    """Medians of the runs. The run that says how it went is one that failed, if any did; the times
    of a contender that was stopped, and their ratios, are lower bounds."""
    telling = next((run for run in runs if run["outcome"] != "done"), runs[0])
    row = {"name": name, "outcome": telling["outcome"], "runs": len(runs),
           "extrapolated": telling.get("extrapolated", False)}
    for key in ("cpu_s", "wall_s", "process_cpu_s", "objective", "squared_norm"):
        if telling["outcome"] in ("done", "timed out") and key in telling:
            row[key] = statistics.median(run[key] for run in runs if key in run)
    return {**with_error(row), "note": telling["note"]}


def with_error(row):
    if row.get("squared_norm"):
        row["relative_error"] = row["objective"] / row["squared_norm"]
    return row


def with_ratios(rows):
    """Adds <name>_ratio: a row's value over that of `pqw`, the first row, where both have it."""
    if rows and rows[0]["name"] == "pqw" and rows[0]["outcome"] == "done":
        for row in rows:
            row.update({ratio: row[key] / rows[0][key] for key, ratio in RATIOS.items()
                        if key in row and rows[0].get(key)})
    return rows


def pooled(results):
    """The contenders' summed objectives over Σ‖x‖² and their summed times, for those that finished
    all of these cases."""
    rows = []
    for parts in zip(*(result["contenders"] for result in results)):
        if any(part["outcome"] != "done" for part in parts):
            continue
        row = {key: parts[0][key] for key in ("name", "outcome", "runs")}
        row["extrapolated"] = any(part["extrapolated"] for part in parts)
        for key in ("cpu_s", "wall_s", "objective", "squared_norm"):
            if all(key in part for part in parts):
                row[key] = sum(part[key] for part in parts)
        rows.append({**with_error(row), "note": ""})
    return with_ratios(rows)


def table(rows):
    columns = {"contender": "name", "runs": "runs", "CPU s": "cpu_s:.3f", "wall s": "wall_s:.3f",
               "CPU/pqw": "cpu_ratio:.2f", "wall/pqw": "wall_ratio:.2f",
               "objective": "objective:.7g", "obj/pqw": "objective_ratio:.5f",
               "rel.error": "relative_error:.6f", "note": "note"}
    lines = [list(columns)]
    for row in rows:
        mark = ">" if row["outcome"] == "timed out" else "~" if row["extrapolated"] else ""
        lines.append([])
        for value in columns.values():
            key, _, layout = value.partition(":")
            marked = mark if layout and key.startswith(("cpu", "wall")) else ""
            lines[-1].append(marked + format(row[key], layout) if key in row else "-")
        lines[-1][-1] = "WRONG: " * (row["outcome"] == "wrong") + row["note"]
    widths = [max(map(len, cells)) for cells in zip(*lines)]
    for cells in lines:
        left, *middle, note = (cell.rjust(width) for cell, width in zip(cells, widths))
        print("  ".join([left.strip().ljust(widths[0]), *middle, note.strip()]).rstrip())


def print_result(result):
    print(f"\n{result['case']}: {result['blocks']} blocks of {result['block_size']}, "
          f"K = {result['centroids']}")
    table(result["contenders"])
    e_step = result["e_step"]
    print(f"E-step, one thread: {e_step['gmac_per_s']:.1f} GMAC/s, {100 * e_step['fraction']:.0f} % "
          f"of the {e_step['peak_gmac_per_s']:.1f} of {e_step['peak_instructions']}; M-step: "
          f"{100 * e_step['m_step_share']:.0f} % of an iteration", flush=True)


def parse_options():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add = parser.add_argument
    add("program", help="pqw_bench_em")
    add("--json", action="store_true", help="print JSON")
    add("--quick", action="store_true",
        help="one round, synthetic cases of an eighth of the blocks, no faiss-default")
    add("--case", action="append", help="only cases whose name starts so; repeatable")
    add("--contender", action="append", help="only pqw and these; repeatable")
    add("--weights", default="",
        help="a file of tensors: its largest matrices are cases too (layer:NAME)")
    add("--layers", type=int, default=5, help="how many of them (default 5)")
    add("--rounds", type=int, default=3, help="runs of each contender (default 3)")
    add("--threads", type=int, default=0, help="OpenMP threads of a contender (default: all)")
    add("--timeout", type=float, default=300, help="seconds until a run is stopped (default 300)")
    add("--repeat-limit", type=float, default=60,
        help="a contender is not run again after a run of more seconds (default 60)")
    add("--python", default=sys.executable,
        help="interpreter with the optional numpy, scikit-learn, torch (default: this one)")
    options = parser.parse_args()
    options.rounds = 1 if options.quick else max(1, options.rounds)
    return options


def main():
    options = parse_options()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    wanted = options.contender or [c.name for c in all_contenders()
                                   if not (options.quick and c.name == "faiss-default")]
    contenders = [c for c in all_contenders() if c.name in ("pqw", *wanted)]
    out = {"rounds": options.rounds, "threads": options.threads, "cases": []}
    if not options.json:
        print(f"Medians of up to {options.rounds} interleaved rounds, "
              f"{options.threads or len(os.sched_getaffinity(0))} threads. 20 iterations and a final "
              "assignment;\ntorch: the 15 iterations of fairseq. > stopped, ~ extrapolated.")
    with tempfile.TemporaryDirectory(prefix="pqw_em.") as folder:
        bench = Bench(options, pathlib.Path(folder))
        for case in bench.ask("cases"):
            if case["case"].startswith(tuple(options.case or [""])):
                out["cases"].append(bench.measure(case, contenders))
                if not options.json:
                    print_result(out["cases"][-1])
    layers = [result for result in out["cases"] if result["case"].startswith(LAYER_PREFIX)]
    if len(layers) > 1:
        out["all_layers"] = pooled(layers)
        if not options.json:
            print("\nall layers")
            table(out["all_layers"])
    if options.json:
        print(json.dumps(out, indent=2))
    return any(row["outcome"] in ("wrong", "failed")
               for result in out["cases"] for row in result["contenders"])


if __name__ == "__main__":
    sys.exit(main())
