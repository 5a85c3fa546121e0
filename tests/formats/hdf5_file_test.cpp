#include <hdf5.h>

#include <algorithm>
#include <functional>

#include "formats/formats.h"
#include "formats/hdf5_walk.h"
#include "h5/file.h"
#include "h5/handle.h"
#include "tests/formats/file_testing.h"

namespace pqw {
namespace {

using test::content;
using test::counting;
using test::little_endian;
using test::read_all;
using test::skipped_in;
using test::Tensor;
using test::write_all;
using testing::ElementsAre;
using testing::HasSubstr;

std::vector<std::string> names_of(const WeightReader& reader) {
  std::vector<std::string> names;
  for (const TensorInfo& info : reader.tensors()) names.push_back(info.name);
  return names;
}

class Hdf5File : public testing::Test {
 protected:
  // A file with what `fill` puts into it.
  void make(const std::function<void(hid_t)>& fill) {
    h5::initialize();
    const hid_t file = H5Fcreate(path_.c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
    ASSERT_GE(file, 0);
    fill(file);
    ASSERT_GE(H5Fclose(file), 0);
  }

  void change(const std::function<void(hid_t)>& edit) {
    const hid_t file = H5Fopen(path_.c_str(), H5F_ACC_RDWR, H5P_DEFAULT);
    ASSERT_GE(file, 0);
    edit(file);
    ASSERT_GE(H5Fclose(file), 0);
  }

  // A file with one dataset 'w' of floats made with these properties; `chunk` 0 is contiguous.
  void make_dataset(hsize_t count, hsize_t chunk, const std::function<void(hid_t)>& set = {}) {
    make([&](hid_t file) {
      const hid_t list = H5Pcreate(H5P_DATASET_CREATE);
      if (chunk > 0) H5Pset_chunk(list, 1, &chunk);
      if (set) set(list);
      const hsize_t unlimited = H5S_UNLIMITED;
      const hid_t space = H5Screate_simple(1, &count, chunk > 0 ? &unlimited : nullptr);
      const hid_t dataset =
          H5Dcreate2(file, "w", H5T_IEEE_F32LE, space, H5P_DEFAULT, list, H5P_DEFAULT);
      EXPECT_GE(dataset, 0);
      H5Dclose(dataset);
      H5Sclose(space);
      H5Pclose(list);
    });
  }

  void expect_error(ErrorCode code, const std::string& message) {
    const auto error = test::error_of_reading(path_);
    ASSERT_TRUE(error) << "was accepted";
    EXPECT_EQ(error->code(), code) << error->what();
    EXPECT_THAT(error->what(), HasSubstr(message));
  }

  void expect_not_written(const std::vector<Tensor>& tensors, const Metadata& metadata,
                          const std::string& message) {
    try {
      write_all(path_, tensors, metadata);
      FAIL() << "was written";
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::kUnsupported) << error.what();
      EXPECT_THAT(error.what(), HasSubstr(message));
    }
    EXPECT_TRUE(std::filesystem::is_empty(dir_.path()));
  }

