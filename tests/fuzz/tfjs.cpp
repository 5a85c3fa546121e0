// Fuzz target: manifests of TensorFlow.js. Their files are not opened.
#include "formats/tfjs_manifest.h"
#include "tests/fuzz/target.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static pqw::fuzz::MemoryFile file;
  file.set({data, size});
  pqw::fuzz::expect_result_or_error([&] {
    for (const pqw::TfjsGroup& group :
         pqw::read_tfjs_manifest(pqw::InputFile(file.path())).groups) {
      for (const std::string& name : group.files) pqw::fuzz::require(name.find('/') == name.npos);
      for (const pqw::TfjsWeight& weight : group.weights) {
        if (!weight.is_text) (void)weight.stored_bytes();
      }
    }
  });
  return 0;
}
