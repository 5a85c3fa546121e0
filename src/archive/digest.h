// SHA-256.
#pragma once

#include <array>
#include <cstddef>
#include <functional>
#include <memory>
#include <span>
#include <string>

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

// As above. `done_with` is called with each part that was read, so that the caller can let go of
// the memory.
Digest sha256(std::span<const std::byte> bytes,
              const std::function<void(std::span<const std::byte>)>& done_with);

// 64 lower-case hexadecimal digits.
std::string to_hex(const Digest& digest);

}  // namespace pqw::archive
