// SHA-256, by OpenSSL.
#include "archive/digest.h"

#include <fmt/format.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>

#include <algorithm>
#include <vector>

#include "pqw/core/error.h"

namespace pqw::archive {
namespace {

constexpr std::size_t kPartBytes = std::size_t{1} << 20;

void require(bool ok) {
  if (!ok)
    throw Error(ErrorCode::kIo, "cannot compute SHA-256: OpenSSL lacks it, or memory is short");
}

// In a library context of its own: OpenSSL crashes where it misses memory for the shared one.
EVP_MD* fetch() {
  OSSL_LIB_CTX* const library = OSSL_LIB_CTX_new();
  EVP_MD* const algorithm = library == nullptr ? nullptr : EVP_MD_fetch(library, "SHA256", nullptr);
  if (algorithm == nullptr) OSSL_LIB_CTX_free(library);
  require(algorithm != nullptr);
  return algorithm;
}

// Never freed: digests may be made until the process ends.
const EVP_MD* algorithm() {
  static const EVP_MD* const fetched = fetch();
  return fetched;
}

}  // namespace

Sha256::Sha256() : context_(EVP_MD_CTX_new(), EVP_MD_CTX_free) {
  require(context_ && EVP_DigestInit_ex(context_.get(), algorithm(), nullptr) == 1);
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

Digest sha256_from(const InputFile& file, std::uint64_t offset) {
  Sha256 sum;
  std::vector<std::byte> part(kPartBytes);
  for (std::uint64_t at = offset; at < file.size(); at += part.size()) {
    part.resize(std::min<std::uint64_t>(kPartBytes, file.size() - at));
    file.read_at(at, part);
    sum.update(part);
  }
  return sum.finish();
}

std::string to_hex(const Digest& digest) {
  std::string hex;
  for (const std::byte byte : digest) hex += fmt::format("{:02x}", std::to_integer<int>(byte));
  return hex;
}

void require_digest(std::span<const std::byte> bytes, const Digest& expected,
                    const Subject& subject) {
  const Digest found = sha256(bytes);
  if (found == expected) return;
  throw subject.error("its bytes have the SHA-256 {}, the archive says {}", to_hex(found),
                      to_hex(expected));
}

}  // namespace pqw::archive
