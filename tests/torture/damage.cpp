// Archives damaged after they were written: flipped bits, other lengths; sectors that were lost.
#include "tests/torture/damage.h"

#include <fmt/format.h>

#include <algorithm>
#include <random>
#include <span>

#include "pqw/archive/archive.h"
#include "pqw/core/error.h"
#include "tests/support/file_content.h"
#include "tests/support/temp_dir.h"
#include "tests/torture/faults.h"
#include "tests/torture/golden.h"
#include "tests/torture/isolated.h"

namespace pqw::torture {
namespace {

constexpr char kRefused = 'r';   // an Error, from reading and from verifying
constexpr char kHarmless = 'h';  // reads as before; verifying refuses it
constexpr char kSilent = 'S';    // reads as something else
constexpr char kUnseen = 'V';    // verifying accepts another file
constexpr char kOther = 'E';     // an exception that is no pqw::Error

constexpr std::uint64_t kSectorBytes = 512;

const std::map<char, std::string> kLabels = {
    {kRefused, "refused"}, {kHarmless, "harmless"}, {kSilent, "SILENT"}, {kUnseen, "VERIFIED"},
    {kOther, "EXCEPTION"}, {kCrash, "CRASH"},       {kHang, "HANG"}};

bool is_refused(const std::function<void()>& action) {
  try {
    action();
    return false;
  } catch (const Error&) {
    return true;
  }
}

// What reading and verifying make of the damaged file.
char judge(const std::string& path, const std::string& expected) {
  try {
    if (!is_refused([&] { verify_digest(path); })) return kUnseen;
    std::string found;
    if (is_refused([&] { found = read_everything(path); })) return kRefused;
    return found == expected ? kHarmless : kSilent;
  } catch (...) {
    return kOther;
  }
}

// An archive that was written whole.
struct Golden {
  explicit Golden(const std::function<void(const std::string&)>& write) {
    write(path);
    bytes = test::content(path);
    expected = read_everything(path);
  }
  const test::TempDir dir;
  const std::string path = dir / "a.h5";
  std::string bytes;
  std::string expected;
};

using Damage = std::function<void(std::size_t, std::string&)>;

// Runs the cases of `damage` on one archive. `must_refuse`: nothing but refusals will do.
bool run(const std::string& name, const Golden& golden, std::size_t n_cases, const Damage& damage,
         bool must_refuse = false) {
  const Counts counts = run_isolated(
      n_cases,
      [&](std::size_t i) {
        std::string bytes = golden.bytes;
        damage(i, bytes);
        if (bytes == golden.bytes) return kHarmless;
        test::set_content(golden.path, bytes);
        return judge(golden.path, golden.expected);
      },
      [&](std::size_t i) { return fmt::format("{}, case {}", name, i); });
  print_row(name, counts, kLabels);
  return std::ranges::all_of(counts, [&](const auto& count) {
    return count.first == kRefused || (count.first == kHarmless && !must_refuse);
  });
}

template <class Action>
bool for_each_golden(const Action& action) {
  bool ok = true;
  for (std::size_t kind = 0; kind < n_golden_archives(); ++kind) {
    const Golden golden([&](const std::string& path) { write_golden_archive(kind, path); });
    ok = action(kind, golden) && ok;
  }
  return ok;
}

std::string title(const char* what, std::size_t kind, const Golden& golden) {
  return fmt::format("{}, archive {} ({} B)", what, kind, golden.bytes.size());
}

// What a disk holds that was given these writes and kept each of their sectors with a probability.
std::string kept_part(std::span<const LoggedWrite> writes, std::mt19937& random) {
  const unsigned percent = static_cast<unsigned>(random() % 101);
  std::string disk;
  for (const LoggedWrite& write : writes) {
    for (std::size_t begin = 0, end = 0; begin < write.bytes.size(); begin = end) {
      const std::uint64_t at = write.offset + begin;
      const std::uint64_t to_next = kSectorBytes - at % kSectorBytes;
      end = begin + std::min<std::size_t>(write.bytes.size() - begin, to_next);
      if (random() % 100 >= percent) continue;
      disk.resize(std::max<std::size_t>(disk.size(), at + (end - begin)));
      disk.replace(at, end - begin, write.bytes, begin, end - begin);
    }
  }
  return disk;
}

}  // namespace

bool flip_bits(bool all) {
  return for_each_golden([&](std::size_t kind, const Golden& golden) {
    const std::size_t n = all ? golden.bytes.size() * 8 : golden.bytes.size() / 2;
    return run(title("bit flipped", kind, golden), golden, n,
               [&](std::size_t i, std::string& bytes) {
                 const std::size_t byte = all ? i / 8 : 2 * i + i / 8 % 2;
                 const std::size_t bit = all ? i % 8 : (i * 5 + i / 16) % 8;
                 bytes[byte] = static_cast<char>(bytes[byte] ^ (1 << bit));
               });
  });
}

bool truncate(bool all) {
  return for_each_golden([&](std::size_t kind, const Golden& golden) {
    const std::size_t step = all ? 1 : 7;
    return run(
        title("cut", kind, golden), golden, (golden.bytes.size() + step - 1) / step,
        [&](std::size_t i, std::string& bytes) { bytes.resize(i * step); }, true);
  });
}

bool append_bytes(bool all) {
  return for_each_golden([&](std::size_t kind, const Golden& golden) {
    return run(
        title("bytes appended", kind, golden), golden, all ? 1024 : 128,
        [&](std::size_t i, std::string& bytes) {
          bytes.append(1 + i / 2, i % 2 == 0 ? '\0' : 'x');
        },
        true);
  });
}

bool lose_sectors(bool all) {
  return for_each_golden([&](std::size_t kind, const Golden& golden) {
    // Runs of 64 to 4096 bytes read as zeros; then random sets of sectors of 512 bytes that never
    // reached the disk, in files of the whole length.
    const std::size_t n_runs = 7 * (golden.bytes.size() / 64 + 1);
    bool ok = run(title("zeroed run", kind, golden), golden, n_runs,
                  [&](std::size_t i, std::string& bytes) {
                    const std::size_t length = std::size_t{64} << (i % 7);
                    const std::size_t begin = i / 7 * 64;
                    const std::size_t end = std::min(bytes.size(), begin + length);
                    for (std::size_t b = begin; b < end; ++b) bytes[b] = '\0';
                  });
    ok = run(title("sectors not written", kind, golden), golden, all ? 2000 : 200,
             [&](std::size_t i, std::string& bytes) {
               std::mt19937 random(static_cast<unsigned>(i));
               const unsigned share = 1 + static_cast<unsigned>(random() % 99);
               for (std::size_t begin = 0; begin < bytes.size(); begin += kSectorBytes) {
                 if (random() % 100 >= share) continue;
                 const std::size_t end = std::min(bytes.size(), begin + kSectorBytes);
                 std::fill(bytes.begin() + static_cast<std::ptrdiff_t>(begin),
                           bytes.begin() + static_cast<std::ptrdiff_t>(end), '\0');
               }
             }) &&
         ok;
    return ok;
  });
}

bool lose_power(bool all) {
  std::vector<LoggedWrite> writes;
  const Golden golden([&](const std::string& path) { writes = log_archive_writes(path); });
  const std::size_t n_cases = all ? 6000 : 300;
  return run(fmt::format("power lost ({} writes)", writes.size()), golden, n_cases,
             [&](std::size_t i, std::string& bytes) {
               std::mt19937 random(static_cast<unsigned>(i));
               // In every other case all writes were made; the length may be on the disk or not.
               const std::size_t n = i % 2 == 0 ? writes.size() : random() % writes.size();
               std::string disk = kept_part(std::span(writes).first(n), random);
               if (random() % 2 == 0) disk.resize(std::max(disk.size(), bytes.size()));
               bytes = disk;
             });
}

}  // namespace pqw::torture
