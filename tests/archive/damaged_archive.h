// An archive that tests may damage.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <string>

#include "archive/digest.h"
#include "archive/user_block.h"
#include "pqw/archive/archive.h"
#include "tests/archive/samples.h"
#include "tests/support/file_content.h"
#include "tests/support/temp_dir.h"

namespace pqw::test {

// Gives the bytes a first block that fits them, as whoever plants something in them would.
inline std::string signed_again(std::string file) {
  const auto rest = std::as_bytes(std::span(file)).subspan(archive::kUserBlockBytes);
  const auto block =
      archive::render(archive::UserBlock{file.size(), archive::to_hex(archive::sha256(rest))});
  std::copy_n(reinterpret_cast<const char*>(block.data()), block.size(), file.begin());
  return file;
}

class DamagedArchive : public ::testing::Test {
 protected:
  DamagedArchive() {
    ArchiveWriter writer(path_, {.metadata = {{"key", "value"}}, .names = {"w", "b"}});
    writer.add(test::pq_record("w"));
    writer.add_plain({"b", DType::kF32, {1200}}, counting_bytes(4800));
    writer.commit();
    original_ = content(path_);
    digest_ = original_.find("sha256 ") + 7;
  }

  const test::TempDir dir_;
  const std::string path_ = dir_ / "a.pqw";
  std::string original_;
  std::size_t digest_ = 0;  // where it stands in the first block
};

}  // namespace pqw::test
