// Fuzz target: HDF5 files and archives, parsed in a child process. What the HDF5 library does to
// that is no concern; this process must end every one in tensors or in an error.
#include "pqw/archive/archive.h"
#include "pqw/formats/weight_file.h"
#include "tests/fuzz/target.h"

namespace {

void read_archive(const std::string& path) {
  pqw::fuzz::expect_result_or_error([&] {
    const pqw::ArchiveReader reader(path);
    for (std::size_t i = 0; i < reader.entries().size(); ++i) {
      if (reader.entries()[i].codec == "plain") {
        (void)reader.read_plain(i);
      } else {
        (void)reader.read(i);
      }
    }
  });
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static pqw::fuzz::MemoryFile file;
  file.set({data, size});
  if (pqw::is_archive(file.path())) {
    read_archive(file.path());
  } else {
    pqw::fuzz::read_all({data, size},
                        [](const std::string& path) { return pqw::open_weights(path); });
  }
  return 0;
}
