// Fuzz target: records of compressed tensors, as an archive gives them to the codecs.
#include "codecs/alias.h"
#include "codecs/carried.h"
#include "codecs/cast.h"
#include "isolate/wire.h"
#include "pqw/codecs/weight.h"
#include "pqw/core/convert.h"
#include "tests/fuzz/target.h"

namespace {

constexpr std::size_t kMaxLevels = 4;
constexpr std::size_t kMaxFloats = std::size_t{1} << 20;

// What was accepted can be used. Large ones only take time.
void decode_all(const pqw::Weight& weight) {
  const pqw::MatrixShape matrix = pqw::head_of(weight).matrix();
  if (matrix.rows > kMaxFloats || matrix.cols > kMaxFloats) return;
  if (matrix.rows * matrix.cols > kMaxFloats) return;
  std::vector<float> values(matrix.rows * matrix.cols);
  pqw::decode_rows(weight, 0, {values.data(), matrix.rows, matrix.cols});
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  pqw::fuzz::expect_result_or_error([&] {
    pqw::WireReader in(std::as_bytes(std::span(data, size)), pqw::Subject{});
    const pqw::Record record = in.record(kMaxLevels);
    if (record.codec == pqw::kAliasCodec) {
      (void)pqw::alias_target(record);
      (void)pqw::info_from({record.info, record.options});
    } else if (record.codec == pqw::kCarriedCodec) {
      const pqw::TensorInfo info = pqw::info_from({record.info, record.options});
      pqw::fuzz::require(pqw::carried_bytes(record).size() == byte_count(info));
    } else if (record.codec == pqw::kCastCodec) {
      pqw::fuzz::require(pqw::cast_bytes(record).size() == byte_count(record.info));
    } else {
      decode_all(pqw::weight_from_record(record));
    }
  });
  return 0;
}
