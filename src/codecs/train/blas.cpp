// OpenBLAS, loaded when it is first used.
#include "codecs/train/blas.h"

#include <dlfcn.h>
#include <omp.h>
#include <stdlib.h>
#include <sys/mman.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdlib>
#include <future>
#include <memory>
#include <mutex>
#include <optional>
#include <semaphore>
#include <string>
#include <system_error>
#include <thread>
#include <utility>

#include "codecs/train/blas_function.h"
#include "pqw/core/error.h"

namespace pqw::linear_algebra {
namespace {

constexpr const char* kLibrary = "libopenblas.so.0";

constexpr std::size_t kMebi = std::size_t{1} << 20;
constexpr std::size_t kBufferBytes = 128 * kMebi;  // BUFFER_SIZE of OpenBLAS on x86-64
constexpr std::size_t kLibraryBytes =
    64 * kMebi;  // mapped by OpenBLAS and the libraries that it needs

// Sets a variable of the environment while it lives.
class VariableScope {
 public:
  VariableScope(const char* name, const char* value) : name_(name) {
    if (const char* before = std::getenv(name)) before_ = before;
    ::setenv(name, value, 1);
  }
  ~VariableScope() {
    if (before_) {
      ::setenv(name_, before_->c_str(), 1);
    } else {
      ::unsetenv(name_);
    }
  }
  VariableScope(const VariableScope&) = delete;
  VariableScope& operator=(const VariableScope&) = delete;

 private:
  const char* name_;
  std::optional<std::string> before_;
};

// The fastest kernels of OpenBLAS for this processor. OpenBLAS treats a processor that is newer
// than itself as an old one, and may then be ten times slower than necessary.
const char* best_core() {
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
      __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") &&
      __builtin_cpu_supports("avx512cd")) {
    return "SkylakeX";
  }
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return "Haswell";
#endif
  return nullptr;
}

// Whether `bytes` of memory could be allocated now.
bool fits(std::size_t n_bytes) {
  void* const memory = ::mmap(nullptr, n_bytes, PROT_READ | PROT_WRITE,
                              MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  return memory != MAP_FAILED && ::munmap(memory, n_bytes) == 0;
}

Error too_little_memory() {
  return {ErrorCode::kIo, "OpenBLAS needs " +
                              std::to_string((kLibraryBytes + kBufferBytes) / kMebi) +
                              " MiB of address space, more than the limits of this process "
                              "(ulimit -v, -d) leave"};
}

// The number of buffers: one per thread, but fewer if less than the same amount of memory would be
// left for everything else.
std::size_t count_buffers() {
  const int threads = std::max(omp_get_max_threads(), omp_get_num_procs());
  std::size_t n = std::min(static_cast<std::size_t>(threads), kMostBuffers);
  while (n > 1 && !fits(kLibraryBytes + 2 * n * kBufferBytes)) --n;
  if (n > 1 || fits(kLibraryBytes + kBufferBytes)) return n;
  throw too_little_memory();
}

void* open_library() {
  const VariableScope threads("OPENBLAS_NUM_THREADS", "1");
  std::optional<VariableScope> core;
  if (best_core() != nullptr && std::getenv("OPENBLAS_CORETYPE") == nullptr) {
    core.emplace("OPENBLAS_CORETYPE", best_core());
  }
  void* const library = ::dlopen(kLibrary, RTLD_NOW | RTLD_LOCAL);
  if (library != nullptr) return library;
  const char* const reason = ::dlerror();
  throw Error(ErrorCode::kIo,
              std::string("cannot load OpenBLAS, which low_rank, tensorized and bench need: ") +
                  (reason == nullptr ? kLibrary : reason));
}

void* find(void* library, const char* name) {
  void* const function = ::dlsym(library, name);
  if (function != nullptr) return function;
  throw Error(ErrorCode::kIo, std::string(kLibrary) + " has no function " + name);
}

template <class Function>
void find(void* library, const char* name, Function& function) {
  function = reinterpret_cast<Function>(find(library, name));
}

Blas find_functions(void* library) {
  Blas found = {};
  find(library, "cblas_dgemm", found.dgemm);
  find(library, "cblas_sgemm", found.sgemm);
  find(library, "cblas_sgemv", found.sgemv);
  find(library, "dgeqrf_", found.dgeqrf);
  find(library, "dgesdd_", found.dgesdd);
  find(library, "dgesvd_", found.dgesvd);
  find(library, "dorgqr_", found.dorgqr);
  find(library, "dpotrf_", found.dpotrf);
  find(library, "dpotrs_", found.dpotrs);
  find(library, "dsyevd_", found.dsyevd);
  find(library, "openblas_get_corename", found.core_name);
  find(library, "openblas_get_num_threads", found.get_num_threads);
  find(library, "openblas_set_num_threads", found.set_num_threads);
  return found;
}

// Waits for `done`; throws if memory is missing for a second while it waits.
void wait_unless_memory_is_missing(std::future<void> done) {
  constexpr std::chrono::milliseconds kPause(10);
  int n_missing = 0;
  while (done.wait_for(kPause) != std::future_status::ready) {
    n_missing = fits(kBufferBytes) ? 0 : n_missing + 1;
    if (n_missing == 100) throw too_little_memory();
  }
}

// Makes OpenBLAS allocate its buffers, which it then keeps. If another thread takes the memory at
// that moment, OpenBLAS tries for ever. So it allocates in a thread of its own, which is abandoned
// if it does not end.
void allocate_buffers(void* library, std::size_t n) {
  void* (*allocate)(int) = nullptr;
  void (*free)(void*) = nullptr;
  find(library, "blas_memory_alloc", allocate);
  find(library, "blas_memory_free", free);
  const auto allocate_all = [=] {
    std::array<void*, kMostBuffers> buffers{};
    for (std::size_t i = 0; i < n; ++i) buffers[i] = allocate(0);
    for (std::size_t i = 0; i < n; ++i) free(buffers[i]);
  };
  const auto done = std::make_shared<std::promise<void>>();
  std::future<void> is_done = done->get_future();
  try {
    std::thread([=] {
      allocate_all();
      done->set_value();
    }).detach();
  } catch (const std::system_error&) {
    return allocate_all();  // no thread can be created
  }
  wait_unless_memory_is_missing(std::move(is_done));
}

struct Library {
  Library() {
    functions.n_buffers = n_buffers;
    allocate_buffers(handle, n_buffers);
  }

  const std::size_t n_buffers = count_buffers();
  void* const handle = open_library();  // never closed
  Blas functions = find_functions(handle);
  std::counting_semaphore<kMostBuffers> free_buffers{static_cast<std::ptrdiff_t>(n_buffers)};
  std::mutex mutex;  // guards the members below
  int n_calls = 0;
  int threads_before = 1;  // the program may have loaded OpenBLAS before, with threads
};

Library& library() {
  static Library instance;
  return instance;
}

}  // namespace

const Blas& blas() { return library().functions; }

void* blas_function(const char* name) { return find(library().handle, name); }

BlasCall::BlasCall() noexcept {
  Library& used = library();
  used.free_buffers.acquire();
  const std::lock_guard lock(used.mutex);
  if (used.n_calls++ > 0) return;
  used.threads_before = used.functions.get_num_threads();
  used.functions.set_num_threads(1);
}

BlasCall::~BlasCall() {
  Library& used = library();
  {
    const std::lock_guard lock(used.mutex);
    if (--used.n_calls == 0) used.functions.set_num_threads(used.threads_before);
  }
  used.free_buffers.release();
}

}  // namespace pqw::linear_algebra
