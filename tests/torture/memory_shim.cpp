// A library to preload: an allocation fails, at a given count. It counts from when a file in one
// folder is opened first, so that loading the program does not matter.
//
// Processes that are forked count on together with their parent.
//
//   PQW_MEMORY_FOLDER  the folder
//   PQW_MEMORY_AT      the number of the allocation that fails, from 1; 0: none
//   PQW_MEMORY_STICKY  1: all later ones fail, too
//   PQW_MEMORY_LOG     a file that gets the number of allocations when the program exits
#include <dlfcn.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <new>
#include <string_view>

extern "C" {
void* __libc_malloc(size_t n);
void* __libc_calloc(size_t n, size_t size);
void* __libc_realloc(void* memory, size_t n);
void* __libc_memalign(size_t alignment, size_t n);
}

namespace {

std::string_view setting(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

std::atomic<bool> is_counting = false;
std::atomic<long>* n_allocations = nullptr;  // shared memory
long failing = 0;
bool is_sticky = false;

void count_from(const char* path) {
  const std::string_view folder = setting("PQW_MEMORY_FOLDER");
  if (is_counting || folder.empty() || !std::string_view(path).starts_with(folder)) return;
  failing = std::atol(setting("PQW_MEMORY_AT").data());
  is_sticky = setting("PQW_MEMORY_STICKY") == "1";
  void* const shared = ::mmap(nullptr, sizeof(*n_allocations), PROT_READ | PROT_WRITE,
                              MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (shared == MAP_FAILED) std::abort();
  n_allocations = new (shared) std::atomic<long>(0);
  is_counting = true;
}

// Whether the allocation that is about to be made fails.
bool is_due() {
  if (!is_counting) return false;
  const long number = ++*n_allocations;
  const bool due = failing > 0 && (number == failing || (is_sticky && number > failing));
  if (due) errno = ENOMEM;
  return due;
}

int open_as(const char* function, const char* path, int flags, mode_t mode) {
  count_from(path);
  using Open = int(const char*, int, ...);
  return reinterpret_cast<Open*>(::dlsym(RTLD_NEXT, function))(path, flags, mode);
}

const pid_t process = ::getpid();

__attribute__((destructor)) void log_count() {
  const std::string_view path = setting("PQW_MEMORY_LOG");
  if (path.empty() || ::getpid() != process) return;
  const long n = is_counting ? n_allocations->load() : 0;
  is_counting = false;
  std::FILE* log = std::fopen(path.data(), "w");
  if (log == nullptr) return;
  std::fprintf(log, "%ld\n", n);
  std::fclose(log);
}

}  // namespace

extern "C" {

int open(const char* path, int flags, ...) {
  std::va_list arguments;
  va_start(arguments, flags);
  const mode_t mode = (flags & O_CREAT) != 0 ? va_arg(arguments, mode_t) : 0;
  va_end(arguments);
  return open_as("open", path, flags, mode);
}

int open64(const char* path, int flags, ...) {
  std::va_list arguments;
  va_start(arguments, flags);
  const mode_t mode = (flags & O_CREAT) != 0 ? va_arg(arguments, mode_t) : 0;
  va_end(arguments);
  return open_as("open64", path, flags, mode);
}

void* malloc(size_t n) { return is_due() ? nullptr : __libc_malloc(n); }

void* calloc(size_t n, size_t size) { return is_due() ? nullptr : __libc_calloc(n, size); }

void* realloc(void* memory, size_t n) { return is_due() ? nullptr : __libc_realloc(memory, n); }

void* memalign(size_t alignment, size_t n) {
  return is_due() ? nullptr : __libc_memalign(alignment, n);
}

void* aligned_alloc(size_t alignment, size_t n) {
  return is_due() ? nullptr : __libc_memalign(alignment, n);
}

int posix_memalign(void** memory, size_t alignment, size_t n) {
  if (is_due()) return ENOMEM;
  *memory = __libc_memalign(alignment, n);
  return *memory == nullptr ? ENOMEM : 0;
}

}  // extern "C"
