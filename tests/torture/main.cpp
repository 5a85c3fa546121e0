// Damages archives and disturbs their writers, and prints what came of it.
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <functional>
#include <string>

#include "tests/torture/damage.h"
#include "tests/torture/faults.h"
#include "tests/torture/hostile.h"
#include "tests/torture/large.h"
#include "tests/torture/limits.h"
#include "tests/torture/memory.h"
#include "tests/torture/resume.h"
#include "tests/torture/signals.h"

namespace {

struct Part {
  const char* name;
  std::function<bool(bool)> run;
};

const Part kParts[] = {
    {"flips", pqw::torture::flip_bits},           {"lengths", pqw::torture::truncate},
    {"appended", pqw::torture::append_bytes},     {"sectors", pqw::torture::lose_sectors},
    {"power", pqw::torture::lose_power},          {"hostile", pqw::torture::quantize_hostile_files},
    {"mutants", pqw::torture::read_hdf5_mutants}, {"faults", pqw::torture::fail_writes},
    {"kills", pqw::torture::kill_at_writes},      {"random-kills", pqw::torture::kill_at_random},
    {"memory", pqw::torture::fail_allocations},   {"readers", pqw::torture::read_while_writing},
    {"resume", pqw::torture::kill_and_resume},    {"large", pqw::torture::pass_large_tensors},
    {"limits", pqw::torture::lower_limits},       {"signals", pqw::torture::send_signals}};

int usage() {
  fmt::print(stderr, "usage: pqw_torture [--long] [PART...]; parts:");
  for (const Part& part : kParts) fmt::print(stderr, " {}", part.name);
  fmt::print(stderr, "\n");
  return 2;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc == 4 && std::strcmp(argv[1], "writer") == 0) {
    return pqw::torture::run_writer(argv[2], argv[3]);
  }
  const bool all = argc > 1 && std::strcmp(argv[1], "--long") == 0;
  const int first = all ? 2 : 1;
  for (int i = first; i < argc; ++i) {
    const auto is_it = [&](const Part& part) { return std::strcmp(argv[i], part.name) == 0; };
    if (std::find_if(std::begin(kParts), std::end(kParts), is_it) == std::end(kParts)) {
      return usage();
    }
  }
  bool ok = true;
  for (const Part& part : kParts) {
    bool chosen = first == argc;
    for (int i = first; i < argc; ++i) chosen |= std::strcmp(argv[i], part.name) == 0;
    if (!chosen) continue;
    const auto start = std::chrono::steady_clock::now();
    ok = part.run(all) && ok;
    const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
    fmt::print(stderr, "{}: {:.1f} s\n", part.name, seconds.count());
  }
  fmt::print("{}\n", ok ? "nothing lost" : "FAILED");
  return ok ? 0 : 1;
}
