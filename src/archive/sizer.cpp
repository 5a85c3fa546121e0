// What an archive will weigh, found by writing it without its data to a sparse file.
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>

#include "archive/body.h"
#include "io/locked_temporary.h"
#include "io/system_error.h"
#include "pqw/archive/archive.h"

namespace pqw {
namespace {

// A file in the system's folder for such, gone with the object.
class TemporaryFile {
 public:
  TemporaryFile() : path_(std::filesystem::temp_directory_path() / "pqw_size.XXXXXX") {
    fd_ = ::mkostemp(path_.data(), O_CLOEXEC);
    if (fd_ < 0) throw system_error(path_, "create");
  }
  ~TemporaryFile() {
    unlink();
    ::close(fd_);
  }
  TemporaryFile(const TemporaryFile&) = delete;
  TemporaryFile& operator=(const TemporaryFile&) = delete;

  const std::string& path() const { return path_; }

  // The content stays for whoever has it open.
  void unlink() {
    if (!unlinked_) ::unlink(path_.c_str());
    unlinked_ = true;
  }

  std::uint64_t bytes() const {
    struct stat status;
    if (::fstat(fd_, &status) != 0) throw system_error(path_, "find the size of");
    return static_cast<std::uint64_t>(status.st_size);
  }

 private:
  std::string path_;
  int fd_ = -1;
  bool unlinked_ = false;
};

}  // namespace

struct ArchiveSizer::Impl {
  explicit Impl(const ArchiveWriterOptions& options)
      : body(file.path(), file.path(), options, archive::Body::Data::kAllocateOnly) {
    file.unlink();
  }

  TemporaryFile file;  // outlives the body, which writes to it
  archive::Body body;
};

ArchiveSizer::ArchiveSizer(const ArchiveWriterOptions& options) {
  const SignalPause pause;  // the temporary file has a name for a moment
  impl_ = std::make_unique<Impl>(options);
}
ArchiveSizer::~ArchiveSizer() = default;

void ArchiveSizer::add(const Record& record) { impl_->body.add(record); }

void ArchiveSizer::add_plain(const TensorInfo& info) { impl_->body.add_plain(info, {}); }

std::uint64_t ArchiveSizer::finish() {
  impl_->body.close();
  return impl_->file.bytes();
}

}  // namespace pqw
