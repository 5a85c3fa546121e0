// Fuzz target: the reader of PyTorch files. An input that starts with a pickle of the magic number
// or with a zip archive is a file; every other input is the pickle in an archive with two storages.
#include "formats/formats.h"
#include "tests/formats/zip_building.h"
#include "tests/fuzz/target.h"

namespace {

std::string with_storages(const std::string& pickle) {
  std::vector<pqw::test::ZipMember> members(2);
  members[0].name = "m/data.pkl";
  members[0].stored = pickle;
  members[1].name = "m/data/0";
  members[1].stored = std::string(24, 'x');
  members.push_back(pqw::test::deflated_member("m/data/1", std::string(64, 'y')));
  return pqw::test::zip_of(members);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string file(reinterpret_cast<const char*>(data), size);
  if (!file.starts_with("PK") && file.find("\x8a\x0a\x6c\xfc") > 16) file = with_storages(file);
  pqw::fuzz::read_all(
      {reinterpret_cast<const std::uint8_t*>(file.data()), file.size()},
      [](const std::string& path) { return pqw::open_torch(pqw::InputFile(path), {}); });
  return 0;
}
