// .npy files that break a rule of the format, one kind each.
#include <gtest/gtest.h>

#include "tests/formats/file_testing.h"

namespace pqw {
namespace {

using test::BadFile;
using test::little_endian;

constexpr ErrorCode kFormat = ErrorCode::kFormat;
constexpr ErrorCode kUnsupported = ErrorCode::kUnsupported;

const std::string kMagic = "\x93NUMPY";

std::string version(char major, char minor) { return kMagic + major + minor; }

std::string file_of(const std::string& literal, const std::string& data = "abcd") {
  return version(1, 0) + little_endian({static_cast<std::uint16_t>(literal.size())}) + literal +
         data;
}

// Four bytes of data described by these values.
std::string described(const std::string& descr, const std::string& order,
                      const std::string& shape) {
  return file_of("{'descr': " + descr + ", 'fortran_order': " + order + ", 'shape': " + shape +
                 ", }\n");
}
std::string shaped(const std::string& shape) { return described("'|u1'", "False", shape); }
std::string typed(const std::string& descr) {
  return described("'" + descr + "'", "False", "(1,)");
}

const BadFile kBadFiles[] = {
    {"MagicAlone", kMagic, kFormat, "does not start with"},
    {"Version0", version(0, 0) + "\2", kUnsupported, ".npy version 0.0"},
    {"Version4", version(4, 0) + "\2", kUnsupported,
     ".npy version 4.0, known are 1.0, 2.0 and 3.0"},
    {"MinorVersion", version(1, 1) + "\2", kUnsupported, ".npy version 1.1"},
    {"LengthCutShort", version(1, 0) + "\2", kFormat, "ends inside the .npy header length"},
    {"LengthOfVersion2CutShort", version(2, 0) + "\2\1\1", kFormat,
     "ends inside the .npy header length"},
    {"HeaderLongerThanTheFile", version(1, 0) + std::string("\3\0{}", 4), kFormat,
     ".npy header of 3 bytes, 2 follow its length"},
    {"HeaderOverTheLimit", file_of(std::string(10'001, ' ')), kFormat,
     ".npy header of 10001 bytes, at most 10000"},
    {"HeaderOf4Gigabytes", version(2, 0) + "\xff\xff\xff\xff{}", kFormat,
     ".npy header of 4294967295 bytes"},
    {"HeaderEmpty", file_of(""), kFormat, "found its end at character 0, expected '{'"},
    {"HeaderThatIsNoDict", file_of("['descr']"), kFormat, "found '['descr'' at character 0"},
    {"DictThatDoesNotEnd", file_of("{'descr': '<f4'"), kFormat, "found its end at character 15"},
    {"TextAfterTheDict", file_of("{'descr': '<f4', 'fortran_order': False, 'shape': ()} x"),
     kFormat, "found 'x' at character 54, expected the end"},
    {"NulAfterTheDict",
     file_of(std::string("{'descr': '<f4', 'fortran_order': False, 'shape': ()}\0", 54)), kFormat,
     "expected the end"},
    {"NoCommaBetweenKeys", file_of("{'descr': '<f4' 'shape': ()}"), kFormat, "expected ','"},
    {"StringThatDoesNotEnd", file_of("{'descr"), kFormat, "expected a string that ends"},
    {"StringWithAnEscape", typed("\\x3cf4"), kFormat, "expected a string without escapes"},
    {"KeyWithoutQuotes", file_of("{descr: '<f4'}"), kFormat, "expected a string"},
    {"KeyTwice", file_of("{'descr': '<f4', 'descr': '<f4', 'fortran_order': False, 'shape': ()}"),
     kFormat, "the key 'descr' occurs twice"},
    {"KeyUnknown", file_of("{'order': 'C'}"), kFormat, "unknown key 'order'"},
    {"DescrMissing", file_of("{'fortran_order': False, 'shape': ()}"), kFormat,
     "'descr' is missing"},
    {"OrderMissing", file_of("{'descr': '<f4', 'shape': ()}"), kFormat,
     "'fortran_order' is missing"},
    {"ShapeMissing", file_of("{'descr': '<f4', 'fortran_order': False}"), kFormat,
     "'shape' is missing"},
    {"OrderThatIsANumber", described("'<f4'", "0", "()"), kFormat, "expected True or False"},
    {"OrderInQuotes", described("'<f4'", "'False'", "()"), kFormat, "expected True or False"},
    {"OrderOfALongerWord", described("'<f4'", "Falsehood", "()"), kFormat, "expected ','"},
    {"ShapeThatIsAList", shaped("[4]"), kFormat, "expected '('"},
    {"ShapeThatIsANumberInParentheses", shaped("(4)"), kFormat, "expected ','"},
    {"ShapeOfACommaAlone", shaped("(,)"), kFormat, "expected a whole number"},
    {"DimensionNegative", shaped("(-4,)"), kFormat, "found '-4,), }\\n' at character 51"},
    {"DimensionFractional", shaped("(4.0,)"), kFormat, "found '.0,), }\\n'"},
    {"DimensionWithALeadingZero", shaped("(04,)"), kFormat, "without leading zeros"},
    {"DimensionHexadecimal", shaped("(0x4,)"), kFormat, "expected ','"},
    {"DimensionOver63Bits", shaped("(9223372036854775808,)"), kFormat, "at most 63 bits"},
    {"DimensionOver64Bits", shaped("(18446744073709551620,)"), kFormat, "at most 63 bits"},
    {"ProductThatWrapsToTheSize", shaped("(4294967296, 4294967296, 4)"), kFormat,
     "tensor 'arr_0': shape [4294967296, 4294967296, 4] of U8 is too large: its sizes exceed 63 "
     "bits"},
    {"BytesMissing", shaped("(5,)"), kFormat,
     "tensor 'arr_0': 4 bytes stored, shape [5] of U8 needs 5"},
    {"BytesBeyondTheEnd", shaped("()"), kFormat, "4 bytes stored, shape [] of U8 needs 1"},
    {"StructureThatDoesNotEnd", file_of("{'descr': [('x', '<f4'"), kFormat,
     "expected the end of a type"},
    {"StructureWithANameThatDoesNotEnd", file_of("{'descr': [('x)]"), kFormat,
     "expected a string that ends"},
    {"StructureAndNoShape", file_of("{'descr': [('x', '<f4')], 'fortran_order': False}"), kFormat,
     "'shape' is missing"},
    {"TypeUnknown", typed("<x4"), kFormat, "descr '<x4', expected a type like '<f4'"},
    {"TypeEmpty", typed(""), kFormat, "descr ''"},
    {"TypeOfTheHostsByteOrder", typed("=f4"), kFormat, "descr '=f4'"},
    {"TypeWithoutByteOrder", typed("|f4"), kFormat, "has no byte order"},
    {"ControlCharactersAreEscapedInTheMessage", typed("\x1b[2J"), kFormat, "descr '\\x1b[2J'"},
};

class BadNpy : public testing::TestWithParam<BadFile> {};
TEST_P(BadNpy, IsRefused) { test::expect_refused(GetParam()); }
INSTANTIATE_TEST_SUITE_P(, BadNpy, testing::ValuesIn(kBadFiles), test::kind_of);

}  // namespace
}  // namespace pqw
