// Keras' .keras files: HDF5 in zip archives, read and copied.
#include <filesystem>

#include "tests/formats/file_testing.h"
#include "tests/formats/keras_testing.h"
#include "tests/formats/zip_building.h"
#include "tests/support/errors.h"

namespace pqw {
namespace {

using test::content;
using test::deflated_member;
using test::error_of;
using test::zip_of;
using test::ZipMember;
using testing::ElementsAre;
using testing::HasSubstr;

constexpr char kConfig[] = R"({"class_name":"Sequential","config":{"name":"s","layers":[)"
                           R"({"class_name":"Conv1D","config":{"name":"first"}}]}})";

class KerasArchive : public testing::Test {
 protected:
  void write(const ZipMember& member) {
    test::set_content(path_, zip_of({{"metadata.json", "{}"}, {"config.json", kConfig}, member}));
  }

  const test::TempDir dir_;
  const std::string path_ = dir_ / "m.keras", weights_ = test::keras_weights();
  const ZipMember stored_ = {"model.weights.h5", weights_};
  const ZipMember deflated_ = deflated_member("model.weights.h5", weights_);
};

TEST_F(KerasArchive, GivesTheTensorsOfItsWeights) {
  test::set_content(dir_ / "w.h5", weights_);
  const auto expected = open_weights(dir_ / "w.h5");
  for (const ZipMember& member : {stored_, deflated_}) {
    write(member);
    for (const bool trusted : {false, true}) {
      const auto reader = open_weights(path_, {.trusted = trusted});
      ASSERT_EQ(reader->tensors().size(), 2u);
      for (std::size_t i = 0; i < 2; ++i) {
        EXPECT_EQ(reader->tensors()[i].name, expected->tensors()[i].name);
        EXPECT_EQ(reader->read(i), expected->read(i));
      }
      EXPECT_EQ(reader->tensors()[0].layout, (Layout{Kind::kLinear, {1, 0}}));
      EXPECT_EQ(reader->tensors()[1].layout, (Layout{Kind::kConv, {2, 1, 0}})) << "by its config";
      EXPECT_THAT(test::skipped_in(*reader), ElementsAre("'metadata.json' is not the weights",
                                                         "'config.json' is not the weights"));
    }
  }
}

TEST_F(KerasArchive, CopiesDifferInValuesAndChecksum) {
  write(stored_);
  const std::vector<float> values(24, -7);
  {
    const CopyWriter copy =
        create_copy(path_, dir_ / "c.keras", {{"layers/dense/vars/0", DType::kF32, {6, 4}}});
    copy.writer->add(std::as_bytes(std::span(values)));
    copy.writer->commit();
  }
  std::vector<float> old(24);
  for (std::size_t i = 0; i < old.size(); ++i) old[i] = 1000 + static_cast<float>(i);
  const std::string before(reinterpret_cast<const char*>(old.data()), 96);
  ZipMember member = stored_;
  ASSERT_NE(member.stored.find(before), std::string::npos);
  member.stored.replace(member.stored.find(before), 96,
                        reinterpret_cast<const char*>(values.data()), 96);
  write(member);
  EXPECT_EQ(content(dir_ / "c.keras"), content(path_));
}

TEST_F(KerasArchive, CopiesOfDeflatedMembersAreStored) {
  const std::vector<float> values(24, 7);
  for (const ZipMember& member : {stored_, deflated_}) {
    write(member);
    const CopyWriter copy =
        create_copy(path_, dir_ / "c.keras", {{"layers/dense/vars/0", DType::kF32, {6, 4}}}, {},
                    {.overwrite = true});
    copy.writer->add(std::as_bytes(std::span(values)));
    copy.writer->commit();
    const auto before = open_weights(path_), after = open_weights(dir_ / "c.keras");
    EXPECT_EQ(after->tensors(), before->tensors());
    EXPECT_EQ(after->read(0), std::vector(std::as_bytes(std::span(values)).begin(),
                                          std::as_bytes(std::span(values)).end()));
    EXPECT_EQ(after->read(1), before->read(1));
  }
}

}  // namespace
}  // namespace pqw
