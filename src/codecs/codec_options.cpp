// Options of factors.
#include "pqw/codecs/codec_options.h"

#include "pqw/codecs/weight.h"

namespace pqw {

FactorOptions::FactorOptions() : FactorOptions(PlainOptions{}) {}
FactorOptions::FactorOptions(CodecOptions options)
    : options_(std::make_unique<CodecOptions>(std::move(options))) {}
FactorOptions::FactorOptions(const FactorOptions& other) : FactorOptions(*other) {}
FactorOptions& FactorOptions::operator=(const FactorOptions& other) {
  return *this = FactorOptions(*other);
}
bool FactorOptions::operator==(const FactorOptions& other) const { return **this == *other; }
FactorOptions::FactorOptions(FactorOptions&&) noexcept = default;
FactorOptions& FactorOptions::operator=(FactorOptions&&) noexcept = default;
FactorOptions::~FactorOptions() = default;

}  // namespace pqw
