// Tensors of more elements than 31 bits count, from a sparse file through the tool and back.
#include "tests/torture/large.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <stdlib.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <filesystem>

#include "pqw/formats/weight_file.h"
#include "tests/torture/isolated.h"
#include "tests/torture/process.h"

namespace pqw::torture {
namespace {

constexpr char kSame = 's';
constexpr char kDifferent = 'D';
constexpr char kFailed = 'F';

constexpr std::uint64_t kLimit = std::uint64_t{1} << 31;
constexpr std::uint64_t kRows = 32769, kCols = 65536;  // kLimit + kCols elements
constexpr std::uint64_t kBytes = kLimit + 17;

void put(int fd, std::uint64_t offset, const void* data, std::size_t n) {
  if (::pwrite(fd, data, n, static_cast<off_t>(offset)) != static_cast<ssize_t>(n)) std::abort();
}

// Zeros, but for some elements before, at and after the limit and at the end.
void write_input(const std::string& path) {
  const std::uint64_t half_bytes = 2 * kRows * kCols;
  std::string header =
      fmt::format(R"({{"half":{{"dtype":"F16","shape":[{},{}],"data_offsets":[0,{}]}},)"
                  R"("bytes":{{"dtype":"U8","shape":[{}],"data_offsets":[{},{}]}}}})",
                  kRows, kCols, half_bytes, kBytes, half_bytes, half_bytes + kBytes);
  header.resize((header.size() + 7) / 8 * 8, ' ');
  const std::uint64_t length = header.size();
  const std::uint64_t half = 8 + length, bytes = half + half_bytes;
  const int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (fd < 0 || ::ftruncate(fd, static_cast<off_t>(bytes + kBytes)) != 0) std::abort();
  put(fd, 0, &length, 8);
  put(fd, 8, header.data(), header.size());
  std::uint16_t value = 0x3c00;  // 1 as float16; then somewhat more
  for (const std::uint64_t index : {std::uint64_t{0}, kLimit - 1, kLimit, kRows * kCols - 1}) {
    put(fd, half + 2 * index, &value, 2);
    ++value;
  }
  unsigned char byte = 1;
  for (const std::uint64_t index : {std::uint64_t{0}, kLimit - 1, kLimit, kBytes - 1}) {
    put(fd, bytes + index, &byte, 1);
    ++byte;
  }
  ::close(fd);
}

bool are_equal(const std::string& a, const std::string& b) {
  const auto first = open_weights(a), second = open_weights(b);
  for (const TensorInfo& info : first->tensors()) {
    const auto place = [&](const WeightReader& reader) {
      const auto& tensors = reader.tensors();
      return static_cast<std::size_t>(std::find(tensors.begin(), tensors.end(), info) -
                                      tensors.begin());
    };
    const std::size_t i = place(*first), j = place(*second);
    if (j == second->tensors().size()) return false;
    const auto x = first->read(i), y = second->read(j);
    if (x != y) return false;
  }
  return true;
}

}  // namespace

bool pass_large_tensors(bool all) {
  if (!all) return true;
  std::string folder = "/var/tmp/pqw_torture.XXXXXX";
  if (::mkdtemp(folder.data()) == nullptr) std::abort();
  const std::string input = folder + "/in.safetensors", archive = folder + "/a.h5",
                    output = folder + "/back.safetensors";
  write_input(input);
  const auto passes = [&](const std::vector<std::string>& arguments) {
    std::vector<std::string> command = {PQW_COMMAND};
    command.insert(command.end(), arguments.begin(), arguments.end());
    return finish(start(command, {}, folder, 3600)) == 0;
  };
  const bool ran = passes({"quantize", input, "-o", archive, "--block-size", "64", "--centroids",
                           "16", "--iterations", "2"}) &&
                   passes({"verify", archive}) && passes({"decode", archive, "-o", output});
  Counts counts;
  ++counts[!ran ? kFailed : are_equal(input, output) ? kSame : kDifferent];
  print_row("tensors of 2^31 + 65536 and + 17", counts,
            {{kSame, "same"}, {kDifferent, "DIFFERENT"}, {kFailed, "FAILED"}});
  std::filesystem::remove_all(folder);
  return counts.contains(kSame);
}

}  // namespace pqw::torture
