// HDF5 filters: which ones pqw reads, and advice for the others.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <string_view>

#include "formats/hdf5_walk.h"

namespace pqw {
namespace {

constexpr std::array kRead = {1, 2, 3};  // deflate, shuffle, fletcher32

// A tool that can unpack a filter.
enum class Help { kLibrary, kH5py, kPlugin };

struct Filter {
  int number;  // in the registry of HDF5
  std::string_view name;
  Help help;
};

constexpr Filter kFilters[] = {
    {4, "szip", Help::kLibrary},        {5, "nbit", Help::kLibrary},
    {6, "scaleoffset", Help::kLibrary}, {32000, "lzf", Help::kH5py},
    {307, "bzip2", Help::kPlugin},      {32001, "blosc", Help::kPlugin},
    {32004, "lz4", Help::kPlugin},      {32008, "bitshuffle", Help::kPlugin},
    {32013, "zfp", Help::kPlugin},      {32015, "zstd", Help::kPlugin},
    {32017, "sz", Help::kPlugin},       {32024, "sz3", Help::kPlugin},
    {32026, "blosc2", Help::kPlugin},
};

// h5repack drops a dataset that it cannot unpack, and only warns.
std::string advice(Help help) {
  if (help == Help::kLibrary) return "h5repack -f GZIP=4 IN OUT repacks it";
  return fmt::format(
      "this repacks it: python3 -c \"import {}h5py; i=h5py.File('IN'); o=h5py.File('OUT','w'); "
      "i.visititems(lambda n,d: o.__setitem__(n,d[()]) if isinstance(d,h5py.Dataset) else None)\"",
      help == Help::kPlugin ? "hdf5plugin, " : "");
}

}  // namespace

std::string obstacle_in_filters(std::span<const int> filters) {
  if (filters.size() > kRead.size()) {  // a filter is used twice: a bomb could unpack without end
    return fmt::format("packed with {} filters", filters.size());
  }
  for (const int number : filters) {
    if (std::ranges::find(kRead, number) != kRead.end()) continue;
    constexpr const char* kExpected = "expected deflate, shuffle or fletcher32";
    const auto* known = std::ranges::find(kFilters, number, &Filter::number);
    if (known == std::end(kFilters)) {
      return fmt::format("packed with HDF5 filter {}, {}", number, kExpected);
    }
    return fmt::format("packed with HDF5 filter {} ({}), {}; {}", known->name, number, kExpected,
                       advice(known->help));
  }
  return "";
}

}  // namespace pqw
