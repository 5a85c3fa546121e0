// SHA-256.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "core/subject.h"
#include "io/input_file.h"

struct evp_md_ctx_st;

namespace pqw::archive {

using Digest = std::array<std::byte, 32>;

// The digest of bytes that come in parts. Errors: kIo.
class Sha256 {
 public:
  Sha256();

  void update(std::span<const std::byte> bytes);

  // REQUIRES: nothing is added afterwards.
  Digest finish();

 private:
  std::unique_ptr<evp_md_ctx_st, void (*)(evp_md_ctx_st*)> context_;
};

Digest sha256(std::span<const std::byte> bytes);

// The digest of the bytes of a file from that offset to its end, read a piece at a time.
Digest sha256_from(const InputFile& file, std::uint64_t offset);

// 64 lower-case hexadecimal digits.
std::string to_hex(const Digest& digest);

// Throws an error of the subject unless the bytes have that digest.
void require_digest(std::span<const std::byte> bytes, const Digest& expected,
                    const Subject& subject);

}  // namespace pqw::archive
