// Fuzz target: the GGUF reader.
#include "formats/formats.h"
#include "tests/fuzz/target.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  pqw::fuzz::read_all({data, size}, [](const std::string& path) {
    return pqw::open_gguf(pqw::InputFile(path), {});
  });
  return 0;
}
