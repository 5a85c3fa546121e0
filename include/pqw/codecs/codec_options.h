// Options of factors. A factor may have any codec.
#pragma once

#include <memory>

#include "pqw/codecs/codec_fwd.h"

namespace pqw {

// Options of factors, held by the options of the codec that has the factors. Behaves as a value;
// plain by default.
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
