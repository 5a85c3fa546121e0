#include "h5/attribute.h"

#include <hdf5.h>

#include "h5/group.h"
#include "tests/h5/h5_testing.h"

namespace pqw::h5 {
namespace {

void write_numbers(Id object, const char* name, const std::vector<std::uint64_t>& values) {
  const hsize_t count = values.size();
  const hid_t space = H5Screate_simple(1, &count, nullptr);
  const hid_t id = H5Acreate2(object, name, H5T_STD_U64LE, space, H5P_DEFAULT, H5P_DEFAULT);
  const std::uint64_t none = 0;
  EXPECT_GE(H5Awrite(id, H5T_STD_U64LE, count > 0 ? values.data() : &none), 0);
  H5Aclose(id);
  H5Sclose(space);
}

using testing::ElementsAre;

class Attributes : public H5Test {
 protected:
  const Object root_ = open_root(file_.id(), subject_);
  const Id id_ = root_.handle.id();
};

TEST_F(Attributes, GiveTextsAndNumbersBack) {
  write_text(id_, "text", "block_size=4", subject_);
  write_text(id_, "empty", "", subject_);
  write_number(id_, "number", UINT64_MAX, subject_);
  const std::vector<std::uint64_t> shape = {64, 0, 3};
  write_numbers(id_, "shape", shape);
  write_numbers(id_, "none", {});
  EXPECT_EQ(read_text(id_, "text", 12, subject_), "block_size=4");
  EXPECT_EQ(read_text(id_, "empty", 12, subject_), "");
  EXPECT_EQ(read_number(id_, "number", subject_), UINT64_MAX);
  EXPECT_EQ(read_numbers(id_, "shape", 3, subject_), shape);
  EXPECT_THAT(read_numbers(id_, "none", 3, subject_), ElementsAre());
  write_long_text(id_, "long", std::string(100000, 'x'), subject_);
  write_text_list(id_, "list", {"a", "", "ccc"}, subject_);
  write_text_list(id_, "nothing", {}, subject_);
  const auto texts = read_all_texts(id_, 100000, 9, subject_);
  ASSERT_EQ(texts.size(), 6u) << "without the numbers, with the empty list of them";
  EXPECT_THAT(texts.at("text").values, ElementsAre("block_size=4"));
  EXPECT_FALSE(texts.at("text").is_list);
  EXPECT_THAT(texts.at("empty").values, ElementsAre(""));
  EXPECT_THAT(texts.at("long").values, ElementsAre(std::string(100000, 'x')));
  EXPECT_THAT(texts.at("list").values, ElementsAre("a", "", "ccc"));
  EXPECT_TRUE(texts.at("list").is_list);
  EXPECT_THAT(texts.at("nothing").values, ElementsAre());
  EXPECT_FALSE(read_all_texts(id_, 99999, 9, subject_).contains("long"));
  EXPECT_FALSE(read_all_texts(id_, 5, 9, subject_).contains("text"));
  EXPECT_THAT(message_of([&] { (void)read_all_texts(id_, 5, 1, subject_); }),
              testing::HasSubstr("more than 1 attributes"));
}

TEST_F(Attributes, AreThereOrNot) {
  EXPECT_FALSE(has_attribute(id_, "text", subject_));
  write_text(id_, "text", "x", subject_);
  EXPECT_TRUE(has_attribute(id_, "text", subject_));
}

TEST_F(Attributes, OfAnotherTypeOrSizeAreErrors) {
  write_text(id_, "text", "12345", subject_);
  write_number(id_, "number", 5, subject_);
  const std::vector<std::uint64_t> one = {1};
  write_numbers(id_, "list", one);
  EXPECT_EQ(message_of([&] { (void)read_text(id_, "text", 4, subject_); }),
            "shown: object: attribute 'text' is not a fixed-length text of at most 4 bytes");
  EXPECT_EQ(message_of([&] { (void)read_numbers(id_, "list", 0, subject_); }),
            "shown: object: attribute 'list' is not a list of at most 0 64-bit unsigned numbers");
  EXPECT_EQ(message_of([&] { (void)read_number(id_, "list", subject_); }),
            "shown: object: attribute 'list' is not one 64-bit unsigned number");
  EXPECT_NE(message_of([&] { (void)read_number(id_, "text", subject_); }), "no error");
  EXPECT_NE(message_of([&] { (void)read_text(id_, "number", 99, subject_); }), "no error");
  EXPECT_NE(message_of([&] { (void)read_numbers(id_, "number", 99, subject_); }), "no error");
  EXPECT_NE(message_of([&] { (void)read_text(id_, "none", 99, subject_); }), "no error");
}

}  // namespace
}  // namespace pqw::h5
