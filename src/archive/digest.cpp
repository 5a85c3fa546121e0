// SHA-256, by OpenSSL.
#include "archive/digest.h"

#include <openssl/evp.h>

#include <algorithm>

#include "pqw/core/error.h"

namespace pqw::archive {
namespace {

constexpr std::size_t kPartBytes = std::size_t{8} << 20;

void require(bool ok) {
  if (!ok) throw Error(ErrorCode::kIo, "SHA-256 is not available from OpenSSL");
}

}  // namespace

Sha256::Sha256() : context_(EVP_MD_CTX_new(), EVP_MD_CTX_free) {
  require(context_ && EVP_DigestInit_ex(context_.get(), EVP_sha256(), nullptr) == 1);
}

void Sha256::update(std::span<const std::byte> bytes) {
  require(EVP_DigestUpdate(context_.get(), bytes.data(), bytes.size()) == 1);
}

Digest Sha256::finish() {
  Digest digest;
  require(EVP_DigestFinal_ex(context_.get(), reinterpret_cast<unsigned char*>(digest.data()),
                             nullptr) == 1);
  return digest;
}

Digest sha256(std::span<const std::byte> bytes) {
  Sha256 sum;
  sum.update(bytes);
  return sum.finish();
}

Digest sha256(std::span<const std::byte> bytes,
              const std::function<void(std::span<const std::byte>)>& done_with) {
  Sha256 sum;
  while (!bytes.empty()) {
    const auto part = bytes.first(std::min(bytes.size(), kPartBytes));
    sum.update(part);
    done_with(part);
    bytes = bytes.subspan(part.size());
  }
  return sum.finish();
}

std::string to_hex(const Digest& digest) {
  constexpr char kDigits[] = "0123456789abcdef";
  std::string hex;
  for (const std::byte byte : digest) {
    hex += kDigits[std::to_integer<unsigned>(byte) >> 4];
    hex += kDigits[std::to_integer<unsigned>(byte) & 15];
  }
  return hex;
}

}  // namespace pqw::archive
