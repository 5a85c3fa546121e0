// SHA-256.
#pragma once

#include <cstddef>
#include <functional>
#include <span>
#include <string>

namespace pqw::archive {

// As 64 lower-case hexadecimal digits. `done_with` is called with each part that was read, so that
// the caller can let go of the memory. Errors: kIo.
std::string sha256_hex(std::span<const std::byte> bytes,
                       const std::function<void(std::span<const std::byte>)>& done_with);

}  // namespace pqw::archive
