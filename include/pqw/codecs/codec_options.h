// Options of factors, which may be those of any codec.
#pragma once

#include <memory>

#include "pqw/codecs/codec_fwd.h"

namespace pqw {

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

  CodecOptions& operator*() { return *options_; }
  const CodecOptions& operator*() const { return *options_; }
  bool operator==(const FactorOptions& other) const;

 private:
  std::unique_ptr<CodecOptions> options_;
};

}  // namespace pqw
