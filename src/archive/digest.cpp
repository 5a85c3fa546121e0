// SHA-256, by OpenSSL.
#include "archive/digest.h"

#include <openssl/evp.h>

#include <algorithm>
#include <array>
#include <memory>

#include "pqw/core/error.h"

namespace pqw::archive {
namespace {

constexpr std::size_t kPartBytes = std::size_t{8} << 20;

void require(bool ok) {
  if (!ok) throw Error(ErrorCode::kIo, "SHA-256 is not available from OpenSSL");
}

}  // namespace

std::string sha256_hex(std::span<const std::byte> bytes,
                       const std::function<void(std::span<const std::byte>)>& done_with) {
  const std::unique_ptr<EVP_MD_CTX, void (*)(EVP_MD_CTX*)> context(EVP_MD_CTX_new(),
                                                                   EVP_MD_CTX_free);
  require(context && EVP_DigestInit_ex(context.get(), EVP_sha256(), nullptr) == 1);
  while (!bytes.empty()) {
    const auto part = bytes.first(std::min(bytes.size(), kPartBytes));
    require(EVP_DigestUpdate(context.get(), part.data(), part.size()) == 1);
    done_with(part);
    bytes = bytes.subspan(part.size());
  }
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest;
  unsigned n_bytes = 0;
  require(EVP_DigestFinal_ex(context.get(), digest.data(), &n_bytes) == 1);
  std::string hex;
  for (unsigned i = 0; i < n_bytes; ++i) {
    constexpr char kDigits[] = "0123456789abcdef";
    hex += kDigits[digest[i] >> 4];
    hex += kDigits[digest[i] & 15];
  }
  return hex;
}

}  // namespace pqw::archive
