// Fuzz target: .keras files. The HDF5 file in them is parsed in a child process.
#include "formats/formats.h"
#include "tests/fuzz/target.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  pqw::fuzz::read_all({data, size}, [](const std::string& path) {
    return pqw::open_keras(pqw::InputFile(path), {});
  });
  return 0;
}