  const test::TempDir dir_;
  const std::string path_ = dir_ / "file.h5";
};

TEST_F(Hdf5File, GivesEveryElementTypeAndShapeBack) {
  std::vector<Tensor> tensors;
  for (const DType dtype : test::kAllDtypes) {
    for (const Shape& shape : {Shape{}, Shape{0}, Shape{3}, Shape{2, 0, 4}, Shape{5, 3, 2}}) {
      tensors.push_back(counting(std::string(to_string(dtype)) + to_string(shape), dtype, shape));
    }
  }
  tensors.push_back(counting("of rank 32", DType::kF32, Shape(32, 1)));
  std::ranges::sort(tensors, {}, [](const Tensor& tensor) { return tensor.info.name; });
  write_all(path_, tensors);
  EXPECT_EQ(read_all(path_), tensors);
}

TEST_F(Hdf5File, NestsGroupsAtSlashes) {
  const std::vector<Tensor> tensors = {
      counting("a/b/c", DType::kF32, {2}), counting("a/b/d", DType::kF32, {3}),
      counting("a/e", DType::kI32, {1}), counting("f", DType::kF32, {})};
  write_all(path_, tensors);
  EXPECT_EQ(read_all(path_), tensors);
  EXPECT_GT(H5Fis_hdf5(path_.c_str()), 0);
}

TEST_F(Hdf5File, WritesInTheOrderGivenAndReadsInTheOrderOfNames) {
  write_all(path_, {counting("b", DType::kU8, {1}), counting("a", DType::kU8, {2})});
  EXPECT_THAT(names_of(*open_weights(path_)), ElementsAre("a", "b"));
}

TEST_F(Hdf5File, CarriesMetadata) {
  const Metadata metadata = {
      {"format", "pt"}, {"empty", ""}, {"text", "\xc3\xa4\n"}, {"long", std::string(59000, 'm')}};
  write_all(path_, {counting("a", DType::kU8, {1})}, metadata);
  EXPECT_EQ(open_weights(path_)->metadata(), metadata);
}

TEST_F(Hdf5File, EqualCallsGiveEqualBytes) {
  for (const char* name : {"1.h5", "2.h5"}) {
    write_all(dir_ / name, {counting("a/b", DType::kF32, {5000}), counting("c", DType::kBool, {3})},
              {{"key", "value"}});
  }
  EXPECT_EQ(content(dir_ / "1.h5"), content(dir_ / "2.h5"));
}

TEST_F(Hdf5File, WithoutCommitLeavesNothing) {
  create_hdf5(path_, {{"a", DType::kU8, {1}}}, {}, {})->add(test::bytes_of("x"));
  EXPECT_TRUE(std::filesystem::is_empty(dir_.path()));
}

TEST_F(Hdf5File, ReplacesOnlyWhenAsked) {
  write_all(path_, {counting("a", DType::kU8, {1})});
  const std::string before = content(path_);
  try {
    create_hdf5(path_, {}, {}, {});
    FAIL() << "was replaced";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kExists);
  }
  EXPECT_EQ(content(path_), before);
  create_hdf5(path_, {}, {}, {.overwrite = true})->commit();
  EXPECT_TRUE(read_all(path_).empty());
}

TEST_F(Hdf5File, RefusesNamesThatHdf5CannotHold) {
  using namespace std::string_literals;
  for (const std::string& name : {""s, "/"s, "/a"s, "a/"s, "a//b"s, "."s, "a/./b"s, "a\0b"s}) {
    expect_not_written({counting(name, DType::kU8, {1})}, {}, "HDF5 cannot hold this name");
  }
  const Tensor a = counting("a", DType::kU8, {1});
  const Tensor below = counting("a/b/c", DType::kU8, {1});
  expect_not_written({a, below}, {}, "tensor 'a/b/c': lies below tensor 'a'");
  expect_not_written({below, a}, {}, "tensor 'a/b/c': lies below tensor 'a'");
  expect_not_written({counting("a", DType::kU8, Shape(33, 1))}, {}, "33 dimensions");
}

TEST_F(Hdf5File, RefusesMetadataThatHdf5CannotHold) {
  using namespace std::string_literals;
  expect_not_written({}, {{"", "x"}}, "metadata ''");
  expect_not_written({}, {{"key", "a\0b"s}}, "metadata 'key'");
  expect_not_written({}, {{"key", "\xff"}}, "metadata 'key'");
  expect_not_written({}, {{std::string(60001, 'k'), "x"}}, "60001 bytes, HDF5 holds about 60000");
  const std::string list = "[\"" + std::string(60000, 'x') + "\"]";
  expect_not_written({}, {{"hdf5:@key[]", list}}, "60003 bytes, HDF5 holds about 60000");
}

// Written by h5py 3.7: chunks with gzip, shuffle and fletcher32, both byte orders, bool, and much
// that is no tensor.
TEST_F(Hdf5File, ReadsWhatH5pyWrites) {
  const std::string path = PQW_FORMATS_DATA "/h5py.h5";
  std::string counted;
  for (int i = 0; i < 24; ++i) counted += little_endian<float>({static_cast<float>(i)});
  EXPECT_THAT(
      read_all(path),
      ElementsAre(
          Tensor{{"big_endian", DType::kF32, {2}}, little_endian<float>({1.5f, -2.0f})},
          Tensor{{"big_endian_half", DType::kF16, {2}},
                 little_endian<std::uint16_t>({0x3e00, 0xc000})},
          Tensor{{"chunked", DType::kF32, {4, 6}}, counted},
          Tensor{{"layer/bias", DType::kF64, {2}}, little_endian<double>({1.0, -1.0})},
          Tensor{{"layer/empty", DType::kF32, {0, 3}}, ""},
          Tensor{{"layer/half", DType::kF16, {2}}, little_endian<std::uint16_t>({0x3800, 0x7bff})},
          Tensor{{"layer/mask", DType::kBool, {3}}, std::string("\1\0\1", 3)},
          Tensor{{"layer/steps", DType::kI64, {}}, little_endian<std::int64_t>({7})},
          Tensor{{"soft", DType::kF32, {4, 6}}, counted},
          Tensor{{"tied", DType::kF64, {2}}, little_endian<double>({1.0, -1.0})}));
}

TEST_F(Hdf5File, ListsWhatIsNoTensor) {
  const auto reader = open_weights(PQW_FORMATS_DATA "/h5py.h5");
  EXPECT_THAT(skipped_in(*reader),
              ElementsAre("LOST 'complex' holds complex numbers of 8 bytes",
                          "LOST 'external' is a link to another file, which is not followed",
                          "'layer/root' leads back to group '/', which contains it",
                          "'nothing' holds no data", "LOST 'pairs' holds structures with F32",
                          "'text' holds text"));
  EXPECT_EQ(reader->metadata(), (Metadata{{"author", "somebody"}, {"vlen", "left out"}}));
}

TEST_F(Hdf5File, CyclesOfGroupsEnd) {
  make([](hid_t file) {
    H5Gclose(H5Gcreate2(file, "a", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT));
    H5Lcreate_hard(file, "a", file, "a/again", H5P_DEFAULT, H5P_DEFAULT);
  });
  EXPECT_THAT(skipped_in(*open_weights(path_)),
              ElementsAre("'a/again' leads back to group '/a', which contains it"));
}

TEST_F(Hdf5File, EveryNameOfADatasetIsATensor) {
  write_all(path_, {counting("a/w", DType::kF32, {2}), counting("b", DType::kU8, {3})});
  change([](hid_t file) {
    H5Lcreate_hard(file, "a/w", file, "hard", H5P_DEFAULT, H5P_DEFAULT);
    H5Lcreate_hard(file, "a", file, "group", H5P_DEFAULT, H5P_DEFAULT);
    H5Lcreate_soft("/a/w", file, "soft", H5P_DEFAULT, H5P_DEFAULT);
    H5Lcreate_soft("../b", file, "a/up", H5P_DEFAULT, H5P_DEFAULT);
    H5Lcreate_soft("./w", file, "a/beside", H5P_DEFAULT, H5P_DEFAULT);
    H5Lcreate_soft("group//.//up2", file, "chain", H5P_DEFAULT, H5P_DEFAULT);
    H5Lcreate_soft("/b", file, "a/up2", H5P_DEFAULT, H5P_DEFAULT);
  });
  const std::string w = counting("", DType::kF32, {2}).bytes;
  const auto named = [&](const char* name) { return Tensor{{name, DType::kF32, {2}}, w}; };
  const auto byte = [&](const char* name) { return Tensor{{name, DType::kU8, {3}}, "\1\2\3"}; };
  EXPECT_THAT(read_all(path_),
              ElementsAre(named("a/beside"), byte("a/up2"), named("a/w"), byte("b"), byte("chain"),
                          named("group/beside"), byte("group/up2"), named("group/w"), named("hard"),
                          named("soft")));
  // ".." is a name like others in HDF5.
  EXPECT_THAT(skipped_in(*open_weights(path_)),
              ElementsAre("'a/up' is a soft link to '../b', which does not exist",
                          "'group/up' is a soft link to '../b', which does not exist"));
}

TEST_F(Hdf5File, SoftLinksThatLeadNowhereAreNamed) {
  write_all(path_, {counting("w", DType::kU8, {1})});
  change([](hid_t file) {
    H5Lcreate_soft("none", file, "dangling", H5P_DEFAULT, H5P_DEFAULT);
    H5Lcreate_soft("w/below", file, "below", H5P_DEFAULT, H5P_DEFAULT);
    H5Lcreate_soft("circle2", file, "circle1", H5P_DEFAULT, H5P_DEFAULT);
    H5Lcreate_soft("circle1", file, "circle2", H5P_DEFAULT, H5P_DEFAULT);
    H5Lcreate_soft("/", file, "root", H5P_DEFAULT, H5P_DEFAULT);
    H5Lcreate_external("other.h5", "/x", file, "outside", H5P_DEFAULT, H5P_DEFAULT);
    H5Lcreate_soft("outside/y", file, "through", H5P_DEFAULT, H5P_DEFAULT);
  });
  const auto reader = open_weights(path_);
  EXPECT_THAT(names_of(*reader), ElementsAre("w"));
  EXPECT_THAT(
      skipped_in(*reader),
      ElementsAre(
          "'below' is a soft link to 'w/below', which does not exist",
          "'circle1' is a soft link to 'circle2', which leads through more than 16 other links",
          "'circle2' is a soft link to 'circle1', which leads through more than 16 other links",
          "'dangling' is a soft link to 'none', which does not exist",
          "LOST 'outside' is a link to another file, which is not followed",
          "'root' leads back to group '/', which contains it",
          "LOST 'through' is a soft link to 'outside/y', which leads through a link that is "
          "not followed"));
}

TEST_F(Hdf5File, ASoftLinkMayLeadOverFifteenOthers) {
  write_all(path_, {counting("link0", DType::kU8, {1})});
  change([](hid_t file) {
    for (int i = 1; i <= 17; ++i) {
      H5Lcreate_soft(("link" + std::to_string(i - 1)).c_str(), file,
                     ("link" + std::to_string(i)).c_str(), H5P_DEFAULT, H5P_DEFAULT);
    }
  });
  EXPECT_EQ(names_of(*open_weights(path_)).size(), 17u);
  EXPECT_THAT(skipped_in(*open_weights(path_)), ElementsAre(HasSubstr("'link17'")));
}

// Each group holds the next one twice: 2^30 names in a file of 30 groups.
TEST_F(Hdf5File, NamesThatMultiplyAreRefused) {
  make([](hid_t file) {
    std::string name = "g";
    for (int i = 0; i < 30; ++i, name += "/g") {
      H5Gclose(H5Gcreate2(file, name.c_str(), H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT));
      H5Lcreate_hard(file, name.c_str(), file, (name + "2").c_str(), H5P_DEFAULT, H5P_DEFAULT);
    }
  });
  expect_error(ErrorCode::kUnsupported, "more than 16384 groups have a second name");
}

// 1025 names of a group of 1024 links.
TEST_F(Hdf5File, LinksBeyondAMillionAreRefused) {
  make([](hid_t file) {
    H5Gclose(H5Gcreate2(file, "g", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT));
    for (int i = 0; i < 1024; ++i) {
      H5Lcreate_hard(file, "/", file, ("g/" + std::to_string(i)).c_str(), H5P_DEFAULT, H5P_DEFAULT);
      H5Lcreate_hard(file, "g", file, std::to_string(i).c_str(), H5P_DEFAULT, H5P_DEFAULT);
    }
  });
  expect_error(ErrorCode::kUnsupported, "more than 1048576 links or ");
}

// 4 MiB that are on disk, under 302 names: more than 200 times the file, but not unlikely.
TEST_F(Hdf5File, DataMayHaveManyNames) {
  make_dataset(hsize_t{1} << 20, 0,
               [](hid_t list) { H5Pset_alloc_time(list, H5D_ALLOC_TIME_EARLY); });
  ASSERT_GE(std::filesystem::file_size(path_), std::size_t{4} << 20);
  change([](hid_t file) {
    for (int i = 0; i <= 300; ++i) {
      H5Lcreate_hard(file, "w", file, ("v" + std::to_string(i)).c_str(), H5P_DEFAULT, H5P_DEFAULT);
    }
  });
  for (const bool trusted : {false, true}) {
    const auto reader = open_weights(path_, {.trusted = trusted});
    ASSERT_EQ(reader->tensors().size(), 302u);
    for (std::size_t i = 0; i < 302; ++i) EXPECT_EQ(reader->stored_as(i), 0u);
  }
}

TEST_F(Hdf5File, TheFirstNameOfEachDatasetIsWhereItIsStored) {
  make_dataset(4, 0);
  change([](hid_t file) {
    const hid_t w = H5Dopen2(file, "w", H5P_DEFAULT);
    const hid_t space = H5Dget_space(w);
    H5Dclose(H5Dcreate2(file, "b", H5T_IEEE_F32LE, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT));
    H5Sclose(space);
    H5Dclose(w);
    H5Lcreate_hard(file, "w", file, "a", H5P_DEFAULT, H5P_DEFAULT);
    H5Lcreate_soft("b", file, "c", H5P_DEFAULT, H5P_DEFAULT);
  });
  for (const bool trusted : {false, true}) {
    const auto reader = open_weights(path_, {.trusted = trusted});
    std::vector<std::size_t> stored;
    for (std::size_t i = 0; i < reader->tensors().size(); ++i) {
      stored.push_back(reader->stored_as(i));
    }
    EXPECT_THAT(names_of(*reader), ElementsAre("a", "b", "c", "w"));
    EXPECT_THAT(stored, ElementsAre(0, 1, 1, 0));
  }
}

// 60 names of 4 MiB that take nothing in a small file: the 64 MiB that are free are soon taken.
TEST_F(Hdf5File, SecondNamesOfDataThatTakesNoSpaceAreRefused) {
  make_dataset(hsize_t{1} << 20, 1 << 16);
  change([](hid_t file) {
    for (int i = 0; i < 60; ++i) {
      H5Lcreate_hard(file, "w", file, ("v" + std::to_string(i)).c_str(), H5P_DEFAULT, H5P_DEFAULT);
    }
  });
  expect_error(ErrorCode::kFormat,
               "its 4194304 bytes are too many: all second names of tensors of a file of ");
}

TEST_F(Hdf5File, ReadsBfloat16WithoutATypeAndFloatsUnderAnotherName) {
  make([](hid_t file) {
    const hsize_t count = 2;
    const hid_t space = H5Screate_simple(1, &count, nullptr);
    const auto add = [&](const char* name, hid_t type, const void* data) {
      const hid_t id = H5Dcreate2(file, name, type, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
      EXPECT_GE(H5Dwrite(id, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, data), 0);
      H5Dclose(id);
      H5Tclose(type);
    };
    add("keras", H5Tcreate(H5T_OPAQUE, 2), "\x80\x3f\x00\xc0");  // 1 and -2
    const hid_t padded = H5Tcopy(H5T_IEEE_F32BE);
    H5Tset_pad(padded, H5T_PAD_ONE, H5T_PAD_ONE);
    add("padded", padded, "\x3f\x80\0\0\xc0\0\0\0");
    H5Sclose(space);
  });
  EXPECT_THAT(read_all(path_),
              ElementsAre(Tensor{{"keras", DType::kBF16, {2}},
                                 little_endian<std::uint16_t>({0x3f80, 0xc000})},
                          Tensor{{"padded", DType::kF32, {2}}, little_endian<float>({1, -2})}));
  EXPECT_TRUE(open_weights(path_)->skipped().empty());
}

TEST_F(Hdf5File, ATensorCanBeWrittenAsANameOfAnother) {
  const Tensor w = counting("a/w", DType::kF32, {2});
  const auto writer =
      create_weights(path_, {w.info, {"b/tied", DType::kF32, {2}}, {"c", DType::kF32, {3}}}, {});
  EXPECT_THROW(writer->add_name_of(0), Error) << "nothing was added";
  writer->add(test::bytes_of(w.bytes));
  EXPECT_TRUE(writer->add_name_of(0));
  EXPECT_THROW(writer->add_name_of(0), Error) << "another shape";
  writer->add(test::bytes_of(std::string(12, 'c')));
  EXPECT_THROW(writer->add_name_of(0), Error) << "all were added";
  writer->commit();
  EXPECT_THAT(read_all(path_), ElementsAre(w, Tensor{{"b/tied", DType::kF32, {2}}, w.bytes},
                                           Tensor{{"c", DType::kF32, {3}}, std::string(12, 'c')}));
  const hid_t file = H5Fopen(path_.c_str(), H5F_ACC_RDONLY, H5P_DEFAULT);
  H5O_info_t info;
  H5Oget_info_by_name2(file, "b/tied", &info, H5O_INFO_BASIC, H5P_DEFAULT);
  EXPECT_EQ(info.rc, 2u);
  H5Fclose(file);
}

TEST_F(Hdf5File, DeepGroupsAreRefused) {
  const auto nested = [&](int depth) {
    make([&](hid_t file) {
      std::string name = "g";
      for (int i = 0; i < depth; ++i, name += "/g") {
        H5Gclose(H5Gcreate2(file, name.c_str(), H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT));
      }
    });
  };
  nested(64);
  EXPECT_NO_THROW(open_weights(path_));
  nested(65);
  expect_error(ErrorCode::kUnsupported, "deeper than 64 groups");
}

TEST_F(Hdf5File, LinksOfAllGroupsAreCounted) {
  make([](hid_t file) {
    for (const char* group : {"a", "a/b", "c", "c/d", "e"}) {
      H5Gclose(H5Gcreate2(file, group, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT));
    }
  });
  const InputFile input(path_);
  const h5::Handle file = h5::open_file(input, {path_, ErrorCode::kFormat});
  EXPECT_EQ(walk_hdf5(file.id(), input.size(), path_, 5).tensors.size(), 0u);
  for (const std::size_t most : {4u, 2u, 0u}) {
    EXPECT_THROW(walk_hdf5(file.id(), input.size(), path_, most), Error) << most;
  }
}

// The lock that HDF5 takes on what it writes, seen by the process that reads the file as well.
TEST_F(Hdf5File, AFileThatIsBeingWrittenIsRefused) {
  make_dataset(2, 0);
  const hid_t writer = H5Fopen(path_.c_str(), H5F_ACC_RDWR, H5P_DEFAULT);
  ASSERT_GE(writer, 0);
  for (const bool trusted : {false, true}) {
    try {
      (void)open_weights(path_, {.trusted = trusted});
      ADD_FAILURE() << "was opened, trusted: " << trusted;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::kIo);
      EXPECT_EQ(error.what(), path_ + ": another program is writing it");
    }
  }
  H5Fclose(writer);
  for (const bool trusted : {false, true}) {
    EXPECT_EQ(open_weights(path_, {.trusted = trusted})->tensors().size(), 1u);
  }
}

TEST_F(Hdf5File, DataElsewhereIsRefused) {
  make_dataset(2, 0, [](hid_t list) { H5Pset_external(list, "/etc/hostname", 0, 8); });
  expect_error(ErrorCode::kUnsupported, "tensor 'w': its data is in other files");
  make_dataset(2, 0, [](hid_t list) {
    const hsize_t count = 2;
    const hid_t space = H5Screate_simple(1, &count, nullptr);
    H5Pset_virtual(list, space, "other.h5", "x", space);
    H5Sclose(space);
  });
  expect_error(ErrorCode::kUnsupported, "tensor 'w': its data is in other files");
}

TEST_F(Hdf5File, OtherFiltersAreRefusedByName) {
  const std::pair<int, std::string> filters[] = {
      {4, "szip (4), expected deflate, shuffle or fletcher32; h5repack -f GZIP=4 IN OUT"},
      {5, "nbit (5), expected deflate, shuffle or fletcher32; h5repack -f GZIP=4 IN OUT"},
      {6, "scaleoffset (6), "},
      {32000,
       "lzf (32000), expected deflate, shuffle or fletcher32; this repacks it: python3 "
       "-c \"import h5py; i="},
      {32001,
       "blosc (32001), expected deflate, shuffle or fletcher32; this repacks it: python3 "
       "-c \"import hdf5plugin, h5py; i="},
      {32004, "lz4 (32004), "},
      {32008, "bitshuffle (32008), "},
      {32015, "zstd (32015), "},
      {31999, "31999, expected deflate, shuffle or fletcher32"}};
  for (const auto& [number, name] : filters) {
    make_dataset(2, 2, [number = number](hid_t list) {
      const herr_t status = number == 4   ? H5Pset_szip(list, H5_SZIP_NN_OPTION_MASK, 2)
                            : number == 5 ? H5Pset_nbit(list)
                            : number == 6
                                ? H5Pset_scaleoffset(list, H5Z_SO_FLOAT_DSCALE, 2)
                                : H5Pset_filter(list, number, H5Z_FLAG_OPTIONAL, 0, nullptr);
      ASSERT_GE(status, 0);
    });
    expect_error(ErrorCode::kUnsupported, "tensor 'w': packed with HDF5 filter " + name);
  }
}

TEST_F(Hdf5File, ExpansionIsBounded) {
  constexpr hsize_t kTebi = hsize_t{1} << 40;
  for (const hsize_t chunk : {0, 1024}) {
    make_dataset(kTebi, chunk);
    expect_error(ErrorCode::kFormat, "0 bytes stored unpack to 4398046511104 in chunks of ");
  }
  make_dataset(2, hsize_t{1} << 29);
  expect_error(ErrorCode::kFormat, "0 bytes stored unpack to 8 in chunks of 2147483648");
}

// 200 times the file and 64 MiB, to the last byte.
TEST_F(Hdf5File, ExpansionIsBoundedByTheSizeOfTheFile) {
  make_dataset(2, 0);
  const std::uintmax_t file_bytes = std::filesystem::file_size(path_);
  const hsize_t most = (200 * file_bytes + (64u << 20)) / sizeof(float);
  make_dataset(most, 0);
  ASSERT_EQ(std::filesystem::file_size(path_), file_bytes);
  EXPECT_EQ(open_weights(path_)->tensors().size(), 1u);
  make_dataset(most + 1, 0);
  ASSERT_EQ(std::filesystem::file_size(path_), file_bytes);
  EXPECT_THROW(open_weights(path_), Error);
}

TEST_F(Hdf5File, WhatWasNeverWrittenIsZero) {
  for (const hsize_t chunk : {0, 1024}) {
    make_dataset(3, chunk);
    EXPECT_THAT(read_all(path_),
                ElementsAre(Tensor{{"w", DType::kF32, {3}}, std::string(12, '\0')}));
  }
}

TEST_F(Hdf5File, TruncatedIsRefused) {
  write_all(path_, {counting("a/b", DType::kF32, {100}), counting("c", DType::kF32, {100})});
  const std::string whole = content(path_);
  for (std::size_t length = 8; length < whole.size(); length += 11) {
    test::set_content(path_, whole.substr(0, length));
    const auto error = test::error_of_reading(path_);
    ASSERT_TRUE(error) << length;
    ASSERT_EQ(error->code(), ErrorCode::kFormat) << error->what();
  }
}

}  // namespace
}  // namespace pqw
