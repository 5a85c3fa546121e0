// Which codec, and how: the options of any codec.
#pragma once

#include <memory>
#include <variant>

namespace pqw {

// The table of a codec's options (codecs/train/fields.h): names, ranges and help.
template <class Options>
class Fields;

struct LowRankOptions;
struct PlainOptions;
struct PqOptions;
struct TensorizedOptions;
struct Int8Options;

// One line per codec; those that hold factors hold the options of the factors, which are of this
// type again.
using CodecOptions =
    std::variant<PlainOptions, PqOptions, Int8Options, LowRankOptions, TensorizedOptions>;

// Options of factors inside of the options of the codec that has them; a value, plain to begin
// with.
class FactorOptions {
 public:
  FactorOptions();
  FactorOptions(CodecOptions options);
  FactorOptions(const FactorOptions& other);
  FactorOptions& operator=(const FactorOptions& other);
  FactorOptions(FactorOptions&&) noexcept;
  FactorOptions& operator=(FactorOptions&&) noexcept;
  ~FactorOptions();

  CodecOptions& operator*() { return *options_.get(); }
  const CodecOptions& operator*() const { return *options_.get(); }
  bool operator==(const FactorOptions& other) const;

 private:
  std::unique_ptr<CodecOptions> options_;
};

}  // namespace pqw
