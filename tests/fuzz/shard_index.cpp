// Fuzz target: indexes of shards. Their files are not opened.
#include "formats/shard_index.h"

#include "tests/fuzz/target.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static pqw::fuzz::MemoryFile file;
  file.set({data, size});
  pqw::fuzz::expect_result_or_error([&] {
    const pqw::ShardIndex index = pqw::read_shard_index(pqw::InputFile(file.path()));
    for (const std::string& name : index.files()) {
      pqw::fuzz::require(name.find('/') == name.npos && name != "..");
    }
  });
  return 0;
}
