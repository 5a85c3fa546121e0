// Rewrites a zip archive so that its members are stored.
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>

#include "formats/expansion.h"
#include "formats/zip_archive.h"
#include "io/spool.h"

namespace pqw {
namespace {

// Writes the bytes of all members to `content`, one after the other.
void unpack_all(const InputFile& file, zip_t& zip, const std::vector<ZipPlace>& places,
                Spool& content) {
  const Subject subject{file.path()};
  Expansion expansion(file.size());
  for (const ZipPlace& place : places) {
    const Subject member = subject.in("member", place.name);
    if (!expansion.take(place.n_bytes)) {
      throw member.error(
          "its {} bytes are too many: a file of {} bytes may unpack to {} times that",
          place.n_bytes, file.size(), kMaxExpansion);
    }
    unpack_member(member, zip, place, [&](auto bytes) { content.write(bytes); });
  }
}

// Opens the temporary file of the target, then removes its name.
InputFile taken(AtomicFile target, const std::string& path) {
  const int fd = ::open(target.temporary_path().c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) throw Subject{path}.system_error("open the unpacked copy");
  { const AtomicFile removed = std::move(target); }
  return {path, fd};
}

}  // namespace

InputFile with_stored_members(InputFile file, const std::string& path,
                              const WriteOptions& options) {
  const ZipPtr zip = open_zip(file);
  const std::vector<ZipPlace> places = zip_places(file, *zip);
  if (std::ranges::none_of(places, &ZipPlace::is_packed)) return file;
  Spool spool(file.path());
  unpack_all(file, *zip, places, spool);
  const InputFile content(file.path(), spool.release());
  AtomicFile target(path, options);
  ZipWriter writer(target, "/proc/self/fd/" + std::to_string(content.descriptor()));
  std::uint64_t at = 0;
  for (const ZipPlace& place : places) {
    writer.add(place.name, at, place.n_bytes);
    at += place.n_bytes;
  }
  writer.write();
  return taken(std::move(target), file.path());
}

}  // namespace pqw
