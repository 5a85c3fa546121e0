// HDF5 files made to harm, and random damage that checksums do not see.
#include "tests/torture/hostile.h"

#include <fmt/format.h>
#include <sys/resource.h>

#include <csignal>
#include <filesystem>
#include <random>

#include "pqw/core/error.h"
#include "pqw/formats/weight_file.h"
#include "tests/archive/samples.h"
#include "tests/hostile/hdf5_files.h"
#include "tests/support/file_content.h"
#include "tests/support/temp_dir.h"
#include "tests/torture/isolated.h"
#include "tests/torture/process.h"

namespace pqw::torture {
namespace {

constexpr char kRefused = 'r';
constexpr char kRead = 'o';
constexpr char kLeaked = 'S';     // a byte of another file came out
constexpr char kCodeRan = 'P';    // the planted plugin was loaded
constexpr char kContained = 'k';  // the child crashed, the parent said so
constexpr char kOther = 'E';      // an exception that is no pqw::Error, or an unknown exit code

constexpr unsigned kMostSeconds = 2;

struct Place {
  const test::TempDir dir;
  const std::string input = dir / "input.h5", output = dir / "output.h5", mark = dir / "mark";
};

char judge(const Place& place, int code) {
  if (std::filesystem::exists(place.mark)) return kCodeRan;
  for (const std::string& path : {place.output, place.dir / "stdout", place.dir / "stderr"}) {
    if (test::content(path).find(test::kSecret) != std::string::npos) return kLeaked;
  }
  if (code == 128 + SIGALRM) return kHang;
  if (code > 128) return kCrash;
  return code == 0 ? kRead : code == 1 ? kRefused : kOther;
}

char quantize(const test::HostileFile& file) {
  const Place place;
  test::make_secrets(place.dir / "secret");
  file.make(place.input, place.dir / "secret");
  return judge(
      place,
      finish(start(
          {PQW_COMMAND, "quantize", place.input, "-o", place.output, "--skip-unsupported"},
          {"PQW_PLANTED_MARK=" + place.mark, std::string("HDF5_PLUGIN_PATH=") + PQW_PLUGIN_FOLDER},
          place.dir.path().string(), kMostSeconds)));
}

char read_mutant(const std::string& path) {
  try {
    const auto reader = open_weights(path);
    for (std::size_t i = 0; i < reader->tensors().size(); ++i) (void)reader->read(i);
    return kRead;
  } catch (const Error& error) {
    const std::string message = error.what();
    return message.find("the process that reads it") != message.npos ? kContained : kRefused;
  } catch (...) {
    return kOther;
  }
}

// Tensors in groups, as other programs write them: the format of HDF5 1.0.
std::string original(const test::TempDir& dir) {
  const std::string path = dir / "original.h5";
  std::vector<TensorInfo> infos;
  for (const char* name : {"a/b/w", "a/b/v", "a/c", "d"}) {
    infos.push_back({name, DType::kF32, {4, 8}});
  }
  const auto writer = create_weights(path, infos, {{"key", "value"}}, {.overwrite = true});
  for (const TensorInfo& info : infos) writer->add(test::counting_bytes(byte_count(info)));
  writer->commit();
  return test::content(path);
}

}  // namespace

bool quantize_hostile_files(bool) {
  const std::map<char, std::string> labels = {{kRefused, "refused"}, {kRead, "read without harm"},
                                              {kLeaked, "LEAKED"},   {kCodeRan, "CODE RAN"},
                                              {kOther, "EXIT CODE"}, {kCrash, "CRASH"},
                                              {kHang, "HANG"}};
  Counts counts;
  bool ok = true;
  for (const test::HostileFile& file : test::hostile_files()) {
    const char result = quantize(file);
    ++counts[result];
    if (result == kRefused || result == kRead) continue;
    fmt::print(stderr, "hostile file {}: {}\n", file.kind, labels.at(result));
    ok = false;
  }
  print_row("hostile HDF5 files, 2 s each", counts, labels);
  rusage usage{};
  ::getrusage(RUSAGE_CHILDREN, &usage);
  fmt::print("{:40} {:7} KiB\n", "largest process so far", usage.ru_maxrss);
  return ok;
}

bool read_hdf5_mutants(bool all) {
  const test::TempDir dir;
  const std::string bytes = original(dir), path = dir / "mutant.h5";
  const auto mutate_and_read = [&](std::size_t i) {
    std::mt19937_64 random(i);
    std::string mutant = bytes;
    for (std::size_t n = 1 + random() % 4; n > 0; --n) {
      mutant[random() % mutant.size()] = static_cast<char>(random());
    }
    test::set_content(path, mutant);
    return read_mutant(path);
  };
  const Counts counts = run_isolated(all ? 20'000 : 500, mutate_and_read,
                                     [](std::size_t i) { return fmt::format("mutant {}", i); });
  print_row("HDF5 mutants without checksums", counts,
            {{kRefused, "refused"},
             {kRead, "read"},
             {kContained, "crashed in the child"},
             {kOther, "EXCEPTION"},
             {kCrash, "CRASH"},
             {kHang, "HANG"}});
  return !counts.contains(kOther) && !counts.contains(kCrash) && !counts.contains(kHang);
}

}  // namespace pqw::torture
