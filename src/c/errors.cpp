// Turns exceptions into codes and messages: none of them leaves a function of the C API.
#include "c/errors.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <new>
#include <utility>

#include "core/subject.h"
#include "pqw/core/error.h"

namespace pqw::c {
namespace {

constexpr std::array kStatuses{
    std::pair{ErrorCode::kInvalidArgument, PQW_INVALID_ARGUMENT},
    std::pair{ErrorCode::kNotFound, PQW_NOT_FOUND},
    std::pair{ErrorCode::kExists, PQW_EXISTS},
    std::pair{ErrorCode::kIo, PQW_IO},
    std::pair{ErrorCode::kBusy, PQW_BUSY},
    std::pair{ErrorCode::kUnsynced, PQW_UNSYNCED},
    std::pair{ErrorCode::kFormat, PQW_FORMAT},
    std::pair{ErrorCode::kCorrupt, PQW_CORRUPT},
    std::pair{ErrorCode::kUnsupported, PQW_UNSUPPORTED},
    std::pair{ErrorCode::kNonFinite, PQW_NON_FINITE},
    std::pair{ErrorCode::kNotCarried, PQW_NOT_CARRIED},
};
static_assert(std::ranges::all_of(kStatuses, [](const auto& pair) {
  return static_cast<int>(pair.first) + 1 == static_cast<int>(pair.second);
}));
static_assert(static_cast<std::size_t>(ErrorCode::kNotCarried) + 1 == kStatuses.size());

// Of fixed size, as memory may be missing, and without a destructor that could run too early.
thread_local std::array<char, 4096> last_message;

bool continues_character(char byte) { return (static_cast<unsigned char>(byte) & 0xc0u) == 0x80u; }

}  // namespace

pqw_status fail(pqw_status status, const char* message) noexcept {
  std::size_t n = std::min(std::strlen(message), last_message.size() - 1);
  while (n > 0 && continues_character(message[n])) --n;  // cut between characters
  std::memmove(last_message.data(), message, n);
  last_message[n] = 0;
  return status;
}

pqw_status failure_of_exception() noexcept {
  try {
    throw;
  } catch (const Error& error) {
    return fail(kStatuses[static_cast<std::size_t>(error.code())].second, error.what());
  } catch (const Cancelled&) {
    return fail(PQW_CANCELLED, "cancelled by the progress function");
  } catch (const std::bad_alloc&) {
    return fail(PQW_OUT_OF_MEMORY, "not enough memory");
  } catch (const std::exception& error) {
    return fail(PQW_INTERNAL, error.what());
  } catch (...) {
    return fail(PQW_INTERNAL, "an unknown exception");
  }
}

void require(const void* argument, const char* name) {
  if (argument == nullptr) throw invalid_argument("{} is NULL", name);
}

}  // namespace pqw::c

const char* pqw_last_error() { return pqw::c::last_message.data(); }

const char* pqw_version() { return PQW_VERSION; }
