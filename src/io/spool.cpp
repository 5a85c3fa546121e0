// Temporary files without a name, for bytes that come as a stream.
#include "io/spool.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <utility>
#include <vector>

#include "core/subject.h"

namespace pqw {
namespace {

constexpr std::size_t kPiece = 1 << 20;

std::string temporary_folder() {
  const char* const folder = std::getenv("TMPDIR");
  return folder == nullptr || *folder == '\0' ? "/tmp" : folder;
}

// -1 with errno if there is none.
int open_nameless(const std::string& folder) {
  const int fd = ::open(folder.c_str(), O_RDWR | O_TMPFILE | O_CLOEXEC, 0600);
  if (fd >= 0 || (errno != EOPNOTSUPP && errno != EISDIR)) return fd;
  std::string pattern = folder + "/pqw.XXXXXX";  // the file system has no nameless files
  const int named = ::mkostemp(pattern.data(), O_CLOEXEC);
  if (named >= 0) ::unlink(pattern.c_str());
  return named;
}

// Up to `most` bytes; none at the end.
std::vector<std::byte> read_piece(int fd, std::size_t most, const Subject& subject) {
  std::vector<std::byte> bytes(most);
  for (;;) {
    const ssize_t n = ::read(fd, bytes.data(), bytes.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) throw subject.system_error("read");
    bytes.resize(static_cast<std::size_t>(n));
    return bytes;
  }
}

void write_all(int fd, std::span<const std::byte> bytes, const Subject& subject) {
  while (!bytes.empty()) {
    const ssize_t n = ::write(fd, bytes.data(), bytes.size());
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) throw subject.system_error("write");
    bytes = bytes.subspan(static_cast<std::size_t>(n));
  }
}

bool is_unread_file(int fd) {
  struct stat status;
  return ::fstat(fd, &status) == 0 && S_ISREG(status.st_mode) && ::lseek(fd, 0, SEEK_CUR) == 0;
}

// The standard input, or its copy. Never closed.
int standard_input() {
  if (::isatty(STDIN_FILENO) != 0) {
    throw Subject{kStandardStream}.error(
        "the standard input is a terminal, expected a file or a pipe");
  }
  if (is_unread_file(STDIN_FILENO)) return STDIN_FILENO;
  Spool spool(kStandardStream);
  for (;;) {
    const std::vector<std::byte> bytes = read_piece(STDIN_FILENO, kPiece, {kStandardStream});
    if (bytes.empty()) return spool.release();
    spool.write(bytes);
  }
}

}  // namespace

Spool::Spool(std::string source)
    : source_(std::move(source)), folder_(temporary_folder()), fd_(open_nameless(folder_)) {
  if (fd_ < 0) throw Subject{source_}.system_error("make a temporary file for it in " + folder_);
}

Spool::~Spool() {
  if (fd_ >= 0) ::close(fd_);
}

void Spool::require_space(std::uint64_t n_bytes) const {
  struct statvfs status;
  if (::fstatvfs(fd_, &status) != 0) return;  // writing will tell
  const std::uint64_t free = std::uint64_t{status.f_bavail} * status.f_frsize;
  const std::uint64_t kept = std::uint64_t{status.f_blocks} * status.f_frsize / 20;
  if (free >= kept && free - kept >= n_bytes) return;
  throw Subject{source_}.error(
      ErrorCode::kIo,
      "its temporary copy in {} would leave less than {} bytes free there; "
      "the variable TMPDIR names another folder",
      folder_, kept);
}

void Spool::write(std::span<const std::byte> bytes) {
  constexpr std::uint64_t kStep = 16 << 20;
  if (bytes.size() > checked_) {
    const std::uint64_t step = std::max<std::uint64_t>(kStep, bytes.size());
    require_space(step);
    checked_ = step;
  }
  write_all(fd_, bytes, {source_});
  checked_ -= bytes.size();
}

int Spool::release() { return std::exchange(fd_, -1); }

int open_standard_input() {
  static const int input = standard_input();
  const int copy = ::fcntl(input, F_DUPFD_CLOEXEC, 3);
  if (copy < 0) throw Subject{kStandardStream}.system_error("open once more");
  return copy;
}

void copy_to_standard_output(int fd) {
  const Subject subject{kStandardStream, ErrorCode::kIo};
  if (::lseek(fd, 0, SEEK_SET) != 0) throw subject.system_error("read the temporary file of");
  for (;;) {
    const std::vector<std::byte> bytes = read_piece(fd, kPiece, subject);
    if (bytes.empty()) return;
    write_all(STDOUT_FILENO, bytes, subject);
  }
}

}  // namespace pqw
