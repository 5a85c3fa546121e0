// A library to preload: system calls that change files in one folder fail, write too little, or
// kill the process, at a given count. Everything else passes through.
//
//   PQW_FAULT_FOLDER  the calls that count are on files in this folder
//   PQW_FAULT_AT      the number of the call that goes wrong, from 1; 0: none
//   PQW_FAULT_KIND    eio | enospc | short | kill | torn (half of the bytes, then killed)
//   PQW_FAULT_STICKY  1: all later calls go wrong, too
//   PQW_FAULT_LOG     a file outside of that folder that gets a line for each call that counts
//   PQW_FAULT_DATA    a file outside of that folder that gets what is written: for each write its
//                     offset and length (u64), then its bytes
#include <dlfcn.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string_view>

namespace {

std::string_view setting(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

template <class Function>
Function* next(const char* name) {
  return reinterpret_cast<Function*>(::dlsym(RTLD_NEXT, name));
}

std::atomic<long> n_calls = 0;

bool in_folder(const char* path) {
  const std::string_view folder = setting("PQW_FAULT_FOLDER");
  const std::string_view name = path;
  return !folder.empty() && name.starts_with(folder) &&
         (name.size() == folder.size() || name[folder.size()] == '/');
}

bool in_folder(int fd) {
  char link[64], path[4096];
  std::snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
  const ssize_t n = ::readlink(link, path, sizeof(path) - 1);
  if (n <= 0) return false;
  path[n] = '\0';
  return in_folder(path);
}

// Of the file that a setting names, for appending; -1 without one.
int open_log(const char* name) {
  const std::string_view path = setting(name);
  return path.empty() ? -1 : ::open(path.data(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
}

void append(int log, const void* data, std::size_t n) {
  static const auto real = next<ssize_t(int, const void*, size_t)>("write");
  (void)!real(log, data, n);
}

void log_call(const char* name) {
  static const int log = open_log("PQW_FAULT_LOG");
  if (log < 0) return;
  char line[64];
  const int n = std::snprintf(line, sizeof(line), "%s\n", name);
  append(log, line, static_cast<std::size_t>(n));
}

void log_data(off_t offset, const void* data, std::size_t n) {
  static const int log = open_log("PQW_FAULT_DATA");
  if (log < 0) return;
  const std::array<std::uint64_t, 2> head{static_cast<std::uint64_t>(offset), n};
  append(log, head.data(), sizeof(head));
  append(log, data, n);
}

// Whether the call that is about to be made goes wrong.
bool is_due(const char* name) {
  log_call(name);
  const long call = ++n_calls;
  const long at = std::atol(setting("PQW_FAULT_AT").data());
  return at > 0 && (call == at || (call > at && setting("PQW_FAULT_STICKY") == "1"));
}

bool kind_is(std::string_view kind) { return setting("PQW_FAULT_KIND") == kind; }

int fail() {
  if (kind_is("kill") || kind_is("torn")) ::kill(::getpid(), SIGKILL);
  errno = kind_is("enospc") ? ENOSPC : EIO;
  return -1;
}

// Of a write that goes wrong: what it returns, after it wrote a part where the kind says so.
template <class Write>
ssize_t go_wrong(std::size_t n_bytes, const Write& write) {
  if (kind_is("torn")) {
    (void)write(n_bytes / 2);
    return fail();
  }
  if (kind_is("short")) return write(n_bytes > 1 ? n_bytes / 2 : n_bytes);
  return fail();
}

template <class Call>
int change(const char* name, bool counts, const Call& call) {
  // A call that writes nothing cannot write too little.
  return counts && is_due(name) && !kind_is("short") ? fail() : call();
}

}  // namespace

extern "C" {

ssize_t write(int fd, const void* data, size_t n) {
  static const auto real = next<ssize_t(int, const void*, size_t)>("write");
  const bool counts = in_folder(fd);
  if (counts) log_data(::lseek(fd, 0, SEEK_CUR), data, n);
  if (!counts || !is_due("write")) return real(fd, data, n);
  return go_wrong(n, [&](std::size_t bytes) { return real(fd, data, bytes); });
}

ssize_t pwrite(int fd, const void* data, size_t n, off_t offset) {
  static const auto real = next<ssize_t(int, const void*, size_t, off_t)>("pwrite");
  const bool counts = in_folder(fd);
  if (counts) log_data(offset, data, n);
  if (!counts || !is_due("pwrite")) return real(fd, data, n, offset);
  return go_wrong(n, [&](std::size_t bytes) { return real(fd, data, bytes, offset); });
}

ssize_t pwrite64(int fd, const void* data, size_t n, off64_t offset) {
  return pwrite(fd, data, n, offset);
}

int fsync(int fd) {
  static const auto real = next<int(int)>("fsync");
  struct stat status;
  const bool is_folder = ::fstat(fd, &status) == 0 && S_ISDIR(status.st_mode);
  return change(is_folder ? "fsync folder" : "fsync", in_folder(fd), [&] { return real(fd); });
}

int ftruncate(int fd, off_t length) {
  static const auto real = next<int(int, off_t)>("ftruncate");
  return change("ftruncate", in_folder(fd), [&] { return real(fd, length); });
}

int ftruncate64(int fd, off64_t length) { return ftruncate(fd, length); }

int rename(const char* from, const char* to) noexcept {
  static const auto real = next<int(const char*, const char*)>("rename");
  return change("rename", in_folder(to), [&] { return real(from, to); });
}

int renameat2(int from_folder, const char* from, int to_folder, const char* to,
              unsigned flags) noexcept {
  static const auto real = next<int(int, const char*, int, const char*, unsigned)>("renameat2");
  return change("rename", in_folder(to),
                [&] { return real(from_folder, from, to_folder, to, flags); });
}

}  // extern "C"
