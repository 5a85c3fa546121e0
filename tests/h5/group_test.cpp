#include "h5/group.h"

#include <hdf5.h>

#include <fstream>

#include "h5/dataset.h"
#include "tests/h5/h5_testing.h"

namespace pqw::h5 {
namespace {

std::vector<std::string> names_of(const std::vector<Link>& links) {
  std::vector<std::string> names;
  for (const Link& link : links) names.push_back(link.name);
  return names;
}

class Groups : public H5Test {
 protected:
  void add(const Handle& group, const std::string& link) {
    (void)create_dataset(group.id(), link, DType::kU8, {}, Storage::kContiguous, subject_);
  }
};

TEST_F(Groups, ListLinksByNameOrByCreation) {
  const hid_t list = H5Pcreate(H5P_GROUP_CREATE);
  H5Pset_link_creation_order(list, H5P_CRT_ORDER_TRACKED);
  const Handle group(H5Gcreate2(file_.id(), "g", H5P_DEFAULT, list, H5P_DEFAULT), H5Gclose);
  H5Pclose(list);
  for (const char* name : {"b", "c", "a"}) add(group, name);
  EXPECT_THAT(names_of(list_links(group.id(), LinkOrder::kByName, 3, subject_)),
              testing::ElementsAre("a", "b", "c"));
  EXPECT_THAT(names_of(list_links(group.id(), LinkOrder::kByCreation, 3, subject_)),
              testing::ElementsAre("b", "c", "a"));
}

TEST_F(Groups, WithoutOrderCannotListByCreation) {
  const Handle group = create_group(file_.id(), "g", subject_);
  EXPECT_THAT(
      message_of([&] { (void)list_links(group.id(), LinkOrder::kByCreation, 3, subject_); }),
      testing::StartsWith("shown: object: cannot list the links of a group: "));
}

TEST_F(Groups, OfTooManyLinksAreErrors) {
  const Handle group = create_group(file_.id(), "g", subject_);
  add(group, "a");
  add(group, "b");
  EXPECT_EQ(list_links(group.id(), LinkOrder::kByName, 2, subject_).size(), 2u);
  EXPECT_EQ(message_of([&] { (void)list_links(group.id(), LinkOrder::kByName, 1, subject_); }),
            "shown: object: more than 1 links in a group");
}

TEST_F(Groups, TellKindsOfLinksWithoutFollowingThem) {
  const Handle group = create_group(file_.id(), "g", subject_);
  add(group, "hard");
  H5Lcreate_soft("nowhere", group.id(), "soft", H5P_DEFAULT, H5P_DEFAULT);
  H5Lcreate_external("none.h5", "x", group.id(), "external", H5P_DEFAULT, H5P_DEFAULT);
  const auto links = list_links(group.id(), LinkOrder::kByName, 9, subject_);
  ASSERT_EQ(links.size(), 3u);
  EXPECT_EQ(links[0].kind, LinkKind::kExternal);
  EXPECT_EQ(links[1].kind, LinkKind::kHard);
  EXPECT_EQ(links[2].kind, LinkKind::kSoft);
  EXPECT_EQ(links[2].target, "nowhere");
}

TEST_F(Groups, FindALinkByName) {
  const Handle group = create_group(file_.id(), "g", subject_);
  add(group, "hard");
  H5Lcreate_soft("/a/path of it", group.id(), "soft", H5P_DEFAULT, H5P_DEFAULT);
  const auto hard = find_link(group.id(), "hard", subject_);
  ASSERT_TRUE(hard);
  EXPECT_EQ(hard->kind, LinkKind::kHard);
  EXPECT_EQ(hard->address, list_links(group.id(), LinkOrder::kByName, 9, subject_)[0].address);
  const auto soft = find_link(group.id(), "soft", subject_);
  ASSERT_TRUE(soft);
  EXPECT_EQ(soft->kind, LinkKind::kSoft);
  EXPECT_EQ(soft->target, "/a/path of it");
  EXPECT_FALSE(find_link(group.id(), "none", subject_));
}

TEST_F(Groups, HardLinksAreSecondNames) {
  const Handle group = create_group(file_.id(), "g", subject_);
  add(group, "a");
  create_hard_link(file_.id(), "g/a", "b", subject_);
  const auto link = find_link(file_.id(), "b", subject_);
  ASSERT_TRUE(link);
  EXPECT_EQ(open_object(file_.id(), link->address, subject_).n_names, 2u);
  EXPECT_THAT(message_of([&] { create_hard_link(file_.id(), "none", "c", subject_); }),
              testing::StartsWith("shown: object: cannot create a link: "));
}

TEST_F(Groups, OpenObjectsByAddress) {
  const Handle group = create_group(file_.id(), "g", subject_);
  add(group, "a");
  H5Lcreate_hard(group.id(), "a", file_.id(), "second", H5P_DEFAULT, H5P_DEFAULT);
  const auto links = list_links(group.id(), LinkOrder::kByName, 9, subject_);
  const Object object = open_object(file_.id(), links.at(0).address, subject_);
  EXPECT_EQ(object.kind, ObjectKind::kDataset);
  EXPECT_EQ(object.n_names, 2u);
  EXPECT_EQ(object.address, links.at(0).address);
  EXPECT_EQ(open_root(file_.id(), subject_).kind, ObjectKind::kGroup);
  EXPECT_NE(message_of([&] { (void)open_object(file_.id(), 1 << 20, subject_); }), "no error");
}

TEST_F(Groups, ErrorsOfTheSystemAreShort) {
  const std::string message =
      message_of([&] { (void)create_file(dir_ / "none/f", FileKind::kInterchange, subject_); });
  EXPECT_EQ(message, "shown: object: cannot create: No such file or directory");
}

}  // namespace
}  // namespace pqw::h5
