// Fuzz target: the index of an archive, a JSON text.
#include "archive/index.h"

#include "tests/fuzz/target.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  pqw::fuzz::expect_result_or_error([&] {
    (void)pqw::archive::parse_index(text, {"fuzz", pqw::ErrorCode::kCorrupt});
  });
  return 0;
}
